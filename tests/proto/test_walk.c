/* tests/proto/test_walk.c: what the walk refuses, with msgpack-c as oracle, and the typed reader.
 */
#include "proto/limits.h"
#include "proto/read.h"
#include "tests/proto/cmocka.h"
#include "tests/proto/random.h"

#include <msgpack.h>

#define BYTES(...)                                                                                 \
    ((struct edda_bytes){(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})})

static int walk(struct edda_bytes bytes) {
    return edda_walk(bytes, EDDA_MAX_DEPTH, 512);
}

static void one_value_without_trailing_bytes_is_accepted(void **state) {
    (void)state;
    assert_int_equal(walk(BYTES(0x80)), 0);
    assert_int_equal(walk(BYTES(0x01)), 0);
    assert_int_equal(walk(BYTES(0xc0)), 0);
    assert_int_equal(walk(BYTES(0xa1, 'x')), 0);
    assert_int_equal(walk(BYTES(0x80, 0x80)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0x01, 0x02)), EDDA_E_MALFORMED);
    assert_int_equal(walk((struct edda_bytes){NULL, 0}), EDDA_E_MALFORMED);
}

/* Seen to fail without the sizes' bound (tests/fault/guards/34.patch): what is behind the bytes is
 * read when more is to come, so each is also the first of two. */
static void a_bomb_of_five_bytes_is_refused(void **state) {
    (void)state;
    assert_int_equal(walk(BYTES(0x92, 0xdb, 0xff, 0xff, 0xff, 0xff)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0x92, 0xc6, 0xff, 0xff, 0xff, 0xff)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0xdd, 0xff, 0xff, 0xff, 0xff)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0xdf, 0xff, 0xff, 0xff, 0xff)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0xdb, 0xff, 0xff, 0xff, 0xff)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0xc6, 0xff, 0xff, 0xff, 0xff)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0xdf, 0x80, 0x00, 0x00, 0x00, 0x01, 0x01)), EDDA_E_MALFORMED);
}

static void a_value_cut_anywhere_is_refused(void **state) {
    (void)state;
    static const uint8_t whole[] = {0x85, 0x01, 0xa2, 'a',  'b',  0x02, 0xc4, 0x01, 0x00,
                                    0x03, 0xcb, 1,    2,    3,    4,    5,    6,    7,
                                    8,    0x04, 0x92, 0xcd, 1,    2,    0xce, 1,    2,
                                    3,    4,    0xcc, 0x80, 0xda, 0x00, 0x01, 'x'};
    for (size_t size = 0; size < sizeof(whole); size++) {
        assert_int_equal(walk((struct edda_bytes){whole, size}), EDDA_E_MALFORMED);
    }
    assert_int_equal(walk((struct edda_bytes){whole, sizeof(whole)}), 0);
}

/* Seen to fail one level deeper (tests/fault/guards/34b.patch). */
static void depth_is_allowed_up_to_the_limit(void **state) {
    (void)state;
    uint8_t nested[64];
    memset(nested, 0x91, sizeof(nested));
    nested[EDDA_MAX_DEPTH - 1] = 0x90;
    assert_int_equal(walk((struct edda_bytes){nested, EDDA_MAX_DEPTH}), 0);
    nested[EDDA_MAX_DEPTH - 1] = 0x91;
    nested[EDDA_MAX_DEPTH] = 0x01;
    assert_int_equal(walk((struct edda_bytes){nested, EDDA_MAX_DEPTH + 1}), 0);
    nested[EDDA_MAX_DEPTH] = 0x90;
    assert_int_equal(walk((struct edda_bytes){nested, EDDA_MAX_DEPTH + 1}), EDDA_E_MALFORMED);
    assert_int_equal(edda_walk(BYTES(0x01), 0, 1), 0);
    assert_int_equal(edda_walk(BYTES(0x90), 0, 1), EDDA_E_MALFORMED);
}

static void objects_are_counted_up_to_the_limit(void **state) {
    (void)state;
    struct edda_bytes bytes = BYTES(0x82, 0x01, 0xc0, 0x02, 0x92, 0x01, 0x02);
    assert_int_equal(edda_walk(bytes, 8, 7), 0);
    assert_int_equal(edda_walk(bytes, 8, 6), EDDA_E_MALFORMED);
    assert_int_equal(edda_walk(bytes, 8, 0), EDDA_E_MALFORMED);
}

