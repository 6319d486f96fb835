/* actors/runtime/config.c: the settings table, its values, and helpful words about mistakes. */
#include "actors/runtime/config.h"

#include "actors/runtime/nearest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_BYTES 512
#define NAME_BYTES    64

#define EDDA_SETTING(name, kind, flag, variable, fallback, minimum, maximum, help)                 \
    {#name, EDDA_SETTING_##kind, flag, variable, fallback, minimum, maximum, help},
static const struct edda_setting_info infos[EDDA_CONFIG_COUNT] = {
#include "actors/runtime/config.def"
};
#undef EDDA_SETTING

/* Texts that are one of a few words. */
struct closed_set {
    enum edda_setting setting;
    const char *words; /* comma-separated */
};

static const struct closed_set closed_sets[] = {
    {EDDA_CONFIG_LOG_LEVEL, "debug,info,warning,error"},
    {EDDA_CONFIG_LOG_FORMAT, "text,json"},
    {EDDA_CONFIG_EMBEDDING_PROVIDER, "builtin,openai,voyage,cohere,jina,gemini,tei,ollama,local"},
    {EDDA_CONFIG_RERANKING_PROVIDER, "builtin,cohere,jina,vllm,voyage,tei,local"},
    {EDDA_CONFIG_LLM_PROVIDER, "builtin,openai,anthropic,gemini,groq,local"},
};

struct edda_config {
    char *texts[EDDA_CONFIG_COUNT]; /* owned; never NULL */
    int64_t numbers[EDDA_CONFIG_COUNT];
    char message[MESSAGE_BYTES];
};

static bool is_text(enum edda_setting setting) {
    return infos[setting].kind == EDDA_SETTING_TEXT || infos[setting].kind == EDDA_SETTING_SECRET;
}

const struct edda_setting_info *edda_setting_info(enum edda_setting setting) {
    EDDA_ASSERT((unsigned)setting < EDDA_CONFIG_COUNT);
    return &infos[setting];
}

static bool parse_number(const char *text, int64_t *ret_number) {
    if (!*text || *text == ' ') {
        return false;
    }
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || *end) {
        return false;
    }
    *ret_number = number;
    return true;
}

static bool parse_switch(const char *text, int64_t *ret_number) {
    static const char *const words[] = {"0", "1", "false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret_number = (int64_t)(i % 2);
            return true;
        }
    }
    return false;
}

static bool has_word(const char *words, const char *word) {
    size_t size = strlen(word);
    for (const char *at = words; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        if (strncmp(at, word, size) == 0 && (at[size] == ',' || at[size] == '\0') && size > 0) {
            return true;
        }
    }
    return false;
}

/* source is what the person wrote: the flag or the variable. Values are never repeated: they may be
 * secrets. */
static int check_text(struct edda_config *self, enum edda_setting setting, const char *source,
                      const char *value) {
    const struct edda_setting_info *info = &infos[setting];
    size_t size = strlen(value);
    for (size_t i = 0; i < sizeof closed_sets / sizeof closed_sets[0]; i++) {
        if (closed_sets[i].setting == setting && !has_word(closed_sets[i].words, value)) {
            (void)snprintf(self->message, MESSAGE_BYTES, "%s must be one of %s", source,
                           closed_sets[i].words);
            return EDDA_E_INVALID;
        }
    }
    if ((int64_t)size < info->minimum || (int64_t)size > info->maximum) {
        (void)snprintf(self->message, MESSAGE_BYTES,
                       "%s must have %lld to %lld characters, has %zu", source,
                       (long long)info->minimum, (long long)info->maximum, size);
        return EDDA_E_INVALID;
    }
    for (const char *at = value; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            (void)snprintf(self->message, MESSAGE_BYTES,
                           "%s must be one line, without control characters", source);
            return EDDA_E_INVALID;
        }
    }
    return 0;
}

