/* ops/answer.c: see answer.h. */
#include "ops/answer.h"

#include <jansson.h>
#include <stdio.h>

bool edda_answer_text(struct edda_bytes body, const char *name, char *ret_text, size_t size) {
    json_t *json = body.size > 0 ? json_loadb((const char *)body.data, body.size, 0, NULL) : NULL;
    json_t *value = json_object_get(json, name);
    bool found = json_is_string(value) && json_string_length(value) < size;
    if (found)
        memcpy(ret_text, json_string_value(value), json_string_length(value) + 1);
    json_decref(json);
    return found;
}

void edda_answer_problem(int status, struct edda_bytes body, const char *error, char *ret_words,
                         size_t size) {
    char text[256] = "";
    if (status == 0) {
        snprintf(ret_words, size, "no answer: %s", error);
        return;
    }
    if (!edda_answer_text(body, "error", text, sizeof text))
        snprintf(text, sizeof text, "unexpected answer");
    snprintf(ret_words, size, "%s (HTTP %d)%s", text, status,
             status == 401 ? "; give a key with --key or EDDA_KEY" : "");
}

const char *edda_answer_key(const edda_config_t *config) {
    const char *key = edda_config_text(config, EDDA_CONFIG_KEY);
    return key[0] ? key : edda_config_text(config, EDDA_CONFIG_API_KEY);
}
