/* tests/provider/behaviour.h: how requests of a kind are answered now, and what comes next.
 *
 * behaviour.def names the settings. What a request gets: the kind's settings, with those of the
 * first rule in `fail` that still has times left laid over them. Settings are replaced, never
 * changed: a request keeps those it began with. */
#ifndef EDDA_TESTS_PROVIDER_BEHAVIOUR_H
#define EDDA_TESTS_PROVIDER_BEHAVIOUR_H

#include <jansson.h>

#include "proto/types.h"

#define FAKE_MESSAGE 160

#define FAKE_NUMBER(name, fallback, least) int64_t name;
#define FAKE_FLAG(name)                    bool name;
#define FAKE_TEXT(name)                    const char *name;
#define FAKE_JSON(name)                    const json_t *name;
struct fake_behaviour {
#include "tests/provider/behaviour.def"
    json_t *held[2]; /* references that texts and JSON above live in */
    bool by_rule;
};
#undef FAKE_NUMBER
#undef FAKE_FLAG
#undef FAKE_TEXT
#undef FAKE_JSON

struct fake_settings {
    json_t *given; /* what was set; reference */
    json_t *rules; /* `fail` as an array; reference */
    size_t rule;   /* the one that is in force */
    int64_t left;  /* its times; -1: for ever */
};

void fake_settings_init(struct fake_settings *settings);
void fake_settings_done(struct fake_settings *settings);

/* Merges an object of settings; null takes one back. False: nothing is changed, and message says
 * which setting is unknown or wrong. */
bool fake_settings_merge(struct fake_settings *settings, const json_t *changes,
                         char message[FAKE_MESSAGE]);

/* For one request: spends one of a rule's times. */
void fake_behaviour_take(struct fake_settings *settings, struct fake_behaviour *ret_behaviour);
void fake_behaviour_done(struct fake_behaviour *behaviour);

#endif
