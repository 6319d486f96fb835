/* ops/options.c: see options.h. */
#include "ops/options.h"

#include <stdio.h>
#include <stdlib.h>

#include "ops/parts.h"

/* Which setting a flag names; EDDA_CONFIG_COUNT for none. */
static size_t find_setting(const char *flag, size_t size) {
    for (size_t i = 0; i < EDDA_CONFIG_COUNT; i++) {
        const char *known = edda_setting_info((enum edda_setting)i)->flag;
        if (strlen(known) == size && memcmp(known, flag, size) == 0)
            return i;
    }
    return EDDA_CONFIG_COUNT;
}

static bool is_list(size_t setting) {
    return setting == EDDA_CONFIG_CONNECT || setting == EDDA_CONFIG_LISTEN ||
           setting == EDDA_CONFIG_WORKERS;
}

static int fail_with(struct edda_options *options, const char *format, const char *first,
                     const char *second) {
    snprintf(options->message, sizeof options->message, format, first, second);
    return EDDA_E_INVALID;
}

/* One of the command's own; *index moves on when the next argument is its value. */
static int read_own(struct edda_options *options, const char *const *arguments, size_t count,
                    size_t *index, bool *ret_known) {
    const char *argument = arguments[*index];
    *ret_known = true;
    for (size_t i = 0; options->own_switches && options->own_switches[i]; i++) {
        const char *name = options->own_switches[i];
        size_t size = strlen(name);
        bool valued = name[size - 1] == '=';
        EDDA_ASSERT(i < EDDA_MAX_OWN_SWITCHES);
        if (valued && strncmp(argument, name, size) == 0) {
            options->own_values[i] = argument + size;
        } else if (valued && strlen(argument) == size - 1 &&
                   strncmp(argument, name, size - 1) == 0) {
            if (*index + 1 >= count)
                return fail_with(options, "%s needs a value%s", argument, "");
            options->own_values[i] = arguments[++*index];
        } else if (valued || strcmp(argument, name) != 0) {
            continue;
        }
        options->own_given[i] = true;
        return 0;
    }
    *ret_known = false;
    return 0;
}

/* A list flag adds to what earlier flags gave; the first one replaces environment and default. */
static int set_setting(struct edda_options *options, size_t setting, const char *value) {
    const struct edda_setting_info *info = edda_setting_info((enum edda_setting)setting);
    char *joined = NULL;
    if (is_list(setting) && options->given[setting]) {
        const char *before = edda_config_text(options->config, (enum edda_setting)setting);
        if (asprintf(&joined, "%s,%s", before, value) < 0)
            return fail_with(options, "out of memory at %s%s", info->flag, "");
        value = joined;
    }
    const char *message = NULL;
    int error = edda_config_flag(options->config, info->flag, value, &message);
    free(joined);
    if (error != 0)
        return fail_with(options, "%s%s", message ? message : edda_error_text(error), "");
    options->given[setting] = true;
    return 0;
}

/* One argument that begins with "--"; *index moves on when it takes the next one as its value. */
static int read_flag(struct edda_options *options, const char *const *arguments, size_t count,
                     size_t *index) {
    const char *argument = arguments[*index];
    const char *equals = strchr(argument, '=');
    size_t size = equals ? (size_t)(equals - argument) : strlen(argument);
    size_t setting = find_setting(argument, size);
    if (setting == EDDA_CONFIG_COUNT) {
        char flag[128];
        snprintf(flag, sizeof flag, "%.*s", (int)(size < 100 ? size : 100), argument);
        const char *message = NULL;
        int error = edda_config_flag(options->config, flag, "", &message);
        return fail_with(options, "%s%s", message ? message : edda_error_text(error), "");
    }
    if (equals)
        return set_setting(options, setting, equals + 1);
    if (edda_setting_info((enum edda_setting)setting)->kind == EDDA_SETTING_SWITCH)
        return set_setting(options, setting, "1");
    if (*index + 1 >= count)
        return fail_with(options, "%s needs a value: %s", argument,
                         edda_setting_info((enum edda_setting)setting)->help);
    return set_setting(options, setting, arguments[++*index]);
}

