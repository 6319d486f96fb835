#include "actors/text/fold.h"

#include "actors/text/text.h"

#include <utf8proc.h>

#define RUN_POINTS (EDDA_FOLD_BYTES * 4) /* some ligatures decompose to a dozen letters */

static bool is_within(uint32_t value, uint32_t first, uint32_t last) {
    return value >= first && value <= last;
}

static bool is_cjk(uint32_t point) {
    return is_within(point, 0x4E00, 0x9FFF) || is_within(point, 0x3041, 0x3096) ||
           is_within(point, 0x30A1, 0x30FA) || is_within(point, 0x30FC, 0x30FF) ||
           is_within(point, 0x309D, 0x309F) || is_within(point, 0x3400, 0x4DBF) ||
           is_within(point, 0x3005, 0x3007) || is_within(point, 0x3021, 0x3029) ||
           is_within(point, 0x31F0, 0x31FF) || is_within(point, 0x2E80, 0x2FDF) ||
           is_within(point, 0xF900, 0xFAFF) || is_within(point, 0xFF66, 0xFF9D) ||
           is_within(point, 0x1B000, 0x1B16F) || is_within(point, 0x20000, 0x3FFFD);
}

static bool is_unspaced_block(uint32_t point) {
    return is_within(point, 0x0E00, 0x0EFF) || is_within(point, 0x1000, 0x109F) ||
           is_within(point, 0x1780, 0x17FF) || is_within(point, 0xA9E0, 0xA9FF) ||
           is_within(point, 0xAA60, 0xAA7F);
}

/* Invisible inside a word: soft hyphen, joiners, tatweel, byte order mark. */
static bool is_filler(uint32_t point) {
    return point == 0x00AD || is_within(point, 0x200B, 0x200D) || point == 0x2060 ||
           point == 0x0640 || point == 0xFEFF;
}

static bool is_voicing_mark(uint32_t point) {
    return point == 0x3099 || point == 0x309A || point == 0xFF9E || point == 0xFF9F;
}

/* Letters whose marks are spelling aids to a searcher, not letters of their own. */
static bool drops_marks(uint32_t point) {
    return point < 0x0250 || is_within(point, 0x0370, 0x03FF) || is_within(point, 0x0600, 0x06FF) ||
           is_within(point, 0x0750, 0x077F) || is_within(point, 0x08A0, 0x08FF);
}

static enum edda_fold_class class_of_number(uint32_t point) {
    /* Superscripts and subscripts are digits (H2O, m2); fractions and circled numbers are not
     * words. */
    return point == 0xB2 || point == 0xB3 || point == 0xB9 || is_within(point, 0x2070, 0x2079) ||
                   is_within(point, 0x2080, 0x2089)
               ? EDDA_FOLD_DIGIT
               : EDDA_FOLD_SEPARATOR;
}

