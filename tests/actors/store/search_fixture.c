/* tests/actors/store/search_fixture.c: two stores on one database, and memos to be found. */
#include "tests/actors/store/search_fixture.h"

#include <stdio.h>

struct second open_second(struct fixture *f) {
    struct second both = {.f = f, .first = f->backend};
    f->backend = NULL;
    fixture_open(f);
    both.second = f->backend;
    f->backend = both.first;
    return both;
}

void use(struct second *both, bool second) {
    both->f->backend = second ? both->second : both->first;
}

void close_second(struct second *both) {
    edda_backend_destroy(&both->second);
    both->f->backend = both->first;
}

void fill_words(struct fixture *f) {
    static const char *const words[] = {"harbour", "lantern", "copper", "winter", "meadow",
                                        "granite", "orchard", "falcon", "ribbon", "thunder"};
    for (unsigned memo = 0; memo < 40; memo++) {
        char text[1024];
        char title[32];
        size_t used = 0;
        struct edda_text part;
        for (unsigned i = 0; i < 30; i++) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s",
                                     words[(memo * 7 + i * i + i * memo) % 10],
                                     i % 10 == 9 ? "\n\n" : " ");
        }
        snprintf(title, sizeof title, "Memo %u", memo);
        part = (struct edda_text){text, used};
        struct edda_store_accept accept = one_part(&part);
        accept.title = edda_text_of(title);
        accept.memo =
            (struct edda_uuid){{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 0, 0, 0, 0, 0, 0, (uint8_t)memo}};
        assert_int_equal(accept_memo(f, &accept, NULL), 0);
    }
    process_all(f);
}
