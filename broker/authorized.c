/* broker/authorized.c: lines to permits, sorted by their keys. */
#include "broker/authorized.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/nearest.h"

#define KEY_SIZE   (EDDA_CURVE_KEY_TEXT - 1)
#define BLANKS     " \t\r,"
#define WORD_SHOWN 16

_Static_assert(EDDA_AUTHORIZED_SALT == crypto_shorthash_KEYBYTES, "the salt is the hash's key");

struct entry {
    const char *key; /* KEY_SIZE bytes of the table's text */
    unsigned line;
    struct edda_permit permit;
};

struct edda_authorized {
    char *text;            /* owned: what all the views point into */
    struct entry *entries; /* owned, by key */
    size_t count;
    struct edda_text *services; /* owned, of all entries */
    size_t service_count;
};

static const struct {
    const char *word;
    unsigned roles;
} words[] = {
    {"gateway", EDDA_PERMIT_GATEWAY},
    {"store", EDDA_PERMIT_STORE},
    {"cli", EDDA_PERMIT_CLI},
    {"worker:*", EDDA_PERMIT_STAGES},
};

#define WORD_COUNT (sizeof words / sizeof words[0])

/* The next word of a line, which moves on behind it; empty at its end. */
static struct edda_text next_word(struct edda_text *line) {
    while (line->size > 0 && memchr(BLANKS, *line->data, sizeof BLANKS - 1)) {
        line->data++;
        line->size--;
    }
    struct edda_text word = {line->data, 0};
    while (word.size < line->size && !memchr(BLANKS, word.data[word.size], sizeof BLANKS - 1)) {
        word.size++;
    }
    line->data += word.size;
    line->size -= word.size;
    return word;
}

/* Every character is one of these, and there are 1 to most of them. */
static bool is_made_of(struct edda_text word, const char *others, size_t most) {
    for (size_t i = 0; i < word.size; i++) {
        char c = word.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && !(c != '\0' && strchr(others, c))) {
            return false;
        }
    }
    return word.size > 0 && word.size <= most;
}

/* "line 3: WORD what". Of the word only a piece: somebody may have put a secret there. */
static int refuse(char *message, int error, unsigned line, struct edda_text word,
                  const char *what) {
    char shown[WORD_SHOWN + 1] = "";
    size_t size = word.size < WORD_SHOWN ? word.size : WORD_SHOWN;
    for (size_t i = 0; i < size; i++) {
        shown[i] = word.data[i] > ' ' && word.data[i] <= '~' ? word.data[i] : '?';
    }
    (void)snprintf(message, EDDA_AUTHORIZED_MESSAGE, "line %u: %s%s%s", line, shown,
                   size > 0 ? " " : "", what);
    return error;
}

static int refuse_role(char *message, unsigned line, struct edda_text word) {
    static const char *const known[] = {"gateway", "store", "cli", "worker:*"};
    char copy[64] = ""; /* as much as edda_nearest looks at */
    char what[128];
    memcpy(copy, word.data, word.size < WORD_SHOWN ? word.size : WORD_SHOWN);
    (void)snprintf(what, sizeof what,
                   "is no role; did you mean %s? (gateway, store, cli, worker:NAME, worker:*)",
                   edda_nearest(copy, known, WORD_COUNT, SIZE_MAX));
    return refuse(message, EDDA_E_INVALID, line, word, what);
}

static int read_role(struct edda_authorized *self, struct entry *entry, struct edda_text word,
                     char *message) {
    for (size_t i = 0; i < WORD_COUNT; i++) {
        if (edda_text_is(word, words[i].word)) {
            entry->permit.roles |= words[i].roles;
            return 0;
        }
    }
    struct edda_text service = {word.data + 7, word.size - 7};
    if (word.size <= 7 || memcmp(word.data, "worker:", 7) != 0 ||
        !is_made_of(service, "_-", EDDA_AUTHORIZED_NAME)) {
        return refuse_role(message, entry->line, word);
    }
    if (self->service_count == EDDA_AUTHORIZED_KEYS * EDDA_AUTHORIZED_ROLES) {
        return refuse(message, EDDA_E_LIMIT, entry->line, word, "is one role too many in all");
    }
    if (!entry->permit.services) {
        entry->permit.services = &self->services[self->service_count];
    }
    self->services[self->service_count++] = service;
    entry->permit.service_count++;
    return 0;
}