static int check_number(struct edda_config *self, enum edda_setting setting, const char *source,
                        const char *value, int64_t *ret_number) {
    const struct edda_setting_info *info = &infos[setting];
    if (info->kind == EDDA_SETTING_SWITCH) {
        if (parse_switch(value, ret_number)) {
            return 0;
        }
        (void)snprintf(self->message, MESSAGE_BYTES, "%s must be 0 or 1", source);
        return EDDA_E_INVALID;
    }
    if (parse_number(value, ret_number) && *ret_number >= info->minimum &&
        *ret_number <= info->maximum) {
        return 0;
    }
    (void)snprintf(self->message, MESSAGE_BYTES, "%s must be a number from %lld to %lld", source,
                   (long long)info->minimum, (long long)info->maximum);
    return EDDA_E_INVALID;
}

/* Secrets do not stay behind in freed memory. */
static void forget(char *text) {
    explicit_bzero(text, strlen(text));
    free(text);
}

static int set_value(struct edda_config *self, enum edda_setting setting, const char *source,
                     const char *value) {
    int64_t number = 0;
    int error = is_text(setting) ? check_text(self, setting, source, value)
                                 : check_number(self, setting, source, value, &number);
    if (error) {
        return error;
    }
    char *copy = strdup(value);
    EDDA_ASSERT(copy);
    if (self->texts[setting]) {
        forget(self->texts[setting]);
    }
    self->texts[setting] = copy;
    self->numbers[setting] = number;
    return 0;
}

edda_config_t *edda_config_new(void) {
    struct edda_config *self = calloc(1, sizeof *self);
    EDDA_ASSERT(self);
    for (size_t i = 0; i < EDDA_CONFIG_COUNT; i++) {
        int error = set_value(self, (enum edda_setting)i, infos[i].name, infos[i].fallback);
        EDDA_ASSERT(error == 0);
    }
    return self;
}

void edda_config_destroy(edda_config_t **self_p) {
    struct edda_config *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < EDDA_CONFIG_COUNT; i++) {
        forget(self->texts[i]);
    }
    free(self);
    *self_p = NULL;
}

/* However far off: a setting is never refused without a hint. */
static const char *find_nearest(const char *name, bool flags) {
    const char *known[EDDA_CONFIG_COUNT];
    for (size_t i = 0; i < EDDA_CONFIG_COUNT; i++) {
        known[i] = flags ? infos[i].flag : infos[i].variable;
    }
    return edda_nearest(name, known, EDDA_CONFIG_COUNT, SIZE_MAX);
}

/* The value is the file's content without its last line break. */
static int set_from_file(struct edda_config *self, enum edda_setting setting, const char *source,
                         const char *path) {
    size_t room = (size_t)(is_text(setting) ? infos[setting].maximum : 32);
    char *value = calloc(1, room + 3);
    EDDA_ASSERT(value);
    FILE *file = fopen(path, "re");
    int error = file ? 0 : EDDA_E_INVALID;
    size_t size = 0;
    if (file) {
        size = fread(value, 1, room + 2, file);
        error = ferror(file) ? EDDA_E_INVALID : 0;
        (void)fclose(file);
        if (size > 0 && value[size - 1] == '\n') {
            value[--size] = '\0';
        }
        if (size > 0 && value[size - 1] == '\r') {
            value[--size] = '\0';
        }
    }
    if (error) {
        (void)snprintf(self->message, MESSAGE_BYTES, "%s names a file that cannot be read: %s",
                       source, strerror(errno));
    } else if (size == 0 || strlen(value) < size) {
        (void)snprintf(self->message, MESSAGE_BYTES, "%s names a file that %s", source,
                       size == 0 ? "is empty" : "is no text");
        error = EDDA_E_INVALID;
    } else {
        error = set_value(self, setting, source, value);
    }
    free(value);
    return error;
}

static const char *find_variable(char *const *environment, const char *name) {
    size_t size = strlen(name);
    for (; *environment; environment++) {
        if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=') {
            return *environment + size + 1;
        }
    }
    return NULL;
}

