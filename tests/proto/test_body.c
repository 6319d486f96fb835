/* tests/proto/test_body.c: one codec, every body: there and back, both sides of every limit. */
#include "proto/body_peer.h"
#include "proto/body_stage.h"
#include "proto/body_store.h"
#include "proto/limits.h"
#include "tests/proto/cmocka.h"
#include "tests/proto/records.h"

#include <stdlib.h>

#define ARENA_BYTES (64u * 1024u * 1024u)

static const uint16_t all_types[] = {
#define EDDA_BODY(name, number, version, record) number,
#include "proto/body.def"
#undef EDDA_BODY
};
#define TYPE_COUNT (sizeof(all_types) / sizeof(all_types[0]))

static int encode(uint16_t type, const void *record) {
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, 4u * 1024u * 1024u);
    int error = edda_body_encode(type, record, &buffer);
    assert_true(error == 0 || buffer.size == 0);
    edda_buffer_done(&buffer);
    return error;
}

static void every_type_has_a_schema_and_no_other_number_has(void **state) {
    (void)state;
    size_t found = 0;
    for (uint32_t type = 0; type <= UINT16_MAX; type++) {
        found += edda_body_schema((uint16_t)type) != NULL;
    }
    assert_int_equal(found, TYPE_COUNT);
#define EDDA_BODY(NAME, number, wire_version, record)                                              \
    {                                                                                              \
        const struct edda_schema *schema = edda_body_schema(number);                               \
        assert_string_equal(schema->name, #record);                                                \
        assert_int_equal(schema->type, number);                                                    \
        assert_int_equal(schema->version, wire_version);                                           \
        assert_int_equal(schema->size, sizeof(struct record));                                     \
        assert_true(schema->size <= sizeof(union any_record));                                     \
    }
#include "proto/body.def"
#undef EDDA_BODY
}

static void check_schema(const struct edda_schema *schema) {
    assert_true(schema->count <= 64); /* the encoder has a bit for each */
    size_t covered = 0;
    for (size_t i = 0; i < schema->count; i++) {
        const struct edda_field *field = &schema->fields[i];
        assert_true(i == 0 || field->key > schema->fields[i - 1].key);
        assert_true(field->key > 0 && field->key < 128);
        assert_true(field->offset < schema->size);
        assert_true(i == 0 || field->offset > schema->fields[i - 1].offset);
        covered = field->offset;
        bool sized = field->kind == EDDA_FIELD_TEXT || field->kind == EDDA_FIELD_BYTES ||
                     field->kind == EDDA_FIELD_FLOATS || field->kind == EDDA_FIELD_TEXTS ||
                     field->kind == EDDA_FIELD_LIST;
        assert_true(!sized || field->maximum > 0);
        assert_true(field->kind != EDDA_FIELD_TEXTS || field->item_maximum > 0);
        assert_int_equal(field->kind == EDDA_FIELD_LIST, field->record != NULL);
        if (field->record) {
            check_schema(field->record);
        }
    }
    /* The last field of a struct has a row too: nothing after it but its own bytes. */
    assert_true(schema->count == 0 || schema->size - covered <= sizeof(struct edda_texts));
}

static void every_schema_keeps_the_rules_of_the_table(void **state) {
    (void)state;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        check_schema(edda_body_schema(all_types[i]));
    }
}

static void every_body_comes_back_as_it_was(void **state) {
    (void)state;
    struct random random = {77};
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, EDDA_MAX_FRAME_BYTES);
    for (int round = 0; round < 400; round++) {
        for (size_t i = 0; i < TYPE_COUNT; i++) {
            const struct edda_schema *schema = edda_body_schema(all_types[i]);
            struct edda_arena arena;
            union any_record record, decoded;
            edda_arena_init(&arena, ARENA_BYTES);
            edda_buffer_reset(&buffer);
            record_fill_randomly(schema, &random, &arena, &record);
            memset(&decoded, 0xee, sizeof(decoded));
            assert_int_equal(edda_body_encode(all_types[i], &record, &buffer), 0);
            assert_int_equal(
                edda_body_decode(all_types[i], edda_buffer_bytes(&buffer), &arena, &decoded), 0);
            assert_true(record_equal(schema, &record, &decoded));
            edda_arena_done(&arena);
        }
    }
    edda_buffer_done(&buffer);
}

