/* gateway/chat_fields.c: in the order in which the contract's server looks. */
#include "gateway/chat_fields.h"

#include <math.h>

#include "gateway/search_fields.h"
#include "gateway/write.h"
#include "proto/limits.h"
#include "proto/uuid.h"

#define DEFAULT_CANDIDATES 50
#define DEFAULT_TOP_K      25
#define MAX_TOP_K          100
#define MAX_SHOWN          200 /* bytes of a wrong value in a message */

static int refuse(const char **ret_message, const char *message) {
    *ret_message = message;
    return EDDA_E_INVALID;
}

/* What JavaScript takes for false, an absent value among it. */
static bool is_false(const json_t *value) {
    return !value || json_is_null(value) || json_is_false(value) ||
           (json_is_number(value) && json_number_value(value) == 0) ||
           (json_is_string(value) && json_string_length(value) == 0);
}

static const json_t *present(const json_t *value) {
    return json_is_null(value) ? NULL : value;
}

/* The value under either name, null being none. */
static const json_t *pick(const json_t *object, const char *name, const char *other) {
    const json_t *value = present(json_object_get(object, name));
    return value ? value : present(json_object_get(object, other));
}

static const json_t *find(const json_t *config, const char *group, const char *other_group,
                          const char *name, const char *other_name) {
    const json_t *value = pick(json_object_get(config, group), name, other_name);
    return value ? value : pick(json_object_get(config, other_group), name, other_name);
}

/* At most size bytes, not cut within a character. */
static struct edda_text cut(struct edda_text text, size_t size) {
    if (text.size <= size) {
        return text;
    }
    while (size > 0 && ((unsigned char)text.data[size] & 0xc0) == 0x80) {
        size--;
    }
    return (struct edda_text){text.data, size};
}

/* A value as JavaScript puts it into a text. */
static void show(struct edda_buffer *out, const json_t *value) {
    struct edda_text text = edda_read_string(value);
    if (text.data) {
        edda_write_raw(out, cut(text, MAX_SHOWN));
    } else if (json_is_number(value)) {
        edda_write_double(out, json_number_value(value));
    } else if (json_is_object(value)) {
        EDDA_WRITE(out, "[object Object]");
    } else {
        edda_write_value(out, value);
    }
}

/* "<before><value><after>", in the arena. */
static int refuse_value(struct edda_arena *arena, const char *before, const json_t *value,
                        const char *after, const char **ret_message) {
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, 1024);
    (void)edda_buffer_append_text(&buffer, before);
    show(&buffer, value);
    if (buffer.error) { /* a long list */
        edda_buffer_reset(&buffer);
        (void)edda_buffer_append_text(&buffer, before);
        EDDA_WRITE(&buffer, "...");
    }
    (void)edda_buffer_append_text(&buffer, after);
    struct edda_text text =
        edda_arena_text(arena, (struct edda_text){(const char *)buffer.data, buffer.size});
    edda_buffer_done(&buffer);
    return text.data ? refuse(ret_message, text.data) : EDDA_E_MEMORY;
}

static int read_switch(const json_t *value, const char *complaint, struct edda_arena *arena,
                       bool *ret_switch, const char **ret_message) {
    if (value && !json_is_boolean(value)) {
        return refuse_value(arena, complaint, value, ". Must be a boolean.", ret_message);
    }
    if (value) {
        *ret_switch = json_is_true(value);
    }
    return 0;
}

struct range {
    double from;
    double to;
    const char *before;
    const char *after;
};

static int read_number(const json_t *value, const struct range *range, struct edda_arena *arena,
                       double *ret_number, const char **ret_message) {
    double number = json_number_value(value);
    if (value && (!json_is_number(value) || !(number >= range->from && number <= range->to))) {
        return refuse_value(arena, range->before, value, range->after, ret_message);
    }
    if (value) {
        *ret_number = number;
    }
    return 0;
}

static int check_switches(const json_t *config, struct edda_arena *arena,
                          struct edda_chat_fields *fields, const char **ret_message) {
    int error =
        read_switch(find(config, "query_rewrite", "queryRewrite", "enabled", "enabled"),
                    "Invalid query rewrite enabled: ", arena, &fields->rewrite, ret_message);
    if (!error) {
        error = read_switch(find(config, "reranking", "reranking", "enabled", "enabled"),
                            "Invalid reranking enabled: ", arena, &fields->rerank, ret_message);
    }
    if (!error) {
        error =
            read_switch(find(config, "references", "references", "enabled", "enabled"),
                        "Invalid references enabled: ", arena, &fields->references, ret_message);
    }
    return error;
}

static int refuse_order(struct edda_arena *arena, double top_k, double candidates,
                        const char **ret_message) {
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, 256);
    EDDA_WRITE(&buffer, "Reranking topK (");
    edda_write_double(&buffer, top_k);
    EDDA_WRITE(&buffer, ") must be less than or equal to vector search topK (");
    edda_write_double(&buffer, candidates);
    EDDA_WRITE(&buffer, ").");
    struct edda_text text =
        edda_arena_text(arena, (struct edda_text){(const char *)buffer.data, buffer.size});
    edda_buffer_done(&buffer);
    return text.data ? refuse(ret_message, text.data) : EDDA_E_MEMORY;
}

