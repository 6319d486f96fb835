/* actors/provider/judge.c: what a response means, and what of its words may be repeated. */
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "actors/provider/mend.h"
#include "actors/provider/provider_state.h"
#include "proto/utf8.h"

#define KEY_LENGTH     20 /* letters and digits mixed: no word, unless they are in few groups */
#define KEY_CHANGES    5  /* from letter to digit and back; "claude-3-5-sonnet-20241022" has none */
#define WORDS_MAXIMUM  400
#define NESTED_MAXIMUM 4

/* ---- redaction ---- */

static bool is_word_byte(unsigned char c) {
    return isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~' || c == '+' || c == '/' ||
           c == '=' || c == '*';
}

/* "sk-abc", and "key=sk-abc". */
static bool has_beginning(struct edda_text word, const char *beginning) {
    size_t size = strlen(beginning);
    for (size_t at = 0; at + size < word.size; at++) {
        if ((at == 0 || word.data[at - 1] == '=') && memcmp(word.data + at, beginning, size) == 0) {
            return true;
        }
    }
    return false;
}

static bool looks_like_key(struct edda_text word) {
    static const char *const beginnings[] = {"sk-",   "sk_",   "pk-",  "pa-",       "AIza", "gsk_",
                                             "jina_", "xai-",  "hf_",  "co_",       "key-", "eyJ",
                                             "rk_",   "sess-", "org-", "voyage-key"};
    size_t letters = 0;
    size_t digits = 0;
    size_t changes = 0;
    size_t run = 0;
    size_t longest = 0; /* mixed, without anything in between */
    bool mixed = false;
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        if (has_beginning(word, beginnings[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < word.size; i++) {
        unsigned char c = (unsigned char)word.data[i];
        if (!isalnum(c)) {
            run = 0;
            mixed = false;
            continue;
        }
        *(isalpha(c) ? &letters : &digits) += 1;
        if (run++ > 0 && !isalpha(c) != !isalpha((unsigned char)word.data[i - 1])) {
            changes++;
            mixed = true;
        }
        longest = mixed && run > longest ? run : longest;
    }
    return longest >= KEY_LENGTH || (letters + digits >= KEY_LENGTH && changes >= KEY_CHANGES);
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

/* One character that belongs to no word, whole or not at all. Returns its bytes. */
static size_t put_character(struct redaction *redaction, const char *at, size_t left) {
    unsigned char c = (unsigned char)at[0];
    size_t size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (size > left || !edda_utf8_valid(at, size)) {
        put(redaction, EDDA_TEXT("?"));
        return 1;
    }
    if (c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)at[1] < 0xa0)) {
        put(redaction, EDDA_TEXT(" "));
    } else if (size <= redaction->room - redaction->size) {
        put(redaction, (struct edda_text){at, size});
    } else {
        redaction->room = redaction->size;
    }
    return size;
}

static struct edda_text next_word(struct edda_text text, size_t at) {
    size_t end = at;
    while (end < text.size && is_word_byte((unsigned char)text.data[end])) {
        end++;
    }
    while (end > at + 1 && text.data[end - 1] == '.') {
        end--; /* a sentence's, not the word's */
    }
    return (struct edda_text){text.data + at, end - at};
}

/* Where the next of the secrets is in text from `at` on; its size, or text.size and 0. */
static size_t find_secret(struct edda_text text, size_t at, const char *const *secrets,
                          size_t *ret_size) {
    size_t found = text.size;
    *ret_size = 0;
    for (; secrets && *secrets; secrets++) {
        size_t size = strlen(*secrets);
        /* A shorter one would take ordinary words out of the text. */
        const char *place = size >= EDDA_SECRET_LEAST && text.size > at
                                ? memmem(text.data + at, text.size - at, *secrets, size)
                                : NULL;
        if (place && (size_t)(place - text.data) < found) {
            found = (size_t)(place - text.data);
            *ret_size = size;
        }
    }
    return found;
}

size_t edda_redact(struct edda_text text, const char *const *secrets, char *out, size_t room) {
    struct redaction redaction = {out, 0, room - 1};
    bool after_bearer = false;
    size_t secret_size = 0;
    size_t secret = find_secret(text, 0, secrets, &secret_size);
    size_t at = 0;
    while (at < text.size && redaction.size < redaction.room) {
        if (at == secret) {
            put(&redaction, EDDA_TEXT("***"));
            at += secret_size;
            secret = find_secret(text, at, secrets, &secret_size);
            continue;
        }
        if (!is_word_byte((unsigned char)text.data[at])) {
            size_t size = put_character(&redaction, text.data + at, text.size - at);
            at = at < secret && at + size > secret ? secret : at + size;
            continue;
        }
        struct edda_text word = next_word((struct edda_text){text.data, secret}, at);
        put(&redaction, after_bearer || looks_like_key(word) ? EDDA_TEXT("***") : word);
        after_bearer = word.size == 6 && strncasecmp(word.data, "bearer", 6) == 0;
        at += word.size;
    }
    out[redaction.size] = '\0';
    return redaction.size;
}

static bool is_secret_header(const char *header) {
    static const char *const parts[] = {"auth", "key", "token", "secret"};
    size_t length = strcspn(header, ":");
    for (size_t at = 0; at < length; at++) {
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            if (strncasecmp(header + at, parts[i], strlen(parts[i])) == 0) {
                return true;
            }
        }
    }
    return false;
}