/* Seen to fail without the comparison with the least key (tests/fault/guards/34c.patch). */
static void keys_must_be_unsigned_and_ascend(void **state) {
    (void)state;
    assert_int_equal(walk(BYTES(0x82, 0x01, 0xc0, 0x02, 0xc0)), 0);
    assert_int_equal(walk(BYTES(0x82, 0x01, 0xc0, 0x01, 0xc0)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0x82, 0x02, 0xc0, 0x01, 0xc0)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0x82, 0x7f, 0xc0, 0xcc, 0x80, 0xc0)), 0);
    assert_int_equal(walk(BYTES(0x82, 0xcc, 0x05, 0xc0, 0x05, 0xc0)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0x81, 0xa1, 'k', 0xc0)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0x81, 0xff, 0xc0)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0x81, 0xd0, 0x01, 0xc0)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0x81, 0xcf, 255, 255, 255, 255, 255, 255, 255, 255, 0xc0)), 0);
    assert_int_equal(
        walk(BYTES(0x82, 0xcf, 255, 255, 255, 255, 255, 255, 255, 255, 0xc0, 0x00, 0xc0)),
        EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0x92, 0x81, 0x05, 0xc0, 0x81, 0x01, 0xc0)), 0);
}

static void ext_types_and_the_unused_byte_are_refused(void **state) {
    (void)state;
    assert_int_equal(walk(BYTES(0xd4, 0x01, 0x00)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0xc7, 0x01, 0x01, 0x00)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0xd6, 0xff, 0, 0, 0, 0)), EDDA_E_MALFORMED);
    assert_int_equal(walk(BYTES(0xc1)), EDDA_E_MALFORMED);
}

/* Whether what msgpack-c read is also within our rules. */
static bool is_within_rules(const msgpack_object *object, unsigned depth, size_t *objects) {
    if (*objects == 0) {
        return false;
    }
    --*objects;
    if (object->type == MSGPACK_OBJECT_EXT) {
        return false;
    }
    if (object->type == MSGPACK_OBJECT_ARRAY) {
        bool fine = depth > 0;
        for (uint32_t i = 0; fine && i < object->via.array.size; i++) {
            fine = is_within_rules(&object->via.array.ptr[i], depth - 1, objects);
        }
        return fine;
    }
    if (object->type == MSGPACK_OBJECT_MAP) {
        bool fine = depth > 0;
        for (uint32_t i = 0; fine && i < object->via.map.size; i++) {
            const msgpack_object_kv *pairs = object->via.map.ptr;
            fine = pairs[i].key.type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
                   (i == 0 || pairs[i].key.via.u64 > pairs[i - 1].key.via.u64) &&
                   is_within_rules(&pairs[i].key, depth - 1, objects) &&
                   is_within_rules(&pairs[i].val, depth - 1, objects);
        }
        return fine;
    }
    return true;
}

static bool oracle_accepts(const uint8_t *data, size_t size) {
    msgpack_unpacked result;
    size_t used = 0;
    size_t objects = 512;
    msgpack_unpacked_init(&result);
    bool accepted =
        msgpack_unpack_next(&result, (const char *)data, size, &used) == MSGPACK_UNPACK_SUCCESS &&
        used == size && is_within_rules(&result.data, EDDA_MAX_DEPTH, &objects);
    msgpack_unpacked_destroy(&result);
    return accepted;
}

/* msgpack-c would reserve memory for any count that is declared: none may be large. */
static void tame_counts(uint8_t *data, size_t size) {
    for (size_t i = 0; i < size; i++) {
        size_t high_bytes = data[i] == 0xdd || data[i] == 0xdf   ? 3
                            : data[i] == 0xdc || data[i] == 0xde ? 1
                                                                 : 0;
        for (size_t k = 1; k <= high_bytes && i + k < size; k++) {
            data[i + k] = 0;
        }
    }
}