static void a_body_cut_anywhere_is_refused(void **state) {
    (void)state;
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, EDDA_MAX_FRAME_BYTES);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        struct edda_arena arena;
        union any_record record, decoded;
        edda_arena_init(&arena, ARENA_BYTES);
        edda_buffer_reset(&buffer);
        record_fill_fully(edda_body_schema(all_types[i]), &arena, &record);
        assert_int_equal(edda_body_encode(all_types[i], &record, &buffer), 0);
        for (size_t size = 1; size < buffer.size; size++) {
            struct edda_bytes cut = {buffer.data, size};
            assert_int_equal(edda_body_decode(all_types[i], cut, &arena, &decoded),
                             EDDA_E_MALFORMED);
        }
        edda_arena_done(&arena);
    }
    edda_buffer_done(&buffer);
}

static void an_unknown_type_is_a_type_error(void **state) {
    (void)state;
    struct edda_arena arena;
    union any_record record = {{0}};
    edda_arena_init(&arena, 1024);
    assert_int_equal(encode(0, &record), EDDA_E_TYPE);
    assert_int_equal(encode(99, &record), EDDA_E_TYPE);
    assert_int_equal(encode(65535, &record), EDDA_E_TYPE);
    assert_int_equal(edda_body_decode(7, (struct edda_bytes){NULL, 0}, &arena, &record),
                     EDDA_E_TYPE);
    edda_arena_done(&arena);
}

static void empty_bytes_are_the_zero_record_unless_a_field_is_required(void **state) {
    (void)state;
    struct edda_arena arena;
    struct edda_ping ping = {.stamp = 5};
    union any_record other;
    edda_arena_init(&arena, 1024);
    struct edda_bytes nothing = {NULL, 0};
    assert_int_equal(edda_body_decode(EDDA_BODY_PING, nothing, &arena, &ping), 0);
    assert_int_equal(ping.stamp, 0);
    assert_int_equal(edda_body_decode(EDDA_BODY_EMPTY, nothing, &arena, &other), 0);
    assert_int_equal(edda_body_decode(EDDA_BODY_HELLO, nothing, &arena, &other), EDDA_E_MALFORMED);
    edda_arena_done(&arena);
}

static void an_absent_required_field_is_refused_on_both_sides(void **state) {
    (void)state;
    static const uint8_t nil_node[] = {0x82, 0x01, 0xc4, 0x10, 0, 0, 0, 0, 0,    0,    0,  0,
                                       0,    0,    0,    0,    0, 0, 0, 0, 0x03, 0xa1, 'w'};
    struct edda_hello hello = {.role = EDDA_TEXT("worker")};
    struct edda_arena arena;
    edda_arena_init(&arena, 1024);
    assert_int_equal(encode(EDDA_BODY_HELLO, &hello), EDDA_E_INVALID);
    memset(hello.node.bytes, 1, 16);
    assert_int_equal(encode(EDDA_BODY_HELLO, &hello), 0);
    hello.role = (struct edda_text){NULL, 0};
    assert_int_equal(encode(EDDA_BODY_HELLO, &hello), EDDA_E_INVALID);
    assert_int_equal(edda_body_decode(EDDA_BODY_HELLO,
                                      (struct edda_bytes){nil_node, sizeof(nil_node)}, &arena,
                                      &hello),
                     EDDA_E_MALFORMED);
    edda_arena_done(&arena);
}

static void unknown_keys_are_ignored(void **state) {
    (void)state;
    static const uint8_t later[] = {0x85, 0x00, 0xc3, 0x01, 0x05, 0x02, 0x06, 0x63,
                                    0x92, 0xa1, 'x',  0xc0, 0xcd, 0x01, 0x00, 0x90};
    struct edda_ping ping;
    struct edda_arena arena;
    edda_arena_init(&arena, 1024);
    assert_int_equal(
        edda_body_decode(EDDA_BODY_PING, (struct edda_bytes){later, sizeof(later)}, &arena, &ping),
        0);
    assert_int_equal(ping.stamp, 5);
    assert_int_equal(ping.messages, 6);
    edda_arena_done(&arena);
}

static void a_body_of_131072_objects_is_read_and_of_one_more_is_not(void **state) {
    (void)state;
    static uint8_t bytes[6 + EDDA_MAX_BODY_OBJECTS + 1] = {0x81, 0x63, 0xdd}; /* key 99: an array */
    uint32_t zeros = EDDA_MAX_BODY_OBJECTS - 3; /* beside the map, the key and the array */
    struct edda_ping ping;
    struct edda_arena arena;
    edda_arena_init(&arena, 1024);
    for (uint32_t more = 0; more < 2; more++) {
        for (int i = 0; i < 4; i++) {
            bytes[3 + i] = (uint8_t)((zeros + more) >> (24 - 8 * i));
        }
        struct edda_bytes body = {bytes, 7 + zeros + more};
        assert_int_equal(edda_body_decode(EDDA_BODY_PING, body, &arena, &ping),
                         more ? EDDA_E_MALFORMED : 0);
    }
    edda_arena_done(&arena);
}

