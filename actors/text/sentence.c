#include "actors/text/sentence.h"

#include "actors/text/text.h"

static bool is_wide_end(uint32_t point) {
    return point == 0x3002 || point == 0xFF01 || point == 0xFF1F || point == 0xFF61 ||
           point == 0x0964 || point == 0x0965 || point == 0x061F || point == 0x06D4;
}

static bool is_closer(uint32_t point) {
    return point == '"' || point == '\'' || point == ')' || point == ']' || point == '}' ||
           point == '*' || point == '_' || point == 0x201D || point == 0x2019 || point == 0xBB ||
           point == 0x300D || point == 0x300F || point == 0xFF09 || point == 0x300B ||
           point == 0x3011;
}

/* Moves over what may stand between a sentence's mark and its end: closing quotes, more marks. */
static const char *skip_closers(const char *at, const char *end) {
    while (at < end) {
        const char *next = at;
        uint32_t point = edda_text_next(&next, end);
        if (!is_closer(point) && !is_wide_end(point) && point != '.' && point != '!' &&
            point != '?')
            break;
        at = next;
    }
    return at;
}

static const char *skip_blank(const char *at, const char *end) {
    while (at < end && edda_text_is_blank(*at))
        at++;
    return at;
}

static bool is_abbreviation(const char *start, const char *dot) {
    static const char *const known[] = {"mr",  "mrs", "ms",  "dr",  "prof", "st",  "vs",  "etc",
                                        "eg",  "ie",  "fig", "no",  "nr",   "al",  "cf",  "approx",
                                        "bzw", "ca",  "inc", "ltd", "jr",   "sr",  "vol", "pp",
                                        "eq",  "ref", "sec", "ch",  "abb",  "usw", "gen", "col"};
    const char *word = dot;
    while (word > start &&
           ((word[-1] >= 'a' && word[-1] <= 'z') || (word[-1] >= 'A' && word[-1] <= 'Z')))
        word--;
    size_t size = (size_t)(dot - word);
    if (size == 1) /* an initial, or the last letter of "e.g." */
        return true;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i]) == size && strncasecmp(known[i], word, size) == 0)
            return true;
    return false;
}

static bool begins_in_lower_case(const char *at, const char *end) {
    return at < end && *at >= 'a' && *at <= 'z';
}

size_t edda_sentence_next(struct edda_text text) {
    const char *at = text.data;
    const char *end = text.data + text.size;
    while (at < end) {
        const char *mark = at;
        uint32_t point = edda_text_next(&at, end);
        if (is_wide_end(point))
            return (size_t)(skip_blank(skip_closers(at, end), end) - text.data);
        if (point != '.' && point != '!' && point != '?' && point != 0x2026)
            continue;
        const char *behind = skip_closers(at, end);
        const char *next = skip_blank(behind, end);
        if (next == behind && next < end) {
            at = behind;
            continue; /* "3.14", "file.txt" */
        }
        if (begins_in_lower_case(next, end) ||
            (point == '.' && behind == at && is_abbreviation(text.data, mark)))
            continue;
        return (size_t)(next - text.data);
    }
    return text.size;
}
