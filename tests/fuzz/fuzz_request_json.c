/* tests/fuzz/fuzz_request_json.c: a request's JSON body becomes a message to create, patch, search
 * or chat: what is accepted can be encoded and sent. */
#include "gateway/chat_fields.h"
#include "gateway/memo_fields.h"
#include "gateway/search_fields.h"
#include "gateway/write.h"
#include "proto/body.h"
#include "proto/body_stage.h"
#include "proto/filter.h"
#include "proto/limits.h"
#include "tests/fuzz/fuzz.h"

#define NOW 1700000000000

static void expect_encodes(uint16_t type, const void *record) {
    struct edda_buffer out;
    edda_buffer_init(&out, (size_t)16 << 20);
    EDDA_ASSERT(edda_body_encode(type, record, &out) == 0);
    edda_buffer_done(&out);
}

static void create(const json_t *json, struct edda_arena *arena) {
    struct edda_store_accept accept = {.memo = {{1}}};
    struct edda_text content;
    struct edda_complaints complaints;
    edda_complaints_init(&complaints, ",", false);
    int error = edda_memo_check_create(json, NOW, arena, &accept, &content, &complaints);
    EDDA_ASSERT((error == EDDA_E_INVALID) == (complaints.count > 0) || error == EDDA_E_MEMORY);
    if (!error) {
        EDDA_ASSERT(content.size > 0);
        expect_encodes(EDDA_BODY_STORE_ACCEPT, &accept);
    }
    edda_complaints_done(&complaints);
}

static void patch(const json_t *json, struct edda_arena *arena) {
    struct edda_store_patch record = {.id = EDDA_TEXT("x")};
    struct edda_text content;
    struct edda_complaints complaints;
    edda_complaints_init(&complaints, "; ", true);
    int error = edda_memo_check_patch(json, arena, &record, &content, &complaints);
    if (!error) {
        EDDA_ASSERT(!(record.set & EDDA_PATCH_CONTENT) == (content.size == 0));
        expect_encodes(EDDA_BODY_STORE_PATCH, &record);
    }
    edda_complaints_done(&complaints);
}

static void search(const json_t *json, struct edda_arena *arena) {
    struct edda_search_fields fields;
    const char *message = NULL;
    int error = edda_search_check(json, arena, &fields, &message);
    if (error == EDDA_E_INVALID) {
        EDDA_ASSERT(message && *message);
    } else if (!error) {
        EDDA_ASSERT(fields.limit >= 1 && fields.limit <= 50 && fields.query.size > 0);
        struct edda_store_search record = {
            .query = fields.query, .limit = fields.limit, .filters = fields.filters};
        expect_encodes(EDDA_BODY_STORE_SEARCH, &record);
    }
}

static void chat(const json_t *json, struct edda_arena *arena) {
    struct edda_chat_fields fields;
    const char *message = NULL;
    int error = edda_chat_check(json, arena, &fields, &message);
    if (error == EDDA_E_INVALID) {
        EDDA_ASSERT(message && *message);
    } else if (!error) {
        EDDA_ASSERT(fields.top_k >= 1 && fields.top_k <= fields.candidates);
        EDDA_ASSERT(fields.candidates <= EDDA_MAX_CANDIDATES);
        EDDA_ASSERT(fields.minimum_cosine >= 0 && fields.minimum_cosine <= 1);
        const struct edda_store_search record = {.query = fields.query,
                                                 .limit = fields.candidates,
                                                 .filters = fields.filters,
                                                 .minimum_cosine = fields.minimum_cosine};
        const struct edda_llm_answer answer = {.query = fields.query,
                                               .system_prompt = fields.system_prompt,
                                               .provider = fields.provider,
                                               .passages = fields.top_k};
        expect_encodes(EDDA_BODY_STORE_SEARCH, &record);
        expect_encodes(EDDA_BODY_LLM_ANSWER, &answer);
        for (size_t i = 0; i < fields.filters.count; i++) {
            EDDA_ASSERT(!edda_filter_check(&fields.filters.items[i]));
        }
    }
}

/* What is written is what was read. */
static void write_and_read(const json_t *json) {
    struct edda_buffer out;
    json_t *again = NULL;
    const char *message;
    edda_buffer_init(&out, (size_t)16 << 20);
    edda_write_value(&out, json);
    if (!out.error) {
        EDDA_ASSERT(edda_read_json(edda_buffer_bytes(&out), &again, &message) == 0);
    }
    json_decref(again);
    edda_buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct edda_arena arena;
    json_t *json = NULL;
    const char *message = NULL;
    uint8_t *copy = fuzz_copy(data, size);
    edda_arena_init(&arena, (size_t)16 << 20);
    if (edda_read_json((struct edda_bytes){copy, size}, &json, &message) == 0) {
        create(json, &arena);
        patch(json, &arena);
        search(json, &arena);
        chat(json, &arena);
        write_and_read(json);
    } else {
        EDDA_ASSERT(message && *message);
    }
    json_decref(json);
    edda_arena_done(&arena);
    __builtin_free(copy);
    return 0;
}