static void an_empty_text_is_not_an_absent_one(void **state) {
    (void)state;
    struct edda_store_patch patch = {.id = EDDA_TEXT("x"), .title = EDDA_TEXT("")};
    struct edda_store_patch decoded;
    struct edda_buffer buffer;
    struct edda_arena arena;
    edda_buffer_init(&buffer, 1024);
    edda_arena_init(&arena, 1024);
    assert_int_equal(edda_body_encode(EDDA_BODY_STORE_PATCH, &patch, &buffer), 0);
    assert_int_equal(
        edda_body_decode(EDDA_BODY_STORE_PATCH, edda_buffer_bytes(&buffer), &arena, &decoded), 0);
    assert_non_null(decoded.title.data);
    assert_int_equal(decoded.title.size, 0);
    assert_null(decoded.source.data);
    edda_arena_done(&arena);
    edda_buffer_done(&buffer);
}

static void floats_that_are_not_whole_are_malformed(void **state) {
    (void)state;
    static const uint8_t whole[] = {0x81, 0x04, 0xc4, 0x04, 0, 0, 0, 0};
    static const uint8_t broken[] = {0x81, 0x04, 0xc4, 0x03, 0, 0, 0};
    struct edda_embeddings embeddings;
    struct edda_arena arena;
    edda_arena_init(&arena, 1024);
    assert_int_equal(edda_body_decode(EDDA_BODY_EMBEDDINGS,
                                      (struct edda_bytes){whole, sizeof(whole)}, &arena,
                                      &embeddings),
                     0);
    assert_int_equal(edda_body_decode(EDDA_BODY_EMBEDDINGS,
                                      (struct edda_bytes){broken, sizeof(broken)}, &arena,
                                      &embeddings),
                     EDDA_E_MALFORMED);
    edda_arena_done(&arena);
}

/* Puts one member at `size` and encodes; other members are absent or what is required. */
static int encode_with(uint16_t type, const struct edda_field *field, size_t size, char *room) {
    const struct edda_schema *schema = edda_body_schema(type);
    union any_record record = {{0}};
    struct edda_arena arena;
    edda_arena_init(&arena, ARENA_BYTES);
    for (size_t i = 0; i < schema->count; i++) {
        uint8_t *member = record.bytes + schema->fields[i].offset;
        if (schema->fields[i].required && schema->fields[i].kind == EDDA_FIELD_UUID) {
            memset(member, 1, 16);
        } else if (schema->fields[i].required) {
            *(struct edda_text *)member = EDDA_TEXT("x");
        }
    }
    uint8_t *member = record.bytes + field->offset;
    struct edda_texts *items = (struct edda_texts *)member;
    switch ((enum edda_field_kind)field->kind) {
    case EDDA_FIELD_U32:
        *(uint32_t *)member = (uint32_t)size;
        break;
    case EDDA_FIELD_U64:
        *(uint64_t *)member = size;
        break;
    case EDDA_FIELD_TEXT:
    case EDDA_FIELD_BYTES:
    case EDDA_FIELD_FLOATS:
        *(struct edda_text *)member = (struct edda_text){room, size};
        break;
    case EDDA_FIELD_TEXTS:
        items->count = size;
        items->items = edda_arena_take(&arena, size * sizeof(struct edda_text));
        break;
    case EDDA_FIELD_LIST:
        items->count = size;
        items->items = edda_arena_take(&arena, size * field->record->size);
        for (size_t i = 0; i < size * field->record->count; i++) {
            const struct edda_field *inner = &field->record->fields[i % field->record->count];
            if (inner->required) {
                size_t at = i / field->record->count * field->record->size + inner->offset;
                *(struct edda_text *)((uint8_t *)items->items + at) = EDDA_TEXT("x");
            }
        }
        break;
    default:
        break;
    }
    int error = encode(type, &record);
    edda_arena_done(&arena);
    return error;
}

static void every_field_takes_its_maximum_and_not_one_more(void **state) {
    (void)state;
    char *room = calloc(1, EDDA_MAX_FRAME_BYTES + 8);
    size_t checked = 0;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        const struct edda_schema *schema = edda_body_schema(all_types[i]);
        for (size_t k = 0; k < schema->count; k++) {
            const struct edda_field *field = &schema->fields[k];
            size_t one = field->kind == EDDA_FIELD_FLOATS ? 4 : 1;
            if (field->maximum == 0) {
                continue;
            }
            assert_int_equal(encode_with(all_types[i], field, field->maximum + one, room),
                             EDDA_E_LIMIT);
            /* What may be as large as a frame leaves no room for its own key. */
            if (field->maximum < EDDA_MAX_FRAME_BYTES) {
                assert_int_equal(encode_with(all_types[i], field, field->maximum, room), 0);
            }
            checked++;
        }
    }
    assert_true(checked > 60);
    free(room);
}