static int read_arguments(struct edda_options *options, const char *const *arguments,
                          size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *argument = arguments[i];
        if (strcmp(argument, "--") == 0) {
            while (++i < count)
                options->words[options->word_count++] = arguments[i];
            return 0;
        }
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            options->help = true;
        } else if (argument[0] == '-' && argument[1] == '-') {
            bool own;
            int error = read_own(options, arguments, count, &i, &own);
            if (!own)
                error = read_flag(options, arguments, count, &i);
            if (error != 0)
                return error;
        } else if (argument[0] == '-' && argument[1] != '\0') {
            return fail_with(options, "unknown flag %s: flags begin with two dashes%s", argument,
                             "");
        } else {
            options->words[options->word_count++] = argument;
        }
    }
    return 0;
}

int edda_options_init(struct edda_options *options, const char *const *own_switches,
                      char *const *environment, const char *const *arguments, size_t count) {
    *options = (struct edda_options){.own_switches = own_switches};
    options->config = edda_config_new();
    options->words = calloc(count + 1, sizeof *options->words);
    if (!options->config || !options->words)
        return fail_with(options, "out of memory%s%s", "", "");
    const char *message = NULL;
    int error = edda_config_environment(options->config, environment, &message);
    if (error != 0)
        return fail_with(options, "%s%s", message ? message : edda_error_text(error), "");
    return read_arguments(options, arguments, count);
}

void edda_options_done(struct edda_options *options) {
    if (options->config)
        edda_config_destroy(&options->config);
    free(options->words);
    options->words = NULL;
    options->word_count = 0;
}

bool edda_options_own(const struct edda_options *options, const char *name) {
    for (size_t i = 0; options->own_switches && options->own_switches[i]; i++) {
        if (strcmp(options->own_switches[i], name) == 0)
            return options->own_given[i];
    }
    return false;
}

const char *edda_options_own_value(const struct edda_options *options, const char *name) {
    for (size_t i = 0; options->own_switches && options->own_switches[i]; i++) {
        if (strcmp(options->own_switches[i], name) == 0)
            return options->own_values[i];
    }
    return NULL;
}

int edda_list_item(const char *list, size_t n, char *ret_item, size_t size) {
    const char *at = list ? list : "";
    while (*at) {
        size_t length = strcspn(at, ",");
        const char *begin = at;
        const char *end = at + length;
        while (begin < end && *begin == ' ')
            begin++;
        while (end > begin && end[-1] == ' ')
            end--;
        if (end > begin && n-- == 0) {
            if ((size_t)(end - begin) >= size)
                return EDDA_E_LIMIT;
            memcpy(ret_item, begin, (size_t)(end - begin));
            ret_item[end - begin] = '\0';
            return 1;
        }
        at += length;
        if (*at == ',')
            at++;
    }
    return 0;
}

static bool may_repeat(const char *stage) {
    return strcmp(stage, "chunker") == 0 || strcmp(stage, "embedder") == 0 ||
           strcmp(stage, "reranker") == 0 || strcmp(stage, "llm") == 0;
}

int edda_workers_of(const char *list, const char *stage, unsigned *ret_count, char *message,
                    size_t message_size) {
    unsigned wanted = 1;
    char item[96];
    int more;
    for (size_t n = 0; (more = edda_list_item(list, n, item, sizeof item)) > 0; n++) {
        char *equals = strchr(item, '=');
        char *end = NULL;
        unsigned long count = equals ? strtoul(equals + 1, &end, 10) : 0;
        if (!equals || end == equals + 1 || *end != '\0' || count < 1 ||
            count > EDDA_PARTS_OF_A_STAGE) {
            snprintf(message, message_size, "--workers takes STAGE=N with N from 1 to %d, not %s",
                     EDDA_PARTS_OF_A_STAGE, item);
            return EDDA_E_INVALID;
        }
        *equals = '\0';
        if (!may_repeat(item)) {
            snprintf(message, message_size,
                     "--workers: %s is not chunker, embedder, reranker or llm; only these may be "
                     "more than one",
                     item);
            return EDDA_E_INVALID;
        }
        if (strcmp(item, stage) == 0)
            wanted = (unsigned)count;
    }
    if (more < 0) {
        snprintf(message, message_size, "--workers takes STAGE=N, nothing as long as that");
        return EDDA_E_INVALID;
    }
    *ret_count = wanted;
    return 0;
}
