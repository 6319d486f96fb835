/* actors/provider/judge.c: what a response means, and what of its words may be repeated. */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>

#include "actors/provider/provider.h"

#define KEY_LENGTH     20 /* letters and digits mixed, in a row: nobody's word */
#define WORDS_MAXIMUM  400
#define NESTED_MAXIMUM 3

/* ---- redaction ---- */

static bool is_word_byte(unsigned char c) {
    return isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~' || c == '+' || c == '/' ||
           c == '=' || c == '*';
}

static bool starts_with(struct edda_text text, const char *start) {
    size_t size = strlen(start);
    return text.size > size && memcmp(text.data, start, size) == 0;
}

static bool looks_like_key(struct edda_text word) {
    static const char *const beginnings[] = {"sk-",   "sk_",   "pk-",  "pa-",       "AIza", "gsk_",
                                             "jina_", "xai-",  "hf_",  "co_",       "key-", "eyJ",
                                             "rk_",   "sess-", "org-", "voyage-key"};
    size_t letters = 0;
    size_t digits = 0;
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        if (starts_with(word, beginnings[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < word.size; i++) {
        letters += isalpha((unsigned char)word.data[i]) != 0;
        digits += isdigit((unsigned char)word.data[i]) != 0;
    }
    return letters + digits >= KEY_LENGTH && letters > 0 && digits > 0;
}

struct redaction {
    char *out;
    size_t size;
    size_t room; /* without the NUL */
};

static void put(struct redaction *redaction, struct edda_text text) {
    size_t left = redaction->room - redaction->size;
    size_t size = text.size < left ? text.size : left;
    memcpy(redaction->out + redaction->size, text.data, size);
    redaction->size += size;
}

/* Without the beginning of a character whose rest was cut off. */
static size_t whole_characters(const char *text, size_t size) {
    size_t lead = size;
    while (lead > 0 && size - lead < 3 && ((unsigned char)text[lead - 1] & 0xc0) == 0x80) {
        lead--;
    }
    if (lead == 0) {
        return size;
    }
    unsigned char first = (unsigned char)text[lead - 1];
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    return size - (lead - 1) < length ? lead - 1 : size;
}

static bool is_bearer(struct edda_text word) {
    return edda_text_is(word, "Bearer") || edda_text_is(word, "bearer");
}

size_t edda_redact(struct edda_text text, char *out, size_t room) {
    struct redaction redaction = {out, 0, room - 1};
    bool after_bearer = false;
    size_t at = 0;
    while (at < text.size && redaction.size < redaction.room) {
        unsigned char c = (unsigned char)text.data[at];
        if (!is_word_byte(c)) {
            char one = c < 0x20 || c == 0x7f ? ' ' : (char)c;
            put(&redaction, (struct edda_text){&one, 1});
            at++;
            continue;
        }
        size_t end = at;
        while (end < text.size && is_word_byte((unsigned char)text.data[end])) {
            end++;
        }
        while (end > at + 1 && text.data[end - 1] == '.') {
            end--; /* a sentence's, not the word's */
        }
        struct edda_text word = {text.data + at, end - at};
        bool secret = after_bearer || looks_like_key(word);
        put(&redaction, secret ? EDDA_TEXT("***") : word);
        after_bearer = is_bearer(word);
        at = end;
    }
    redaction.size = whole_characters(out, redaction.size);
    out[redaction.size] = '\0';
    return redaction.size;
}

/* ---- the provider's own words ---- */

static const char *find_words(const json_t *json, int depth) {
    static const char *const names[] = {"message", "error", "detail", "msg", "error_description"};
    if (json_is_string(json)) {
        return json_string_value(json);
    }
    if (json_is_array(json) && depth < NESTED_MAXIMUM) {
        return find_words(json_array_get(json, 0), depth + 1);
    }
    for (size_t i = 0; json_is_object(json) && i < sizeof names / sizeof names[0]; i++) {
        const json_t *inner = json_object_get(json, names[i]);
        const char *words = inner && depth < NESTED_MAXIMUM ? find_words(inner, depth + 1) : NULL;
        if (words && *words) {
            return words;
        }
    }
    return NULL;
}

/* The first line of a text that is no page. */
static struct edda_text first_line(struct edda_bytes body) {
    const char *data = (const char *)body.data;
    size_t size = 0;
    while (size < body.size && data[size] != '\n' && data[size] != '\r') {
        if (data[size] == '<') {
            return EDDA_TEXT("");
        }
        size++;
    }
    return (struct edda_text){data, size};
}

static void write_words(struct edda_bytes body, char out[WORDS_MAXIMUM]) {
    json_t *json = json_loadb((const char *)body.data, body.size, JSON_ALLOW_NUL, NULL);
    const char *words = json ? find_words(json, 0) : NULL;
    struct edda_text text = words ? edda_text_of(words) : json ? EDDA_TEXT("") : first_line(body);
    (void)edda_redact(text, out, WORDS_MAXIMUM);
    json_decref(json);
}

/* ---- the verdict ---- */

struct verdict {
    int error;
    enum edda_blame blame;
    enum edda_outcome outcome;
    bool again;
};

static struct verdict judge_status(int status) {
    static const struct verdict good = {0, EDDA_BLAME_JOB, EDDA_OUTCOME_GOOD, false};
    static const struct verdict too_large = {EDDA_E_LIMIT, EDDA_BLAME_JOB, EDDA_OUTCOME_GOOD,
                                             false};
    static const struct verdict wrong = {EDDA_E_FAILED, EDDA_BLAME_JOB, EDDA_OUTCOME_GOOD, false};
    static const struct verdict locked = {EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE,
                                          EDDA_OUTCOME_FAILED, false};
    static const struct verdict busy = {EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE,
                                        EDDA_OUTCOME_REFUSED, true};
    static const struct verdict broken = {EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE,
                                          EDDA_OUTCOME_FAILED, true};
    if (status >= 200 && status < 300) {
        return good;
    }
    switch (status) {
    case 413:
        return too_large;
    case 400:
    case 415:
    case 422:
        return wrong;
    case 429:
    case 503:
    case 529:
        return busy;
    case 408:
    case 409:
    case 425:
        return broken;
    default:
        return status >= 500 ? broken : locked;
    }
}

void edda_provider_judge(const char *name, int status, struct edda_bytes body,
                         struct edda_provider_reply *ret_reply, enum edda_outcome *ret_outcome,
                         bool *ret_again) {
    struct verdict verdict = judge_status(status);
    ret_reply->error = verdict.error;
    ret_reply->blame = verdict.blame;
    ret_reply->status = status;
    *ret_outcome = verdict.outcome;
    *ret_again = verdict.again;
    if (verdict.error) {
        char words[WORDS_MAXIMUM];
        write_words(body, words);
        (void)snprintf(ret_reply->text, sizeof ret_reply->text, "%s: %d%s%s", name, status,
                       words[0] ? " " : "", words);
    }
}