static void a_decoded_field_over_its_maximum_is_a_limit_error(void **state) {
    (void)state;
    struct edda_store_page page;
    struct edda_arena arena;
    edda_arena_init(&arena, 1024);
    static const uint8_t hundred[] = {0x81, 0x02, 100};
    static const uint8_t more[] = {0x81, 0x02, 101};
    static const uint8_t huge[] = {0x81, 0x01, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0};
    assert_int_equal(edda_body_decode(EDDA_BODY_STORE_PAGE,
                                      (struct edda_bytes){hundred, sizeof(hundred)}, &arena, &page),
                     0);
    assert_int_equal(page.page_size, 100);
    assert_int_equal(edda_body_decode(EDDA_BODY_STORE_PAGE, (struct edda_bytes){more, sizeof(more)},
                                      &arena, &page),
                     EDDA_E_LIMIT);
    assert_int_equal(edda_body_decode(EDDA_BODY_STORE_PAGE, (struct edda_bytes){huge, sizeof(huge)},
                                      &arena, &page),
                     EDDA_E_LIMIT);
    edda_arena_done(&arena);
}

static void a_list_that_the_arena_cannot_hold_is_a_memory_error(void **state) {
    (void)state;
    static const uint8_t two_hits[] = {0x81, 0x01, 0x92, 0x80, 0x80};
    struct edda_hits hits;
    struct edda_arena arena;
    edda_arena_init(&arena, 2 * sizeof(struct edda_hit));
    struct edda_bytes bytes = {two_hits, sizeof(two_hits)};
    assert_int_equal(edda_body_decode(EDDA_BODY_HITS, bytes, &arena, &hits), 0);
    assert_int_equal(hits.hits.count, 2);
    edda_arena_done(&arena);
    edda_arena_init(&arena, 2 * sizeof(struct edda_hit) - 1);
    assert_int_equal(edda_body_decode(EDDA_BODY_HITS, bytes, &arena, &hits), EDDA_E_MEMORY);
    edda_arena_done(&arena);
}

static void a_body_larger_than_a_frame_is_refused_on_both_sides(void **state) {
    (void)state;
    uint8_t *bytes = calloc(1, EDDA_MAX_FRAME_BYTES + 1);
    struct edda_text part = {(const char *)bytes, EDDA_PART_BYTES};
    enum { FULL = EDDA_MAX_FRAME_BYTES / EDDA_PART_BYTES };
    struct edda_text parts[FULL];
    struct edda_store_put_part put = {.parts = {parts, FULL - 1}};
    memset(put.memo.bytes, 1, 16);
    for (size_t i = 0; i < FULL; i++) {
        parts[i] = part;
    }
    assert_int_equal(encode(EDDA_BODY_STORE_PUT_PART, &put), 0);
    put.parts.count = FULL;
    assert_int_equal(encode(EDDA_BODY_STORE_PUT_PART, &put), EDDA_E_LIMIT);
    struct edda_arena arena;
    edda_arena_init(&arena, 1024);
    assert_int_equal(edda_body_decode(EDDA_BODY_STORE_PUT_PART,
                                      (struct edda_bytes){bytes, EDDA_MAX_FRAME_BYTES + 1}, &arena,
                                      &put),
                     EDDA_E_LIMIT);
    edda_arena_done(&arena);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_a_schema_and_no_other_number_has),
        cmocka_unit_test(every_schema_keeps_the_rules_of_the_table),
        cmocka_unit_test(every_body_comes_back_as_it_was),
        cmocka_unit_test(a_body_cut_anywhere_is_refused),
        cmocka_unit_test(an_unknown_type_is_a_type_error),
        cmocka_unit_test(empty_bytes_are_the_zero_record_unless_a_field_is_required),
        cmocka_unit_test(an_absent_required_field_is_refused_on_both_sides),
        cmocka_unit_test(unknown_keys_are_ignored),
        cmocka_unit_test(a_body_of_131072_objects_is_read_and_of_one_more_is_not),
        cmocka_unit_test(an_empty_text_is_not_an_absent_one),
        cmocka_unit_test(floats_that_are_not_whole_are_malformed),
        cmocka_unit_test(every_field_takes_its_maximum_and_not_one_more),
        cmocka_unit_test(a_decoded_field_over_its_maximum_is_a_limit_error),
        cmocka_unit_test(a_list_that_the_arena_cannot_hold_is_a_memory_error),
        cmocka_unit_test(a_body_larger_than_a_frame_is_refused_on_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