static int check_numbers(const json_t *config, struct edda_arena *arena,
                         struct edda_chat_fields *fields, const char **ret_message) {
    static const struct range of_candidates = {
        1, EDDA_MAX_CANDIDATES,
        "Invalid vector search topK: ", ". Must be a number between 1 and 200."};
    static const struct range of_threshold = {
        0, 1, "Invalid similarity threshold: ", ". Must be a number between 0 and 1."};
    static const struct range of_top_k = {
        1, MAX_TOP_K, "Invalid reranking topK: ", ". Must be a number between 1 and 100."};
    double candidates = DEFAULT_CANDIDATES;
    double threshold = 1; /* the largest distance: none */
    double top_k = DEFAULT_TOP_K;
    int error = read_number(find(config, "vector_search", "vectorSearch", "top_k", "topK"),
                            &of_candidates, arena, &candidates, ret_message);
    if (!error) {
        error = read_number(find(config, "vector_search", "vectorSearch", "similarity_threshold",
                                 "similarityThreshold"),
                            &of_threshold, arena, &threshold, ret_message);
    }
    if (!error) {
        error = read_number(find(config, "reranking", "reranking", "top_k", "topK"), &of_top_k,
                            arena, &top_k, ret_message);
    }
    if (!error && top_k > candidates) {
        error = refuse_order(arena, top_k, candidates, ret_message);
    }
    fields->candidates = (uint32_t)lround(candidates);
    fields->top_k = (uint32_t)lround(top_k);
    fields->minimum_cosine = 1 - threshold;
    return error;
}

/* Names no provider has are the llm's to refuse: it knows which are there. */
static int check_provider(const json_t *config, struct edda_arena *arena,
                          struct edda_chat_fields *fields) {
    const json_t *value = json_object_get(config, "llm_provider");
    struct edda_buffer buffer;
    if (is_false(value)) {
        value = json_object_get(config, "llmProvider");
    }
    if (is_false(value)) {
        return 0;
    }
    edda_buffer_init(&buffer, (size_t)1024 * 1024);
    show(&buffer, value);
    struct edda_text shown = {buffer.error ? "..." : (const char *)buffer.data,
                              buffer.error ? 3 : buffer.size};
    fields->provider = edda_arena_text(arena, cut(shown, EDDA_MAX_NAME));
    edda_buffer_done(&buffer);
    return fields->provider.data ? 0 : EDDA_E_MEMORY;
}

static int check_prompt(const json_t *body, struct edda_chat_fields *fields,
                        const char **ret_message) {
    const json_t *value = json_object_get(body, "system_prompt");
    if (is_false(value)) {
        return 0;
    }
    if (!json_is_string(value)) {
        return refuse(ret_message, "System prompt must be a string");
    }
    fields->system_prompt = edda_read_string(value);
    if (fields->system_prompt.size > EDDA_MAX_PROMPT_BYTES) {
        return refuse(ret_message, "System prompt must be 32768 bytes or less");
    }
    return 0;
}

static void check_chat(const json_t *body, struct edda_chat_fields *fields) {
    const json_t *value = json_object_get(body, "chat_id");
    if (is_false(value)) {
        return;
    }
    fields->continues = true;
    if (edda_uuid_parse(edda_read_string(value), &fields->chat) != 0) {
        fields->chat = (struct edda_uuid){{0}};
    }
}

/* A comparison with null is never true, and then neither are all conditions together: a list that
 * is empty says the same in the store's words. */
static int match_nothing(struct edda_arena *arena, struct edda_store_filters *filters) {
    struct edda_store_filter *never = edda_arena_take(arena, sizeof *never);
    if (!never) {
        return EDDA_E_MEMORY;
    }
    *never = (struct edda_store_filter){
        .field = EDDA_TEXT("title"),
        .operator_name = EDDA_TEXT("in"),
        .filter_type = EDDA_TEXT("native_field"),
    };
    *filters = (struct edda_store_filters){never, 1};
    return 0;
}

int edda_chat_check(const json_t *body, struct edda_arena *arena,
                    struct edda_chat_fields *ret_fields, const char **ret_message) {
    const json_t *config = json_object_get(body, "rag_config");
    bool nothing = false;
    *ret_fields = (struct edda_chat_fields){.rerank = true};
    int error = edda_search_check_query(body, arena, &ret_fields->query, ret_message);
    if (!error) {
        error = edda_search_check_filters(body, arena, &ret_fields->filters, &nothing, ret_message);
    }
    if (!error && nothing) {
        error = match_nothing(arena, &ret_fields->filters);
    }
    if (!error) {
        error = check_provider(config, arena, ret_fields);
    }
    if (!error) {
        error = check_switches(config, arena, ret_fields, ret_message);
    }
    if (!error) {
        error = check_numbers(config, arena, ret_fields, ret_message);
    }
    if (!error) {
        error = check_prompt(body, ret_fields, ret_message);
    }
    ret_fields->stream = !is_false(json_object_get(body, "stream"));
    check_chat(body, ret_fields);
    return error;
}
