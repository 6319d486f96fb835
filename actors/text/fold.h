/* actors/text/fold.h: which code points make words, and what a raw run becomes once folded.
 *
 * Folding a run: compatibility decomposition and case folding (utf8proc), marks dropped behind
 * Latin, Greek and Arabic letters and joined to the others again, stroked Latin letters to their
 * plain ones, Arabic and Devanagari digits to ASCII, tatweel and soft hyphen dropped. Pure and
 * stateless. */
#ifndef EDDA_ACTORS_TEXT_FOLD_H
#define EDDA_ACTORS_TEXT_FOLD_H

#include "proto/types.h"

#define EDDA_FOLD_BYTES 64 /* of one run and of its folded form */

enum edda_fold_class {
    EDDA_FOLD_SEPARATOR = 1,
    EDDA_FOLD_LETTER,
    EDDA_FOLD_DIGIT,
    EDDA_FOLD_MARK,     /* continues a run, never starts one */
    EDDA_FOLD_CJK,      /* Han and Kana */
    EDDA_FOLD_UNSPACED, /* Thai, Lao, Khmer, Burmese */
};

enum edda_fold_class edda_fold_class(uint32_t code_point);

struct edda_folded {
    char bytes[EDDA_FOLD_BYTES];
    uint8_t size;    /* 0: the run was marks and fillers only */
    uint8_t letters; /* code points */
    bool digit;
};

/* Folds a run of at most EDDA_FOLD_BYTES; what would not fit is cut at a code point. */
void edda_fold_run(struct edda_text run, struct edda_folded *ret_folded);

/* Folds one CJK or unspaced code point with the kana voicing mark that may follow (0: none). */
uint32_t edda_fold_unspaced(uint32_t code_point, uint32_t mark);

/* Writes a code point as UTF-8 and returns the bytes written, 1 to 4. */
size_t edda_fold_encode(uint32_t code_point, char *out);

#endif
