/* tests/provider/counters.c: counting, recording, and both as JSON. */
#include "tests/provider/counters.h"

#include <stdlib.h>

#include "actors/runtime/write.h"
#include "proto/utf8.h"

void fake_counters_init(struct fake_counters *counters) {
    memset(counters, 0, sizeof *counters);
    counters->paths = json_object();
    EDDA_ASSERT(counters->paths);
    for (size_t i = 0; i < FAKE_RECORDED; i++) {
        struct fake_record *record = &counters->records[i];
        edda_buffer_init(&record->target, SIZE_MAX / 4);
        edda_buffer_init(&record->headers, SIZE_MAX / 4);
        edda_buffer_init(&record->body, SIZE_MAX / 4);
    }
}

void fake_counters_done(struct fake_counters *counters) {
    json_decref(counters->paths);
    for (size_t i = 0; i < FAKE_RECORDED; i++) {
        edda_buffer_done(&counters->records[i].target);
        edda_buffer_done(&counters->records[i].headers);
        edda_buffer_done(&counters->records[i].body);
    }
}

void fake_counters_reset(struct fake_counters *counters) {
    int64_t connections_open = counters->connections_open;
    int64_t open[FAKE_KINDS];
    for (size_t i = 0; i < FAKE_KINDS; i++) {
        open[i] = counters->kinds[i].open;
    }
    int64_t all = counters->open;
    fake_counters_done(counters);
    fake_counters_init(counters);
    counters->connections_open = connections_open;
    counters->open = counters->most_open = all;
    for (size_t i = 0; i < FAKE_KINDS; i++) {
        counters->kinds[i].open = counters->kinds[i].most_open = open[i];
    }
}

static void add_open(int64_t *open, int64_t *most) {
    ++*open;
    *most = *open > *most ? *open : *most;
}

void fake_counters_begin(struct fake_counters *counters, enum fake_kind kind) {
    add_open(&counters->open, &counters->most_open);
    add_open(&counters->kinds[kind].open, &counters->kinds[kind].most_open);
}

void fake_counters_end(struct fake_counters *counters, enum fake_kind kind, int64_t bytes,
                       int64_t tokens) {
    counters->bytes_out += bytes;
    counters->kinds[kind].tokens += tokens;
    counters->open--;
    counters->kinds[kind].open--;
    EDDA_ASSERT(counters->kinds[kind].open >= 0);
}

static void count_path(struct fake_counters *counters, struct edda_text path) {
    char name[256];
    size_t size = path.size < sizeof name - 1 ? path.size : sizeof name - 1;
    memcpy(name, path.data, size);
    name[size] = '\0';
    json_t *count = json_object_get(counters->paths, name);
    if (count) {
        (void)json_integer_set(count, json_integer_value(count) + 1);
    } else if (json_object_size(counters->paths) < FAKE_PATHS) {
        (void)json_object_set_new(counters->paths, name, json_integer(1));
    }
}

void fake_counters_request(struct fake_counters *counters, const struct fake_request *request) {
    struct fake_kind_counters *kind = &counters->kinds[request->kind];
    kind->requests++;
    count_path(counters, request->path);
    if (request->kind == FAKE_EMBED || request->kind == FAKE_RERANK) {
        kind->batches[kind->batch_count++ % FAKE_BATCHES] = (uint32_t)fake_request_items(request);
    }
}

struct fake_record *fake_counters_record(struct fake_counters *counters) {
    struct fake_record *record = &counters->records[counters->record_count++ % FAKE_RECORDED];
    edda_buffer_reset(&record->target);
    edda_buffer_reset(&record->headers);
    edda_buffer_reset(&record->body);
    return record;
}

/* ---- as JSON ---- */

static void write_number(struct edda_buffer *out, const char *name, int64_t number) {
    (void)edda_buffer_printf(out, "\"%s\":%lld,", name, (long long)number);
}

