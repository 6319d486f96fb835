/* tests/fuzz/fuzz_request_text.c: the first byte chooses a reader of request text: target,
 * parameter, date, Idempotency-Key, Authorization. */
#include "gateway/date.h"
#include "gateway/idempotency.h"
#include "gateway/keys.h"
#include "gateway/uri.h"
#include "proto/utf8.h"
#include "tests/fuzz/fuzz.h"

static void read_target(struct edda_text text, struct edda_arena *arena) {
    struct edda_text path;
    struct edda_text query;
    struct edda_text decoded;
    int64_t number;
    edda_uri_split(text, &path, &query);
    EDDA_ASSERT(path.size + query.size <= text.size);
    if (edda_uri_decode(path, false, arena, &decoded) == 0) {
        EDDA_ASSERT(decoded.size <= path.size && edda_utf8_valid(decoded.data, decoded.size));
        EDDA_ASSERT(decoded.size == 0 || !memchr(decoded.data, '\0', decoded.size));
    }
    if (edda_uri_parameter(query, "page", arena, &decoded) == 0) {
        EDDA_ASSERT(decoded.size <= query.size);
        (void)edda_uri_number(decoded, &number);
    }
    (void)edda_uri_clean(text);
}

static void read_date(struct edda_text text) {
    char written[EDDA_DATE_TEXT];
    int64_t wall_ms;
    int64_t again;
    if (edda_date_parse(text, &wall_ms) == 0) {
        EDDA_ASSERT(edda_date_parse(edda_date_format(wall_ms, written), &again) == 0);
        EDDA_ASSERT(again == wall_ms);
    }
}

static void read_headers(struct edda_text text) {
    char key[EDDA_MAX_KEY_HEADER + 1];
    struct edda_text credential;
    size_t size;
    if (edda_idempotency_parse(text, key, &size) == 0) {
        EDDA_ASSERT(size > 0 && size <= EDDA_MAX_KEY_HEADER && strlen(key) == size);
    }
    if (edda_keys_parse(text, &credential) == 0) {
        EDDA_ASSERT(credential.size > 0 &&
                    credential.data + credential.size == text.data + text.size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct edda_arena arena;
    if (size == 0) {
        return 0;
    }
    uint8_t *copy = fuzz_copy(data + 1, size - 1);
    struct edda_text text = {(const char *)copy, size - 1};
    edda_arena_init(&arena, (size_t)1 << 20);
    switch (data[0] % 3) {
    case 0:
        read_target(text, &arena);
        break;
    case 1:
        read_date(text);
        break;
    default:
        read_headers(text);
    }
    edda_arena_done(&arena);
    __builtin_free(copy);
    return 0;
}
