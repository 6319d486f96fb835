/* tests/provider/behaviour.c: settings from JSON by the table of names. */
#include "tests/provider/behaviour.h"

#include <stdio.h>

enum type { NUMBER, FLAG, TEXT, JSON };

struct setting {
    const char *name;
    enum type type;
    size_t offset;
    int64_t fallback;
    int64_t least;
};

#define AT(name)                           offsetof(struct fake_behaviour, name)
#define FAKE_NUMBER(name, fallback, least) {#name, NUMBER, AT(name), (fallback), (least)},
#define FAKE_FLAG(name)                    {#name, FLAG, AT(name), 0, 0},
#define FAKE_TEXT(name)                    {#name, TEXT, AT(name), 0, 0},
#define FAKE_JSON(name)                    {#name, JSON, AT(name), 0, 0},
static const struct setting table[] = {
#include "tests/provider/behaviour.def"
};
#undef FAKE_NUMBER
#undef FAKE_FLAG
#undef FAKE_TEXT
#undef FAKE_JSON

#define COUNT (sizeof table / sizeof table[0])

static const struct setting *find(const char *name) {
    for (size_t i = 0; i < COUNT; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

static void put(struct fake_behaviour *behaviour, const struct setting *setting, int64_t number,
                const void *pointer) {
    char *place = (char *)behaviour + setting->offset;
    bool flag = number != 0;
    switch (setting->type) {
    case NUMBER:
        memcpy(place, &number, sizeof number);
        break;
    case FLAG:
        memcpy(place, &flag, sizeof flag);
        break;
    case TEXT:
    case JSON:
        memcpy(place, &pointer, sizeof pointer);
        break;
    }
}

/* False: the value does not fit. */
static bool put_value(struct fake_behaviour *behaviour, const struct setting *setting,
                      const json_t *value) {
    if (json_is_null(value)) {
        put(behaviour, setting, setting->fallback, NULL);
        return true;
    }
    switch (setting->type) {
    case NUMBER:
        put(behaviour, setting, json_integer_value(value), NULL);
        return json_is_integer(value) && json_integer_value(value) >= setting->least;
    case FLAG:
        put(behaviour, setting, json_is_true(value), NULL);
        return json_is_boolean(value);
    case TEXT:
        put(behaviour, setting, 0, json_string_value(value));
        return json_is_string(value);
    case JSON:
        put(behaviour, setting, 0, value);
        return true;
    }
    return false;
}

static bool apply(struct fake_behaviour *behaviour, const json_t *object,
                  char message[FAKE_MESSAGE]) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value) {
        const struct setting *setting = find(name);
        if (strcmp(name, "times") == 0 || strcmp(name, "fail") == 0) {
            continue;
        }
        if (!setting || !put_value(behaviour, setting, value)) {
            (void)snprintf(message, FAKE_MESSAGE, "%s %.100s",
                           setting ? "wrong value for" : "no setting is called", name);
            return false;
        }
    }
    return true;
}

static void fill_defaults(struct fake_behaviour *behaviour) {
    *behaviour = (struct fake_behaviour){.by_rule = false};
    for (size_t i = 0; i < COUNT; i++) {
        put(behaviour, &table[i], table[i].fallback, NULL);
    }
}

static int64_t times_of(const json_t *rules, size_t rule) {
    const json_t *times = json_object_get(json_array_get(rules, rule), "times");
    return times ? json_integer_value(times) : 1;
}

static bool check_rules(const json_t *rules, char message[FAKE_MESSAGE]) {
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        const json_t *times = json_object_get(rule, "times");
        struct fake_behaviour scratch;
        fill_defaults(&scratch);
        if (!json_is_object(rule) || (times && !json_is_integer(times)) ||
            json_object_get(rule, "fail")) {
            (void)snprintf(message, FAKE_MESSAGE, "a rule of fail is an object, times a number");
            return false;
        }
        if (!apply(&scratch, rule, message)) {
            return false;
        }
    }
    return true;
}

void fake_settings_init(struct fake_settings *settings) {
    *settings = (struct fake_settings){.given = json_object(), .rules = json_array()};
    EDDA_ASSERT(settings->given && settings->rules);
}

void fake_settings_done(struct fake_settings *settings) {
    json_decref(settings->given);
    json_decref(settings->rules);
    *settings = (struct fake_settings){.given = NULL};
}

/* One rule or a list of them, or null: none. A new reference. */
static json_t *list_rules(const json_t *fail) {
    json_t *rules = json_is_array(fail) ? json_deep_copy(fail) : json_array();
    if (fail && !json_is_array(fail) && !json_is_null(fail)) {
        (void)json_array_append_new(rules, json_deep_copy(fail));
    }
    return rules;
}

bool fake_settings_merge(struct fake_settings *settings, const json_t *changes,
                         char message[FAKE_MESSAGE]) {
    struct fake_behaviour scratch;
    const json_t *fail = json_object_get(changes, "fail");
    json_t *rules = list_rules(fail);
    json_t *given = json_copy(settings->given);
    EDDA_ASSERT(rules && given);
    fill_defaults(&scratch);
    if (!apply(&scratch, changes, message) || !check_rules(rules, message)) {
        json_decref(rules);
        json_decref(given);
        return false;
    }
    (void)json_object_update(given, (json_t *)(uintptr_t)changes);
    (void)json_object_del(given, "fail");
    json_decref(settings->given);
    settings->given = given;
    if (fail) {
        json_decref(settings->rules);
        settings->rules = json_incref(rules);
        settings->rule = 0;
        settings->left = times_of(rules, 0);
    }
    json_decref(rules);
    return true;
}

/* The rule for this request, or NULL. */
static json_t *spend_rule(struct fake_settings *settings) {
    while (settings->rule < json_array_size(settings->rules) && settings->left == 0) {
        settings->rule++;
        settings->left = times_of(settings->rules, settings->rule);
    }
    json_t *rule = json_array_get(settings->rules, settings->rule);
    if (rule && settings->left > 0) {
        settings->left--;
    }
    return rule;
}

void fake_behaviour_take(struct fake_settings *settings, struct fake_behaviour *ret_behaviour) {
    char message[FAKE_MESSAGE];
    json_t *rule = spend_rule(settings);
    fill_defaults(ret_behaviour);
    bool good = apply(ret_behaviour, settings->given, message);
    good = good && (!rule || apply(ret_behaviour, rule, message));
    EDDA_ASSERT(good); /* both were checked when they were set */
    ret_behaviour->by_rule = rule != NULL;
    ret_behaviour->held[0] = json_incref(settings->given);
    ret_behaviour->held[1] = rule ? json_incref(rule) : NULL;
}

void fake_behaviour_done(struct fake_behaviour *behaviour) {
    json_decref(behaviour->held[0]);
    json_decref(behaviour->held[1]);
    behaviour->held[0] = behaviour->held[1] = NULL;
}