static size_t make_nested(struct random *random, uint8_t *data, size_t room, unsigned depth) {
    static const uint8_t heads[] = {0xc0, 0xc2, 0xc3, 0xcc, 0xcd, 0xce, 0xcf, 0xca,
                                    0xcb, 0xd9, 0xc4, 0xdc, 0xde, 0xd0, 0xd3, 0xda};
    if (room < 12) {
        data[0] = (uint8_t)random_below(random, 0x80);
        return 1;
    }
    size_t choice = random_below(random, 4);
    if (choice == 0 || depth == 0) {
        data[0] = heads[random_below(random, sizeof(heads))];
        random_bytes(random, data + 1, 9);
        return 1 + random_below(random, 9);
    }
    size_t used = 1;
    size_t count = random_below(random, 4);
    data[0] = (uint8_t)((choice == 1 ? 0x90 : 0x80) | count);
    for (size_t i = 0; i < count && used + 12 < room; i++) {
        if (choice != 1) {
            data[used++] = (uint8_t)(i * 8 + random_below(random, 8));
        }
        used += make_nested(random, data + used, room - used, depth - 1);
    }
    return used;
}

static void the_walk_agrees_with_msgpack_c(void **state) {
    (void)state;
    struct random random = {2024};
    size_t accepted = 0;
    for (int round = 0; round < 300000; round++) {
        uint8_t data[128];
        size_t size;
        if (round % 2) {
            size = 1 + random_below(&random, 24);
            random_bytes(&random, data, size);
        } else {
            size = make_nested(&random, data, 100, 10);
        }
        bool has_signed = false;
        tame_counts(data, size);
        for (size_t i = 0; i < size; i++) {
            has_signed = has_signed || (data[i] >= 0xd0 && data[i] <= 0xd3);
        }
        bool ours = walk((struct edda_bytes){data, size}) == 0;
        bool theirs = oracle_accepts(data, size);
        /* A key in a signed encoding looks unsigned once msgpack-c has read it: we are stricter. */
        if (ours != theirs && !(theirs && has_signed)) {
            fail_msg("round %d: ours %d, msgpack-c %d", round, ours, theirs);
        }
        accepted += ours;
    }
    assert_in_range(accepted, 20000, 280000);
}

static void a_reader_gives_what_was_packed(void **state) {
    (void)state;
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    msgpack_pack_array(&packer, 12);
    msgpack_pack_uint64(&packer, UINT64_MAX);
    msgpack_pack_int64(&packer, INT64_MIN);
    msgpack_pack_int32(&packer, -5);
    msgpack_pack_int16(&packer, -300);
    msgpack_pack_uint8(&packer, 200);
    msgpack_pack_double(&packer, 0.1);
    msgpack_pack_float(&packer, 0.5f);
    msgpack_pack_true(&packer);
    msgpack_pack_str_with_body(&packer, "grün", 5);
    msgpack_pack_bin_with_body(&packer, "\0\xff", 2);
    msgpack_pack_nil(&packer);
    msgpack_pack_map(&packer, 1);
    msgpack_pack_uint8(&packer, 9);
    msgpack_pack_array(&packer, 2);
    msgpack_pack_nil(&packer);
    msgpack_pack_uint32(&packer, 70000);
    struct edda_bytes bytes = {(const uint8_t *)buffer.data, buffer.size};
    assert_int_equal(edda_walk(bytes, 8, 100), 0);
    struct edda_reader reader;
    edda_reader_init(&reader, bytes);
    assert_int_equal(edda_read_array(&reader), 12);
    assert_true(edda_reader_unsigned(&reader, UINT64_MAX) == UINT64_MAX);
    assert_true(edda_reader_signed(&reader) == INT64_MIN);
    assert_int_equal(edda_reader_signed(&reader), -5);
    assert_int_equal(edda_reader_signed(&reader), -300);
    assert_int_equal(edda_reader_signed(&reader), 200);
    assert_true(edda_reader_double(&reader) == 0.1);
    assert_true(edda_reader_double(&reader) == 0.5);
    assert_true(edda_reader_bool(&reader));
    assert_true(edda_text_is(edda_read_text(&reader, 5), "grün"));
    assert_int_equal(edda_read_bytes(&reader, 2).size, 2);
    assert_true(edda_reader_nil(&reader));
    assert_false(edda_reader_nil(&reader));
    edda_reader_skip(&reader);
    assert_int_equal(reader.error, 0);
    assert_ptr_equal(reader.at, reader.end);
    msgpack_sbuffer_destroy(&buffer);
}