enum edda_fold_class edda_fold_class(uint32_t code_point) {
    if (is_cjk(code_point))
        return EDDA_FOLD_CJK;
    if (is_filler(code_point) || is_voicing_mark(code_point))
        return EDDA_FOLD_MARK;
    switch (utf8proc_category((utf8proc_int32_t)code_point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return is_unspaced_block(code_point) ? EDDA_FOLD_UNSPACED : EDDA_FOLD_LETTER;
    case UTF8PROC_CATEGORY_NL:
        return EDDA_FOLD_LETTER;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return is_unspaced_block(code_point) ? EDDA_FOLD_UNSPACED : EDDA_FOLD_MARK;
    case UTF8PROC_CATEGORY_ND:
        return EDDA_FOLD_DIGIT;
    case UTF8PROC_CATEGORY_NO:
        return class_of_number(code_point);
    default:
        return EDDA_FOLD_SEPARATOR;
    }
}

/* Letters Unicode does not decompose although readers leave their stroke or ligature out. */
static size_t replace_plain(int32_t point, int32_t out[2]) {
    out[0] = point;
    switch (point) {
    case 0x00E6: /* ae */
        out[0] = 'a';
        out[1] = 'e';
        return 2;
    case 0x0153: /* oe */
        out[0] = 'o';
        out[1] = 'e';
        return 2;
    case 0x00F8:
        out[0] = 'o';
        return 1;
    case 0x0142:
        out[0] = 'l';
        return 1;
    case 0x0111:
        out[0] = 'd';
        return 1;
    case 0x0127:
        out[0] = 'h';
        return 1;
    case 0x0131:
        out[0] = 'i';
        return 1;
    default:
        break;
    }
    if (is_within((uint32_t)point, 0x0660, 0x0669))
        out[0] = point - 0x0660 + '0';
    else if (is_within((uint32_t)point, 0x06F0, 0x06F9))
        out[0] = point - 0x06F0 + '0';
    else if (is_within((uint32_t)point, 0x0966, 0x096F))
        out[0] = point - 0x0966 + '0';
    return 1;
}

struct folding {
    int32_t points[RUN_POINTS];
    size_t count;
    int32_t base;  /* last letter, decides what happens to the marks behind it */
    bool has_mark; /* a kept mark: compose at the end */
};

static void add_decomposed(struct folding *folding, int32_t point) {
    if (is_filler((uint32_t)point))
        return;
    utf8proc_category_t category = utf8proc_category(point);
    bool mark = category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
                category == UTF8PROC_CATEGORY_ME;
    if (mark) {
        /* Russian writes io with and without its dots; stress marks are for learners. */
        bool cyrillic = is_within((uint32_t)folding->base, 0x0400, 0x04FF) && point != 0x0306;
        if (folding->base == 0 || drops_marks((uint32_t)folding->base) ||
            (cyrillic && (point == 0x0301 || point == 0x0300 || folding->base == 0x0435)))
            return;
        folding->has_mark = true;
        if (folding->count < RUN_POINTS)
            folding->points[folding->count++] = point;
        return;
    }
    if (category > UTF8PROC_CATEGORY_NO || category == UTF8PROC_CATEGORY_CN)
        return; /* punctuation out of a ligature */
    folding->base = point;
    int32_t plain[2];
    size_t count = replace_plain(point, plain);
    for (size_t i = 0; i < count && folding->count < RUN_POINTS; i++)
        folding->points[folding->count++] = plain[i];
}

static void add_point(struct folding *folding, uint32_t point) {
    if (point < 0x80) {
        folding->base = (int32_t)point;
        int32_t lower = point >= 'A' && point <= 'Z' ? (int32_t)point + 32 : (int32_t)point;
        if (folding->count < RUN_POINTS)
            folding->points[folding->count++] = lower;
        return;
    }
    if (is_within(point, 0xAC00, 0xD7A3)) { /* a Hangul syllable is a letter as it stands */
        folding->base = (int32_t)point;
        if (folding->count < RUN_POINTS)
            folding->points[folding->count++] = (int32_t)point;
        return;
    }
    int32_t out[32];
    int last_class = 0;
    utf8proc_ssize_t count = utf8proc_decompose_char(
        (utf8proc_int32_t)point, out, 32,
        (utf8proc_option_t)(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD), &last_class);
    for (utf8proc_ssize_t i = 0; i < count && i < 32; i++)
        add_decomposed(folding, out[i]);
}

size_t edda_fold_encode(uint32_t code_point, char *out) {
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)code_point, (utf8proc_uint8_t *)out);
}

void edda_fold_run(struct edda_text run, struct edda_folded *ret_folded) {
    struct folding folding = {.count = 0};
    const char *at = run.data;
    const char *end = run.data + run.size;
    while (at < end)
        add_point(&folding, edda_text_next(&at, end));
    if (folding.has_mark && folding.count > 1) {
        utf8proc_ssize_t count =
            utf8proc_normalize_utf32(folding.points, (utf8proc_ssize_t)folding.count,
                                     (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
        folding.count = count > 0 ? (size_t)count : 0;
    }
    ret_folded->size = 0;
    ret_folded->letters = 0;
    ret_folded->digit = false;
    for (size_t i = 0; i < folding.count; i++) {
        char bytes[4];
        size_t size = edda_fold_encode((uint32_t)folding.points[i], bytes);
        if (ret_folded->size + size > EDDA_FOLD_BYTES)
            break;
        memcpy(ret_folded->bytes + ret_folded->size, bytes, size);
        ret_folded->size = (uint8_t)(ret_folded->size + size);
        ret_folded->letters++;
        ret_folded->digit |= folding.points[i] < 0x80
                                 ? folding.points[i] <= '9'
                                 : edda_fold_class((uint32_t)folding.points[i]) == EDDA_FOLD_DIGIT;
    }
}

uint32_t edda_fold_unspaced(uint32_t code_point, uint32_t mark) {
    int32_t points[8];
    int last_class = 0;
    utf8proc_ssize_t count = utf8proc_decompose_char(
        (utf8proc_int32_t)code_point, points, 6,
        (utf8proc_option_t)(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT), &last_class);
    if (count < 1 || count > 6)
        return code_point;
    if (mark != 0)
        points[count++] = mark == 0xFF9E ? 0x3099 : mark == 0xFF9F ? 0x309A : (int32_t)mark;
    if (count > 1)
        count = utf8proc_normalize_utf32(points, count,
                                         (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    return count == 1 ? (uint32_t)points[0] : code_point;
}
