/* tests/proto/test_golden.c: bytes we promise to read for ever, and to write as they are.
 *
 * tests/golden/README.md says what the files are and how a new one is made. */
#include "proto/message.h"
#include "tests/proto/cmocka.h"
#include "tests/proto/records.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES 65536
#define MORE       ".more.bin" /* with fields that have been left out since */

static bool may_write(void) {
    return getenv("EDDA_GOLDEN_WRITE") != NULL;
}

static size_t read_golden(const char *name, uint8_t *bytes) {
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", EDDA_GOLDEN, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        return 0;
    }
    size_t size = fread(bytes, 1, FILE_BYTES, file);
    fclose(file);
    return size;
}

/* Compares with the file; writes it first when there is none and writing is asked for. */
static void assert_golden(const char *name, const struct edda_buffer *buffer) {
    static uint8_t bytes[FILE_BYTES];
    size_t size = read_golden(name, bytes);
    if (size == 0 && may_write()) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", EDDA_GOLDEN, name);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(buffer->data, 1, buffer->size, file), buffer->size);
        assert_int_equal(fclose(file), 0);
        size = read_golden(name, bytes);
    }
    if (size != buffer->size || memcmp(bytes, buffer->data, size) != 0) {
        fail_msg("%s: %zu bytes in the file, %zu encoded now, or not the same", name, size,
                 buffer->size);
    }
}

static void append_little(struct edda_buffer *buffer, uint32_t value, size_t size) {
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i) & 0xff);
        assert_int_equal(edda_buffer_append(buffer, &byte, 1), 0);
    }
}

static const uint8_t body_bytes[] = {0x81, 0x01, 0xa5, 'e', 'm', 'b', 'e', 'd'};

static void add_body(struct edda_message *message, uint16_t type, size_t size) {
    size_t index = message->envelope.body_count++;
    message->envelope.bodies[index] =
        (struct edda_body_descriptor){type, type ? 1 : 0, (uint32_t)size};
    message->bodies[index] = (struct edda_bytes){body_bytes, size};
}

/* What every message about a request has, with all that is stamped on its way. */
static void fill_request(struct edda_message *message) {
    struct edda_envelope *envelope = &message->envelope;
    for (uint8_t i = 0; i < 16; i++) {
        envelope->id.bytes[i] = i;
        envelope->reply_to.bytes[i] = (uint8_t)(16 + i);
        envelope->avoid.bytes[i] = (uint8_t)(32 + i);
    }
    envelope->attempt = 1;
    envelope->step = 1;
    envelope->op = EDDA_TEXT("store.search");
    envelope->ttl_ms = 4750;
    envelope->traceparent = EDDA_TEXT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    envelope->tracestate = EDDA_TEXT("edda=1");
    envelope->project = EDDA_TEXT("default");
    envelope->priority = 5;
    envelope->idempotency = (struct edda_bytes){body_bytes, 4};
    envelope->retries = 2;
    envelope->flags = EDDA_FLAG_STREAMING | 8u /* nobody uses that one */;
    envelope->fence = UINT64_C(0x1122334455667788);
}

static void fill_route(struct edda_envelope *envelope) {
    envelope->route_count = 3;
    envelope->route[0] = (struct edda_route_step){EDDA_TEXT("embed"), 0, EDDA_ON_ERROR_FAIL, 0};
    envelope->route[1] =
        (struct edda_route_step){EDDA_TEXT("store.search"), 5000, EDDA_ON_ERROR_FAIL, 1};
    envelope->route[2] =
        (struct edda_route_step){EDDA_TEXT("rerank"), 70000, EDDA_ON_ERROR_SKIP, EDDA_NO_ARGUMENTS};
}