static int read_unsigned(struct edda_bytes bytes, uint64_t maximum) {
    struct edda_reader reader;
    edda_reader_init(&reader, bytes);
    edda_reader_unsigned(&reader, maximum);
    return reader.error;
}

static int read_text(struct edda_bytes bytes, size_t maximum) {
    struct edda_reader reader;
    edda_reader_init(&reader, bytes);
    struct edda_text text = edda_read_text(&reader, maximum);
    assert_int_equal(text.data == NULL, reader.error != 0);
    return reader.error;
}

static void a_maximum_is_allowed_and_one_more_is_a_limit_error(void **state) {
    (void)state;
    assert_int_equal(read_unsigned(BYTES(0x05), 5), 0);
    assert_int_equal(read_unsigned(BYTES(0x05), 4), EDDA_E_LIMIT);
    assert_int_equal(read_unsigned(BYTES(0xcd, 0x01, 0x00), 256), 0);
    assert_int_equal(read_unsigned(BYTES(0xcd, 0x01, 0x00), 255), EDDA_E_LIMIT);
    assert_int_equal(read_text(BYTES(0xa2, 'a', 'b'), 2), 0);
    assert_int_equal(read_text(BYTES(0xa2, 'a', 'b'), 1), EDDA_E_LIMIT);
}

static void another_type_than_asked_for_is_malformed(void **state) {
    (void)state;
    assert_int_equal(read_unsigned(BYTES(0xff), 5), EDDA_E_MALFORMED);
    assert_int_equal(read_unsigned(BYTES(0xd0, 0xff), 5), EDDA_E_MALFORMED);
    assert_int_equal(read_unsigned(BYTES(0xa1, 'a'), 5), EDDA_E_MALFORMED);
    assert_int_equal(read_unsigned(BYTES(0xc0), 5), EDDA_E_MALFORMED);
    assert_int_equal(read_text(BYTES(0xc4, 0x01, 'a'), 5), EDDA_E_MALFORMED);
    assert_int_equal(read_text(BYTES(0x01), 5), EDDA_E_MALFORMED);
    assert_int_equal(read_text(BYTES(0xa2, 0xc3, 0x28), 5), EDDA_E_MALFORMED);
    assert_int_equal(read_text(BYTES(0xa1, 0xff), 5), EDDA_E_MALFORMED);
    assert_int_equal(read_text((struct edda_bytes){NULL, 0}, 5), EDDA_E_MALFORMED);
}

static void after_an_error_every_read_gives_zero(void **state) {
    (void)state;
    struct edda_reader reader;
    edda_reader_init(&reader, BYTES(0xc0, 0x05, 0xa1, 'x', 0xc3));
    assert_int_equal(edda_reader_unsigned(&reader, 9), 0);
    assert_int_equal(edda_reader_unsigned(&reader, 9), 0);
    assert_null(edda_read_text(&reader, 9).data);
    assert_null(edda_read_bytes(&reader, 9).data);
    assert_int_equal(edda_read_map(&reader), 0);
    assert_int_equal(edda_read_array(&reader), 0);
    assert_int_equal(edda_reader_signed(&reader), 0);
    assert_true(edda_reader_double(&reader) == 0);
    assert_false(edda_reader_bool(&reader));
    assert_false(edda_reader_nil(&reader));
    edda_reader_skip(&reader);
    assert_int_equal(reader.error, EDDA_E_MALFORMED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_value_without_trailing_bytes_is_accepted),
        cmocka_unit_test(a_bomb_of_five_bytes_is_refused),
        cmocka_unit_test(a_value_cut_anywhere_is_refused),
        cmocka_unit_test(depth_is_allowed_up_to_the_limit),
        cmocka_unit_test(objects_are_counted_up_to_the_limit),
        cmocka_unit_test(keys_must_be_unsigned_and_ascend),
        cmocka_unit_test(ext_types_and_the_unused_byte_are_refused),
        cmocka_unit_test(the_walk_agrees_with_msgpack_c),
        cmocka_unit_test(a_reader_gives_what_was_packed),
        cmocka_unit_test(a_maximum_is_allowed_and_one_more_is_a_limit_error),
        cmocka_unit_test(another_type_than_asked_for_is_malformed),
        cmocka_unit_test(after_an_error_every_read_gives_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