static int read_line(struct edda_authorized *self, struct edda_text line, unsigned number,
                     const uint8_t *salt, char *message) {
    struct edda_text name = next_word(&line);
    if (name.size == 0 || *name.data == '#') {
        return 0;
    }
    struct edda_text key = next_word(&line);
    if (!is_made_of(name, "._-@:", EDDA_AUTHORIZED_NAME)) {
        return refuse(message, EDDA_E_INVALID, number, name,
                      "is no name: up to 64 letters, digits and ._-@:");
    }
    if (key.size != KEY_SIZE || !edda_curve_is_key(key.data, key.size)) {
        return refuse(message, EDDA_E_INVALID, number, name,
                      "is not followed by a public key of 40 characters");
    }
    if (self->count == EDDA_AUTHORIZED_KEYS) {
        return refuse(message, EDDA_E_LIMIT, number, name, "is one more than 1024 keys");
    }
    struct entry *entry = &self->entries[self->count++];
    *entry = (struct entry){.key = key.data, .line = number, .permit = {.name = name}};
    uint8_t hash[crypto_shorthash_BYTES];
    _Static_assert(sizeof hash == sizeof entry->permit.identity, "an identity is a hash");
    crypto_shorthash(hash, (const unsigned char *)key.data, KEY_SIZE, salt);
    memcpy(&entry->permit.identity, hash, sizeof hash);
    /* Never that of local peers, nor of nobody. */
    entry->permit.identity = (entry->permit.identity | 1) & ~(UINT64_C(1) << 63);
    size_t roles = 0;
    struct edda_text word;
    while ((word = next_word(&line)).size > 0) {
        if (++roles > EDDA_AUTHORIZED_ROLES) {
            return refuse(message, EDDA_E_LIMIT, number, name, "has more than 16 roles");
        }
        int error = read_role(self, entry, word, message);
        if (error) {
            return error;
        }
    }
    return roles > 0 ? 0 : refuse(message, EDDA_E_INVALID, number, name, "has no role");
}

static int by_key(const void *a, const void *b) {
    const struct entry *one = a;
    const struct entry *other = b;
    int order = memcmp(one->key, other->key, KEY_SIZE);
    return order ? order : one->line < other->line ? -1 : 1;
}

static int sort(struct edda_authorized *self, char *message) {
    if (self->count > 1) {
        qsort(self->entries, self->count, sizeof *self->entries, by_key);
    }
    for (size_t i = 1; i < self->count; i++) {
        const struct entry *entry = &self->entries[i];
        if (memcmp(entry->key, self->entries[i - 1].key, KEY_SIZE) == 0) {
            return refuse(message, EDDA_E_INVALID, entry->line, entry->permit.name,
                          "has the key of an earlier line");
        }
    }
    return 0;
}

static int read_lines(struct edda_authorized *self, size_t size, const uint8_t *salt,
                      char *message) {
    unsigned number = 0;
    for (size_t at = 0; at < size;) {
        const char *begin = self->text + at;
        const char *stop = memchr(begin, '\n', size - at);
        struct edda_text line = {begin, stop ? (size_t)(stop - begin) : size - at};
        at += line.size + 1;
        int error = read_line(self, line, ++number, salt, message);
        if (error) {
            return error;
        }
    }
    return sort(self, message);
}

static bool make_room(struct edda_authorized *self, const char *text, size_t size) {
    self->text = malloc(size + 1);
    self->entries = calloc(EDDA_AUTHORIZED_KEYS, sizeof *self->entries);
    self->services = calloc(EDDA_AUTHORIZED_KEYS * EDDA_AUTHORIZED_ROLES, sizeof *self->services);
    if (!self->text || !self->entries || !self->services) {
        return false;
    }
    if (size > 0) {
        memcpy(self->text, text, size);
    }
    self->text[size] = '\0';
    return true;
}

int edda_authorized_parse(const char *text, size_t size, const uint8_t salt[EDDA_AUTHORIZED_SALT],
                          edda_authorized_t **ret_authorized,
                          char message[EDDA_AUTHORIZED_MESSAGE]) {
    if (size > EDDA_AUTHORIZED_BYTES) {
        (void)snprintf(message, EDDA_AUTHORIZED_MESSAGE, "it has more than 256 KiB");
        return EDDA_E_LIMIT;
    }
    struct edda_authorized *self = calloc(1, sizeof *self);
    if (!self || !make_room(self, text, size)) {
        edda_authorized_destroy(&self);
        (void)snprintf(message, EDDA_AUTHORIZED_MESSAGE, "out of memory");
        return EDDA_E_MEMORY;
    }
    int error = read_lines(self, size, salt, message);
    if (error) {
        edda_authorized_destroy(&self);
        return error;
    }
    *ret_authorized = self;
    return 0;
}

void edda_authorized_destroy(edda_authorized_t **self_p) {
    struct edda_authorized *self = *self_p;
    if (self) {
        free(self->text);
        free(self->entries);
        free(self->services);
        free(self);
    }
    *self_p = NULL;
}

const struct edda_permit *edda_authorized_find(const edda_authorized_t *self, const char *key) {
    size_t low = 0;
    size_t high = key[0] ? self->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(key, self->entries[middle].key, KEY_SIZE);
        if (order == 0) {
            return &self->entries[middle].permit;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return &edda_permit_none;
}

const struct edda_permit *edda_authorized_find_identity(const edda_authorized_t *self,
                                                        uint64_t identity) {
    for (size_t i = 0; i < self->count; i++) {
        if (self->entries[i].permit.identity == identity) {
            return &self->entries[i].permit;
        }
    }
    return &edda_permit_none;
}

size_t edda_authorized_count(const edda_authorized_t *self) {
    return self->count;
}
