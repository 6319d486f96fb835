/* tests/sim/checker.c: lines to pairs, names to entries, and the list of offences. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/checker_state.h"

#define FIRST_BUCKETS 256

/* ---- memory ---- */

static void *need(void *memory) {
    EDDA_ASSERT(memory);
    return memory;
}

static uint64_t hash_of(struct edda_text name) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < name.size; i++) {
        hash = (hash ^ (uint8_t)name.data[i]) * UINT64_C(1099511628211);
    }
    return hash ^ hash >> 29;
}

static struct edda_text cut(struct edda_text name) {
    return (struct edda_text){name.data, name.size < CHECKER_KEY ? name.size : CHECKER_KEY - 1};
}

static struct checker_entry **bucket_of(const struct checker_table *table, struct edda_text name) {
    return &table->buckets[hash_of(name) & (table->bucket_count - 1)];
}

static void grow(struct checker_table *table) {
    size_t count = table->bucket_count ? table->bucket_count * 4 : FIRST_BUCKETS;
    free(table->buckets);
    table->buckets = need(calloc(count, sizeof(struct checker_entry *)));
    table->bucket_count = count;
    for (struct checker_entry *entry = table->first; entry; entry = entry->later) {
        struct checker_entry **bucket = bucket_of(table, edda_text_of(entry->name));
        entry->next = *bucket;
        *bucket = entry;
    }
}

void *checker_find(const struct checker_table *table, struct edda_text name) {
    name = cut(name);
    struct checker_entry *entry = table->bucket_count ? *bucket_of(table, name) : NULL;
    while (entry && !edda_text_is(name, entry->name)) {
        entry = entry->next;
    }
    return entry;
}

void *checker_entry(struct checker_table *table, struct edda_text name) {
    struct checker_entry *entry = checker_find(table, name);
    if (entry) {
        return entry;
    }
    if (table->count >= table->bucket_count) {
        grow(table);
    }
    name = cut(name);
    entry = need(calloc(1, table->size));
    memcpy(entry->name, name.data, name.size);
    struct checker_entry **bucket = bucket_of(table, name);
    entry->next = *bucket;
    *bucket = entry;
    *(table->last ? &table->last->later : &table->first) = entry;
    table->last = entry;
    table->count++;
    return entry;
}

static void free_table(struct checker_table *table) {
    while (table->first) {
        struct checker_entry *entry = table->first;
        table->first = entry->later;
        free(entry);
    }
    free(table->buckets);
}

struct checker *checker_new(void) {
    struct checker *self = need(calloc(1, sizeof(*self)));
    self->nodes.size = sizeof(struct checker_node);
    self->requests.size = sizeof(struct checker_request);
    self->memos.size = sizeof(struct checker_memo);
    self->jobs.size = sizeof(struct checker_job);
    self->peers.size = sizeof(struct checker_peer);
    self->keys.size = sizeof(struct checker_key);
    self->chunks.size = sizeof(struct checker_entry);
    return self;
}

void checker_free(struct checker **self_p) {
    struct checker *self = *self_p;
    if (!self) {
        return;
    }
    free_table(&self->nodes);
    free_table(&self->requests);
    free_table(&self->memos);
    free_table(&self->jobs);
    free_table(&self->peers);
    free_table(&self->keys);
    free_table(&self->chunks);
    free(self->report);
    free(self);
    *self_p = NULL;
}

/* ---- offences ---- */

void checker_offend(struct checker *self, const char *format, ...) {
    char text[512];
    if (++self->offences > CHECKER_OFFENCES) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(text, sizeof(text) - 1, format, arguments);
    va_end(arguments);
    size_t size = written < 0                          ? 0
                  : (size_t)written < sizeof(text) - 2 ? (size_t)written
                                                       : sizeof(text) - 2;
    text[size++] = '\n';
    self->report = need(realloc(self->report, self->report_size + size + 1));
    memcpy(self->report + self->report_size, text, size);
    self->report_size += size;
    self->report[self->report_size] = '\0';
}

const char *checker_report(const struct checker *self) {
    return self->report ? self->report : "";
}

/* ---- lines ---- */

struct edda_text checker_text(const struct checker_line *line, const char *key) {
    for (size_t i = 0; i < line->count; i++) {
        if (edda_text_is(line->pairs[i].key, key)) {
            return line->pairs[i].value;
        }
    }
    return (struct edda_text){NULL, 0};
}

static bool read_number(struct edda_text text, int64_t *ret_number) {
    int64_t number = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || number > INT64_MAX / 10 - 9) {
            return false;
        }
        number = number * 10 + (text.data[i] - '0');
    }
    if (text.size == 0) {
        return false;
    }
    *ret_number = number;
    return true;
}

int64_t checker_number(const struct checker_line *line, const char *key, int64_t fallback) {
    int64_t number = fallback;
    (void)read_number(checker_text(line, key), &number);
    return number;
}

/* The next word, with *rest behind it; empty at the end. */
static struct edda_text take_word(struct edda_text *rest) {
    while (rest->size && *rest->data == ' ') {
        rest->data++;
        rest->size--;
    }
    struct edda_text word = {rest->data, 0};
    bool quoted = false;
    while (word.size < rest->size && (quoted || word.data[word.size] != ' ')) {
        quoted ^= word.data[word.size] == '"';
        word.size++;
    }
    rest->data += word.size;
    rest->size -= word.size;
    return word;
}

static bool read_pair(struct checker_line *line, struct edda_text word) {
    const char *equals = memchr(word.data, '=', word.size);
    if (!equals || line->count == CHECKER_PAIRS) {
        return false;
    }
    struct edda_text key = {word.data, (size_t)(equals - word.data)};
    struct edda_text value = {equals + 1, word.size - key.size - 1};
    if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"') {
        value.data++;
        value.size -= 2;
    }
    line->pairs[line->count].key = key;
    line->pairs[line->count++].value = value;
    return true;
}

static bool read_line(struct edda_text text, struct checker_line *line) {
    *line = (struct checker_line){0};
    bool good = read_number(take_word(&text), &line->time_us);
    line->node = take_word(&text);
    line->event = take_word(&text);
    struct edda_text word = take_word(&text);
    while (good && word.size) {
        good = read_pair(line, word);
        word = take_word(&text);
    }
    return good && line->event.size > 0;
}

static const struct {
    const char *name;
    void (*run)(struct checker *self, const struct checker_line *line);
} rules[] = {
#define CHECKER_EVENT(name, keys, meaning) {#name, checker_on_##name},
#include "tests/sim/event.def"
#undef CHECKER_EVENT
};

void checker_line(struct checker *self, const char *data, size_t size) {
    struct checker_line line;
    size -= size && data[size - 1] == '\n';
    self->lines++;
    if (!read_line((struct edda_text){data, size}, &line)) {
        checker_offend(self, "G0: line %zu is none: %.*s", self->lines, (int)size, data);
        return;
    }
    if (line.time_us < self->now_us) {
        checker_offend(self, "G0: line %zu is earlier than the one before it", self->lines);
    }
    if (self->ended) {
        checker_offend(self, "G0: line %zu comes after the end", self->lines);
    }
    self->now_us = line.time_us;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (edda_text_is(line.event, rules[i].name)) {
            rules[i].run(self, &line);
            return;
        }
    }
    checker_offend(self, "G0: line %zu has no known event: %.*s", self->lines, (int)size, data);
}

size_t checker_finish(struct checker *self) {
    if (!self->ended) {
        checker_offend(self, "G0: the log has no end");
    }
    checker_finish_requests(self);
    checker_finish_jobs(self);
    checker_finish_memos(self);
    return self->offences;
}