static void write_kind(struct edda_buffer *out, const struct fake_kind_counters *kind) {
    int64_t first = kind->batch_count > FAKE_BATCHES ? kind->batch_count - FAKE_BATCHES : 0;
    write_number(out, "requests", kind->requests);
    write_number(out, "open", kind->open);
    write_number(out, "most_open", kind->most_open);
    write_number(out, "failed", kind->failed);
    write_number(out, "cancelled", kind->cancelled);
    write_number(out, "items", kind->items);
    write_number(out, "tokens", kind->tokens);
    EDDA_WRITE(out, "\"batches\":[");
    for (int64_t i = first; i < kind->batch_count; i++) {
        (void)edda_buffer_printf(out, "%s%u", i > first ? "," : "",
                                 kind->batches[i % FAKE_BATCHES]);
    }
    EDDA_WRITE(out, "]}");
}

static int64_t sum_cancelled(const struct fake_counters *counters) {
    int64_t sum = 0;
    for (size_t i = 0; i < FAKE_KINDS; i++) {
        sum += counters->kinds[i].cancelled;
    }
    return sum;
}

void fake_counters_write(const struct fake_counters *counters, struct edda_buffer *out) {
    EDDA_WRITE(out, "{");
    write_number(out, "connections", counters->connections);
    write_number(out, "connections_open", counters->connections_open);
    write_number(out, "open", counters->open);
    write_number(out, "most_open", counters->most_open);
    write_number(out, "cancelled", sum_cancelled(counters));
    write_number(out, "last_cancelled_us", counters->last_cancelled_us);
    write_number(out, "bytes_in", counters->bytes_in);
    write_number(out, "bytes_out", counters->bytes_out);
    for (size_t i = 0; i < FAKE_KINDS; i++) {
        (void)edda_buffer_printf(out, "\"%s\":{", fake_kind_name((enum fake_kind)i));
        write_kind(out, &counters->kinds[i]);
        EDDA_WRITE(out, ",");
    }
    char *paths = json_dumps(counters->paths, JSON_COMPACT);
    EDDA_ASSERT(paths);
    (void)edda_buffer_printf(out, "\"paths\":%s}", paths);
    free(paths);
}

static void write_headers(struct edda_buffer *out, const struct edda_buffer *headers) {
    const char *at = (const char *)headers->data;
    const char *end = at + headers->size;
    const char *before = "";
    while (at < end) {
        struct edda_text name = edda_text_of(at);
        struct edda_text value = edda_text_of(at + name.size + 1);
        (void)edda_buffer_printf(out, "%s[", before);
        edda_write_text(out, name);
        EDDA_WRITE(out, ",");
        edda_write_text(out, value);
        EDDA_WRITE(out, "]");
        at += name.size + value.size + 2;
        before = ",";
    }
}

/* Null for bytes that are no text. */
static void write_bytes(struct edda_buffer *out, const struct edda_buffer *bytes) {
    struct edda_text text = {bytes->data ? (const char *)bytes->data : "", bytes->size};
    bool valid = edda_utf8_valid(text.data, text.size);
    edda_write_text(out, valid ? text : (struct edda_text){NULL, 0});
}

void fake_counters_write_records(const struct fake_counters *counters, int64_t last,
                                 struct edda_buffer *out) {
    int64_t count = counters->record_count < FAKE_RECORDED ? counters->record_count : FAKE_RECORDED;
    count = last < count ? last : count;
    EDDA_WRITE(out, "[");
    for (int64_t i = counters->record_count - count; i < counters->record_count; i++) {
        const struct fake_record *record = &counters->records[i % FAKE_RECORDED];
        (void)edda_buffer_printf(out, "%s{\"method\":\"%s\",\"path\":",
                                 i > counters->record_count - count ? "," : "", record->method);
        write_bytes(out, &record->target);
        EDDA_WRITE(out, ",\"headers\":[");
        write_headers(out, &record->headers);
        EDDA_WRITE(out, "],\"body\":");
        write_bytes(out, &record->body);
        EDDA_WRITE(out, "}");
    }
    EDDA_WRITE(out, "]");
}
