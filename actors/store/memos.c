/* actors/store/memos.c: status, pages and limits of memos. */
#include "actors/store/memos.h"

#include "actors/text/text.h"
#include "proto/uuid.h"

const char *edda_memo_status(enum edda_version_state latest) {
    switch (latest) {
    case EDDA_VERSION_READY:
        return "processed";
    case EDDA_VERSION_DEAD:
        return "error";
    default:
        return "processing";
    }
}

bool edda_memo_page_take(struct edda_memo_page *page, size_t size) {
    if (page->items > 0 &&
        (page->bytes + size > EDDA_MEMO_PAGE_BYTES || page->items >= EDDA_MEMO_PAGE_CHUNKS)) {
        return false;
    }
    page->bytes += size;
    page->items++;
    return true;
}

int edda_list_offset(const struct edda_store_page *page, uint64_t *ret_offset) {
    if (page->page == 0 || page->page_size == 0 || page->page_size > 100) {
        return EDDA_E_INVALID;
    }
    *ret_offset = (uint64_t)(page->page - 1) * page->page_size;
    return 0;
}

int edda_memo_check_parts(const struct edda_texts *parts, uint32_t staged_parts,
                          uint64_t content_bytes, const char **ret_text) {
    if (content_bytes > EDDA_MAX_CONTENT_BYTES) {
        *ret_text = "content is over its limit";
        return EDDA_E_LIMIT;
    }
    if (staged_parts > 0 && parts->count > 0) {
        *ret_text = "parts are either staged or given";
        return EDDA_E_INVALID;
    }
    if (staged_parts > EDDA_MAX_PARTS || parts->count > EDDA_MAX_PARTS) {
        *ret_text = "too many parts";
        return EDDA_E_LIMIT;
    }
    if (staged_parts > 0) {
        return 0; /* their bytes are counted where they are */
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < parts->count; i++) {
        if (parts->items[i].size > EDDA_PART_BYTES) {
            *ret_text = "a part is over its limit";
            return EDDA_E_LIMIT;
        }
        if (!edda_text_valid(parts->items[i])) {
            *ret_text = "content is not valid UTF-8";
            return EDDA_E_INVALID;
        }
        sum += parts->items[i].size;
    }
    if (sum != content_bytes) {
        *ret_text = "content_bytes is not the sum of the parts";
        return EDDA_E_INVALID;
    }
    return 0;
}

static int check_tags(const struct edda_texts *tags, const char **ret_text) {
    if (tags->count > EDDA_MAX_TAGS) {
        *ret_text = "too many tags";
        return EDDA_E_LIMIT;
    }
    for (size_t i = 0; i < tags->count; i++) {
        if (!edda_text_valid(tags->items[i])) {
            *ret_text = "a tag is not valid UTF-8";
            return EDDA_E_INVALID;
        }
    }
    return 0;
}

static int check_fields(const struct edda_text *fields, size_t count, const char **ret_text) {
    for (size_t i = 0; i < count; i++) {
        if (!edda_text_valid(fields[i])) {
            *ret_text = "a field is not valid UTF-8";
            return EDDA_E_INVALID;
        }
    }
    return 0;
}

int edda_store_check_accept(const struct edda_store_accept *accept, const char **ret_text) {
    const struct edda_text fields[] = {
        accept->title,  accept->source, accept->reference_id, accept->metadata,
        accept->scopes, accept->type,   accept->format,       accept->idempotency_key};
    int error = edda_memo_check_parts(&accept->parts, accept->staged_parts, accept->content_bytes,
                                      ret_text);
    if (!error) {
        error = check_tags(&accept->tags, ret_text);
    }
    if (!error) {
        error = check_fields(fields, sizeof fields / sizeof fields[0], ret_text);
    }
    if (!error && edda_uuid_is_nil(&accept->memo)) {
        *ret_text = "a memo needs a uuid";
        error = EDDA_E_INVALID;
    }
    return error;
}

/* What is not set is absent. */
int edda_store_check_patch(const struct edda_store_patch *patch, const char **ret_text) {
    const struct edda_text fields[] = {patch->title, patch->source, patch->reference_id,
                                       patch->metadata, patch->scopes};
    int error = 0;
    if (patch->set & EDDA_PATCH_CONTENT) {
        error = edda_memo_check_parts(&patch->parts, patch->staged_parts, patch->content_bytes,
                                      ret_text);
    }
    if (!error && (patch->set & EDDA_PATCH_TAGS)) {
        error = check_tags(&patch->tags, ret_text);
    }
    return error ? error : check_fields(fields, sizeof fields / sizeof fields[0], ret_text);
}

int edda_store_check_put_part(const struct edda_store_put_part *put, const char **ret_text) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < put->parts.count; i++) {
        bytes += put->parts.items[i].size;
    }
    int error = edda_memo_check_parts(&put->parts, 0, bytes, ret_text);
    if (!error && put->first + put->parts.count > EDDA_MAX_PARTS) {
        *ret_text = "too many parts";
        error = EDDA_E_LIMIT;
    }
    return error;
}