static struct edda_message make_message(uint8_t command) {
    static const uint16_t session_types[] = {
        [EDDA_HELLO] = EDDA_BODY_HELLO,   [EDDA_WELCOME] = EDDA_BODY_WELCOME,
        [EDDA_CREDIT] = EDDA_BODY_CREDIT, [EDDA_PING] = EDDA_BODY_PING,
        [EDDA_PONG] = EDDA_BODY_PING,     [EDDA_RESET] = EDDA_BODY_RESET,
    };
    struct edda_message message = {.command = command};
    if (session_types[command]) {
        add_body(&message, session_types[command], sizeof(body_bytes));
    } else if (command != EDDA_DRAIN && command != EDDA_BYE) {
        fill_request(&message);
    }
    switch (command) {
    case EDDA_REQ:
        fill_route(&message.envelope);
        add_body(&message, EDDA_BODY_EMBED_ARGUMENTS, 8);
        add_body(&message, EDDA_BODY_STORE_SEARCH, 8);
        break;
    case EDDA_WORK:
        add_body(&message, EDDA_BODY_STORE_SEARCH, 8);
        add_body(&message, EDDA_BODY_NONE, 0);
        break;
    case EDDA_RESP:
        message.envelope.degraded_count = 1;
        message.envelope.degraded[0] = EDDA_TEXT("rerank");
        add_body(&message, EDDA_BODY_HITS, 8);
        break;
    case EDDA_PART:
        message.envelope.sequence = 70000;
        add_body(&message, EDDA_BODY_HITS, 8);
        break;
    case EDDA_DONE:
        add_body(&message, EDDA_BODY_HITS, 8);
        break;
    case EDDA_FAIL:
        message.envelope.error = (struct edda_wire_error){EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE,
                                                          2000, EDDA_TEXT("the provider is down")};
        break;
    default:
        break;
    }
    return message;
}

/* The file of a message: per frame its size in four little-endian bytes, then its bytes. */
static void append_message(struct edda_buffer *out, const struct edda_message *message) {
    uint8_t frame[EDDA_FRAME_BYTES];
    struct edda_buffer envelope;
    edda_buffer_init(&envelope, EDDA_MAX_ENVELOPE_BYTES);
    assert_int_equal(edda_message_encode(message, frame, &envelope), 0);
    append_little(out, sizeof(frame), 4);
    edda_buffer_append(out, frame, sizeof(frame));
    append_little(out, (uint32_t)envelope.size, 4);
    edda_buffer_append(out, envelope.data, envelope.size);
    for (size_t i = 0; i < message->envelope.body_count; i++) {
        append_little(out, (uint32_t)message->bodies[i].size, 4);
        edda_buffer_append(out, message->bodies[i].data, message->bodies[i].size);
    }
    edda_buffer_done(&envelope);
}

static size_t split_frames(struct edda_bytes file, struct edda_bytes *frames, size_t maximum) {
    size_t count = 0;
    for (size_t at = 0; at < file.size;) {
        uint32_t size;
        assert_true(count < maximum && file.size - at >= 4);
        memcpy(&size, file.data + at, 4);
        at += 4;
        assert_true(size <= file.size - at);
        frames[count++] = (struct edda_bytes){file.data + at, size};
        at += size;
    }
    return count;
}

static void messages_are_written_as_they_always_were(void **state) {
    (void)state;
    for (uint8_t command = EDDA_HELLO; command <= EDDA_RESET; command++) {
        struct edda_message message = make_message(command);
        struct edda_buffer buffer;
        char name[64];
        edda_buffer_init(&buffer, FILE_BYTES);
        append_message(&buffer, &message);
        snprintf(name, sizeof(name), "message_%s.bin", edda_command_name(command));
        assert_golden(name, &buffer);
        edda_buffer_done(&buffer);
    }
}

static void bodies_are_written_as_they_always_were(void **state) {
    (void)state;
    for (uint16_t type = 1; type < 1000; type++) {
        const struct edda_schema *schema = edda_body_schema(type);
        if (!schema) {
            continue;
        }
        struct edda_buffer buffer;
        struct edda_arena arena;
        union any_record record;
        char name[96];
        edda_buffer_init(&buffer, FILE_BYTES);
        edda_arena_init(&arena, 1u << 20);
        record_fill_fully(schema, &arena, &record);
        append_little(&buffer, type, 2);
        assert_int_equal(edda_body_encode(type, &record, &buffer), 0);
        snprintf(name, sizeof(name), "body_%s.bin", schema->name);
        assert_golden(name, &buffer);
        edda_arena_done(&arena);
        edda_buffer_done(&buffer);
    }
}

