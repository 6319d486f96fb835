/* gateway/upload.c: fields become the JSON that a memo would have been created from, so that one
 * set of rules and words serves both; the file's text goes to the stage piece by piece. */
#include "gateway/upload.h"

#include <sodium.h>
#include <stdio.h>

#include "actors/runtime/clock.h"
#include "gateway/memo_fields.h"
#include "gateway/save.h"
#include "gateway/visit_internal.h"
#include "proto/utf8.h"

#define MAX_FIELD  ((size_t)64 * 1024)
#define MIME_BYTES 128

struct upload {
    struct edda_saving saving; /* first: it is the visit's work */
    json_t *fields;            /* owned */
    struct edda_buffer value;  /* of the field that is being read */
    char name[32];             /* of that field, "" when it is ignored */
    bool in_file;
    bool has_file;
    struct edda_text file_name; /* in the arena */
    struct edda_text mime_type; /* in the arena */
    const char *format;
    crypto_hash_sha256_state hash;
};

static const char *const text_fields[] = {"title", "source", "reference_id", "expiration_date"};
static const char *const json_fields[] = {"tags", "metadata", "scopes"};

static bool is_listed(const char *name, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_text_field(const char *name) {
    return is_listed(name, text_fields, sizeof text_fields / sizeof *text_fields);
}

static bool is_json_field(const char *name) {
    return is_listed(name, json_fields, sizeof json_fields / sizeof *json_fields);
}

static void drop(struct edda_visit *visit) {
    struct upload *upload = visit->work;
    edda_stage_done(&upload->saving.stage);
    edda_buffer_done(&upload->value);
    json_decref(upload->fields);
    upload->fields = NULL;
}

/* There is room in the stage again, or it has failed. */
static void resume(struct edda_stage *stage) {
    struct edda_visit *visit = stage->visit;
    if (stage->error) {
        edda_saving_refuse(visit->work);
    } else {
        edda_exchange_continue(visit->exchange);
    }
}

static void staged(struct edda_stage *stage) {
    edda_saving_staged(stage->visit->work);
}

void edda_upload_begin(struct edda_visit *visit) {
    struct upload *upload = edda_visit_work(visit, sizeof *upload);
    if (!upload) {
        return;
    }
    upload->saving.visit = visit;
    visit->drop = drop;
    edda_buffer_init(&upload->value, MAX_FIELD);
    (void)crypto_hash_sha256_init(&upload->hash);
    upload->fields = json_object();
    int error = edda_stage_begin(&upload->saving.stage, visit, visit->gateway->max_body_bytes,
                                 resume, staged);
    if (error || !upload->fields) {
        edda_visit_error(visit, EDDA_E_MEMORY, NULL);
    }
}

/* Names and values with their lengths, so that no two uploads run into one. */
static void note(struct upload *upload, const void *data, size_t size) {
    uint64_t length = size;
    (void)crypto_hash_sha256_update(&upload->hash, (const unsigned char *)&length, sizeof length);
    (void)crypto_hash_sha256_update(&upload->hash, data, size);
}

/* The field that was being read is complete. */
static void close_field(struct edda_visit *visit) {
    struct upload *upload = visit->work;
    json_t *value = NULL;
    struct edda_text text = {(const char *)upload->value.data, upload->value.size};
    if (upload->name[0] == '\0') {
        return;
    }
    text.data = text.data ? text.data : "";
    if (text.size > 0) {
        note(upload, upload->name, strlen(upload->name));
        note(upload, text.data, text.size);
    }
    if (upload->value.error || !edda_utf8_valid(text.data, text.size) ||
        memchr(text.data, '\0', text.size)) {
        turn_away(visit, 400, "Form fields must be UTF-8 text of at most 65536 bytes");
    } else if (is_text_field(upload->name)) {
        value = json_stringn_nocheck(text.data, text.size);
        /* An empty form field is one that was not filled in. */
        if (text.size > 0 && json_object_set_new(upload->fields, upload->name, value) != 0) {
            edda_visit_error(visit, EDDA_E_MEMORY, NULL);
        } else if (text.size == 0) {
            json_decref(value);
        }
    } else if (text.size > 0) {
        value = json_loadb(text.data, text.size, JSON_DECODE_ANY, NULL);
        if (!value) {
            char message[64];
            (void)snprintf(message, sizeof message, "Invalid JSON in form field %s", upload->name);
            turn_away(visit, 400, message);
        } else if (json_object_set_new(upload->fields, upload->name, value) != 0) {
            edda_visit_error(visit, EDDA_E_MEMORY, NULL);
        }
    }
    upload->name[0] = '\0';
    edda_buffer_reset(&upload->value);
}

static void open_file(struct edda_visit *visit, const struct edda_http_field *field) {
    struct upload *upload = visit->work;
    struct edda_text type = field->content_type;
    type.size = type.size > MIME_BYTES ? MIME_BYTES : type.size;
    if (!edda_text_is(field->name, "file") || upload->has_file) {
        turn_away(visit, 400, "File upload error: Unexpected field");
        return;
    }
    upload->format = edda_memo_format(field->file_name);
    if (!upload->format) {
        turn_away(visit, 400, "Invalid file type. Allowed types: .txt, .md, .html, .csv, .json");
        return;
    }
    if (!edda_utf8_valid(field->file_name.data, field->file_name.size)) {
        turn_away(visit, 400, "File name must be UTF-8");
        return;
    }
    upload->has_file = upload->in_file = true;
    upload->file_name = edda_arena_text(&visit->arena, field->file_name);
    upload->mime_type = edda_utf8_valid(type.data, type.size) ? edda_arena_text(&visit->arena, type)
                                                              : (struct edda_text){0};
    note(upload, field->file_name.data, field->file_name.size);
}

/* It was begun before, and nothing of it has come since. A second file of the same name behind an
 * empty first one is taken for it: libmicrohttpd does not tell them apart, and there is only one
 * with something in it. */
static bool is_open_file(const struct upload *upload, const struct edda_http_field *field) {
    return upload->in_file && upload->saving.stage.bytes == 0 && field->file_name.data &&
           edda_text_equal(field->file_name, upload->file_name);
}

static void open_field(struct edda_visit *visit, const struct edda_http_field *field) {
    struct upload *upload = visit->work;
    if (is_open_file(upload, field)) {
        return;
    }
    upload->in_file = false;
    if (field->file_name.data || edda_text_is(field->name, "file")) {
        open_file(visit, field);
        return;
    }
    if (field->name.size > 0 && field->name.size < sizeof upload->name) {
        memcpy(upload->name, field->name.data, field->name.size);
        upload->name[field->name.size] = '\0';
        if (!is_text_field(upload->name) && !is_json_field(upload->name)) {
            upload->name[0] = '\0';
        }
    }
}

static void feed_file(struct edda_visit *visit, struct edda_text data) {
    struct upload *upload = visit->work;
    struct edda_stage *stage = &upload->saving.stage;
    (void)crypto_hash_sha256_update(&upload->hash, (const unsigned char *)data.data, data.size);
    if (edda_stage_feed(stage, data) != 0) {
        edda_saving_refuse(&upload->saving);
    } else if (edda_stage_full(stage)) {
        edda_exchange_hold(visit->exchange);
    }
}

void edda_upload_field(struct edda_visit *visit, const struct edda_http_field *field) {
    struct upload *upload = visit->work;
    if (field->offset == 0) {
        close_field(visit);
        if (!edda_exchange_answered(visit->exchange)) {
            open_field(visit, field);
        }
    }
    if (edda_exchange_answered(visit->exchange)) {
        return;
    }
    if (upload->in_file && field->data.size > 0) {
        feed_file(visit, field->data);
    } else if (upload->name[0] != '\0') {
        (void)edda_buffer_append(&upload->value, field->data.data, field->data.size);
    }
}

/* What the server adds to the metadata, and a title when none was given. */
static int complete_fields(struct edda_visit *visit) {
    struct upload *upload = visit->work;
    json_t *metadata = json_object_get(upload->fields, "metadata");
    struct edda_text title = edda_memo_title(upload->file_name, &visit->arena);
    struct edda_text name = upload->file_name;
    struct edda_text type =
        upload->mime_type.size > 0 ? upload->mime_type : EDDA_TEXT("text/plain");
    int failed = 0;
    if (!title.data) {
        return EDDA_E_MEMORY;
    }
    if (!json_object_get(upload->fields, "title")) {
        failed |= json_object_set_new(upload->fields, "title",
                                      json_stringn_nocheck(title.data, title.size));
    }
    if (!metadata) {
        failed |= json_object_set_new(upload->fields, "metadata", json_object());
        metadata = json_object_get(upload->fields, "metadata");
    }
    if (json_is_object(metadata)) {
        json_int_t size = (json_int_t)upload->saving.stage.bytes;
        failed |= json_object_set_new(metadata, "original_filename",
                                      json_stringn_nocheck(name.data, name.size));
        failed |=
            json_object_set_new(metadata, "mimetype", json_stringn_nocheck(type.data, type.size));
        failed |= json_object_set_new(metadata, "size", json_integer(size));
    }
    return failed ? EDDA_E_MEMORY : 0;
}

static void save(struct edda_visit *visit) {
    struct upload *upload = visit->work;
    struct edda_saving *saving = &upload->saving;
    struct edda_complaints complaints;
    edda_complaints_init(&complaints, ",", false);
    int error = complete_fields(visit);
    if (!error) {
        error = edda_memo_check_create(upload->fields, edda_clock_wall_ms(), &visit->arena,
                                       &saving->accept, NULL, &complaints);
    }
    (void)crypto_hash_sha256_final(&upload->hash, visit->fingerprint);
    if (error) {
        edda_visit_complain(visit, error, &complaints);
    } else if (edda_saving_key(saving)) {
        saving->accept.type = EDDA_TEXT("document");
        saving->accept.format = edda_text_of(upload->format);
        edda_saving_finish(saving);
    }
    edda_complaints_done(&complaints);
}

void edda_upload_end(struct edda_visit *visit) {
    struct upload *upload = visit->work;
    if (!edda_exchange_whole(visit->exchange)) {
        edda_visit_fail(visit, 400, "Malformed multipart body");
        return;
    }
    close_field(visit);
    if (edda_exchange_answered(visit->exchange)) {
        return;
    }
    if (!upload->has_file) {
        edda_visit_fail(visit, 400, "Multipart request not processed by middleware");
    } else if (upload->saving.stage.bytes == 0) {
        edda_visit_fail(visit, 400, "Content is required");
    } else {
        edda_exchange_deadline(visit->exchange, 0);
        save(visit);
    }
}