static int read_setting(struct edda_config *self, char *const *environment,
                        enum edda_setting setting) {
    char file_name[NAME_BYTES];
    (void)snprintf(file_name, sizeof file_name, "%s_FILE", infos[setting].variable);
    const char *value = find_variable(environment, infos[setting].variable);
    const char *path = find_variable(environment, file_name);
    if (path && *path == '\0') { /* as `X_FILE=${X_FILE:-}` of a composed service */
        path = NULL;
    }
    if (value && *value != '\0' && path) {
        (void)snprintf(self->message, MESSAGE_BYTES, "%s and %s are both set",
                       infos[setting].variable, file_name);
        return EDDA_E_INVALID;
    }
    if (path) {
        return set_from_file(self, setting, file_name, path);
    }
    if (!value || (*value == '\0' && infos[setting].minimum > 0)) {
        return 0;
    }
    return set_value(self, setting, infos[setting].variable, value);
}

static bool is_known_variable(const char *name) {
    for (size_t i = 0; i < EDDA_CONFIG_COUNT; i++) {
        size_t size = strlen(infos[i].variable);
        if (strncmp(name, infos[i].variable, size) == 0 &&
            (name[size] == '\0' || strcmp(name + size, "_FILE") == 0)) {
            return true;
        }
    }
    return false;
}

static int refuse_unknown_variables(struct edda_config *self, char *const *environment) {
    for (; *environment; environment++) {
        char name[NAME_BYTES];
        const char *equals = strchr(*environment, '=');
        if (strncmp(*environment, "EDDA_", 5) != 0 || !equals) {
            continue;
        }
        (void)snprintf(name, sizeof name, "%.*s", (int)(equals - *environment), *environment);
        if (!is_known_variable(name)) {
            (void)snprintf(self->message, MESSAGE_BYTES, "unknown variable %s; did you mean %s?",
                           name, find_nearest(name, false));
            return EDDA_E_INVALID;
        }
    }
    return 0;
}

int edda_config_environment(edda_config_t *self, char *const *environment,
                            const char **ret_message) {
    int error = refuse_unknown_variables(self, environment);
    for (size_t i = 0; i < EDDA_CONFIG_COUNT && !error; i++) {
        error = read_setting(self, environment, (enum edda_setting)i);
    }
    if (error) {
        *ret_message = self->message;
    }
    return error;
}

int edda_config_flag(edda_config_t *self, const char *flag, const char *value,
                     const char **ret_message) {
    for (size_t i = 0; i < EDDA_CONFIG_COUNT; i++) {
        if (strcmp(infos[i].flag, flag) == 0) {
            int error = set_value(self, (enum edda_setting)i, flag, value);
            if (error) {
                *ret_message = self->message;
            }
            return error;
        }
    }
    (void)snprintf(self->message, MESSAGE_BYTES, "unknown option %.64s; did you mean %s?", flag,
                   find_nearest(flag, true));
    *ret_message = self->message;
    return EDDA_E_NOT_FOUND;
}

const char *edda_config_text(const edda_config_t *self, enum edda_setting setting) {
    EDDA_ASSERT(is_text(setting));
    return self->texts[setting];
}

bool edda_config_has_secret(const edda_config_t *self) {
    bool some = false;
    for (size_t i = 0; i < EDDA_CONFIG_COUNT; i++) {
        some = some || (infos[i].kind == EDDA_SETTING_SECRET && self->texts[i][0] != '\0');
    }
    return some;
}

int64_t edda_config_number(const edda_config_t *self, enum edda_setting setting) {
    EDDA_ASSERT(infos[setting].kind == EDDA_SETTING_NUMBER);
    return self->numbers[setting];
}

bool edda_config_switch(const edda_config_t *self, enum edda_setting setting) {
    EDDA_ASSERT(infos[setting].kind == EDDA_SETTING_SWITCH);
    return self->numbers[setting] != 0;
}