static void read_message_file(const char *name, struct edda_bytes file) {
    struct edda_bytes frames[EDDA_MAX_FRAMES];
    struct edda_message message;
    struct edda_buffer again;
    size_t count = split_frames(file, frames, EDDA_MAX_FRAMES);
    if (edda_message_decode(frames, count, &message) != 0) {
        fail_msg("%s is not read any more", name);
    }
    edda_buffer_init(&again, FILE_BYTES);
    append_message(&again, &message);
    assert_int_equal(again.size, file.size);
    assert_memory_equal(again.data, file.data, file.size);
    edda_buffer_done(&again);
}

static void read_body_file(const char *name, struct edda_bytes file) {
    struct edda_buffer again;
    struct edda_arena arena;
    union any_record record;
    edda_arena_init(&arena, 1u << 20);
    edda_buffer_init(&again, FILE_BYTES);
    assert_true(file.size > 2);
    uint16_t type = (uint16_t)(file.data[0] | file.data[1] << 8);
    struct edda_bytes body = {file.data + 2, file.size - 2};
    if (edda_body_decode(type, body, &arena, &record) != 0) {
        fail_msg("%s is not read any more", name);
    }
    append_little(&again, type, 2);
    assert_int_equal(edda_body_encode(type, &record, &again), 0);
    const char *more = strstr(name, MORE);
    if (more) {
        char plain[512];
        snprintf(plain, sizeof(plain), "%.*s.bin", (int)(more - name), name);
        assert_golden(plain, &again);
    } else {
        assert_int_equal(again.size, file.size);
        assert_memory_equal(again.data, file.data, file.size);
    }
    edda_buffer_done(&again);
    edda_arena_done(&arena);
}

static void every_file_is_read_and_loses_nothing(void **state) {
    (void)state;
    static uint8_t bytes[FILE_BYTES];
    size_t files = 0;
    DIR *folder = opendir(EDDA_GOLDEN);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        struct edda_bytes file = {bytes, 0};
        if (strncmp(entry->d_name, "message_", 8) == 0) {
            file.size = read_golden(entry->d_name, bytes);
            read_message_file(entry->d_name, file);
            files++;
        } else if (strncmp(entry->d_name, "body_", 5) == 0) {
            file.size = read_golden(entry->d_name, bytes);
            read_body_file(entry->d_name, file);
            files++;
        }
    }
    closedir(folder);
    assert_true(files >= 50);
}

/* By hand, so that the files are not only what our own encoder says. */
static void a_request_is_these_bytes(void **state) {
    (void)state;
    static uint8_t bytes[FILE_BYTES];
    struct edda_bytes frames[EDDA_MAX_FRAMES];
    size_t size = read_golden("message_REQ.bin", bytes);
    assert_int_equal(split_frames((struct edda_bytes){bytes, size}, frames, EDDA_MAX_FRAMES), 4);
    assert_memory_equal(frames[0].data, "ED\x01\x04\0\0\0\0", 8);
    /* A map of 17 pairs; 1: bin 16 bytes 00 01 02 ...; 2: 1; 3: 1; 4: "store.search"; 5: 4750. */
    assert_memory_equal(frames[1].data, "\xde\x00\x11\x01\xc4\x10\x00\x01\x02", 9);
    assert_memory_equal(frames[1].data + 22, "\x02\x01\x03\x01\x04\xacstore.search\x05\xcd\x12\x8e",
                        22);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_written_as_they_always_were),
        cmocka_unit_test(bodies_are_written_as_they_always_were),
        cmocka_unit_test(every_file_is_read_and_loses_nothing),
        cmocka_unit_test(a_request_is_these_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
