/* actors/store/memos.c: status, pages and limits of memos. */
#include "actors/store/memos.h"

#include "actors/text/text.h"

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
    if (staged_parts > 0) {
        if (parts->count > 0) {
            *ret_text = "parts are either staged or given";
            return EDDA_E_INVALID;
        }
        return staged_parts > EDDA_MAX_PARTS ? EDDA_E_LIMIT : 0;
    }
    if (parts->count > EDDA_MAX_PARTS) {
        *ret_text = "too many parts";
        return EDDA_E_LIMIT;
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

int edda_memo_check_tags(const struct edda_texts *tags, const char **ret_text) {
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