void edda_header_secrets(const char *const *headers,
                         const char *ret_secrets[EDDA_OUTBOUND_HEADERS + 1]) {
    size_t count = 0;
    for (; headers && *headers && count < EDDA_OUTBOUND_HEADERS; headers++) {
        const char *blank = strrchr(*headers, ' ');
        if (blank && is_secret_header(*headers)) {
            ret_secrets[count++] = blank + 1;
        }
    }
    ret_secrets[count] = NULL;
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

static void write_words(const json_t *json, struct edda_bytes body, const char *const *secrets,
                        char out[WORDS_MAXIMUM]) {
    const char *words = json ? find_words(json, 0) : NULL;
    struct edda_text text = words ? edda_text_of(words) : json ? EDDA_TEXT("") : first_line(body);
    (void)edda_redact(text, secrets, out, WORDS_MAXIMUM);
}

/* Whether a code says that a person must look, under a status that says something else: OpenAI's
 * 429 of an account without money, Gemini's 400 of a wrong key. */
static bool is_for_a_person(const json_t *json, int depth) {
    static const char *const names[] = {"error", "code", "type", "status", "reason", "details"};
    static const char *const codes[] = {"insufficient_quota", "billing_not_active",
                                        "invalid_api_key", "API_KEY_INVALID", "model_not_found"};
    if (json_is_string(json)) {
        for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
            if (strcmp(json_string_value(json), codes[i]) == 0) {
                return true;
            }
        }
        return false;
    }
    if (json_is_array(json) && depth < NESTED_MAXIMUM) {
        return is_for_a_person(json_array_get(json, 0), depth + 1);
    }
    for (size_t i = 0; json_is_object(json) && i < sizeof names / sizeof names[0]; i++) {
        const json_t *inner = json_object_get(json, names[i]);
        if (inner && depth < NESTED_MAXIMUM && is_for_a_person(inner, depth + 1)) {
            return true;
        }
    }
    return false;
}

/* ---- the verdict ---- */

struct verdict {
    int error;
    enum edda_blame blame;
    enum edda_outcome outcome;
    bool again;
};

static struct verdict judge_status(int status, bool for_a_person) {
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
    if (for_a_person) {
        return locked;
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
                         const char *const *secrets, struct edda_provider_reply *ret_reply,
                         enum edda_outcome *ret_outcome, bool *ret_again) {
    bool good = status >= 200 && status < 300;
    json_t *json = good ? NULL : edda_provider_json(body.data, body.size);
    struct verdict verdict = judge_status(status, is_for_a_person(json, 0));
    ret_reply->error = verdict.error;
    ret_reply->blame = verdict.blame;
    ret_reply->status = status;
    *ret_outcome = verdict.outcome;
    *ret_again = verdict.again;
    if (verdict.error) {
        char words[WORDS_MAXIMUM];
        write_words(json, body, secrets, words);
        (void)snprintf(ret_reply->text, sizeof ret_reply->text, "%s: %d%s%s", name, status,
                       words[0] ? " " : "", words);
    }
    json_decref(json);
}
