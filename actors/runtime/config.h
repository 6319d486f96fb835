/* actors/runtime/config.h: every setting: one table, a flag and an environment variable each.
 *
 * Order: default, then environment, then flags. Unknown settings are an error that names the
 * nearest known one. A NAME_FILE variable reads the value from a file (secrets). A variable that is
 * set to nothing, for a setting that cannot be nothing or is read from a file, counts as not set,
 * and so does a NAME_FILE. The table: config.def.
 */
#ifndef EDDA_RUNTIME_CONFIG_H
#define EDDA_RUNTIME_CONFIG_H

#include "proto/error.h"
#include "proto/types.h"

enum edda_setting_kind {
    EDDA_SETTING_TEXT,
    EDDA_SETTING_SECRET, /* a text */
    EDDA_SETTING_NUMBER,
    EDDA_SETTING_SWITCH,
};

#define EDDA_SETTING(name, kind, flag, variable, fallback, minimum, maximum, help)                 \
    EDDA_CONFIG_##name,
enum edda_setting {
#include "actors/runtime/config.def"
    EDDA_CONFIG_COUNT
};
#undef EDDA_SETTING

struct edda_setting_info {
    const char *name;
    enum edda_setting_kind kind;
    const char *flag;     /* "--data" */
    const char *variable; /* "EDDA_DATA" */
    const char *fallback;
    int64_t minimum; /* numbers: range; texts: maximum is the longest */
    int64_t maximum;
    const char *help;
};

typedef struct edda_config edda_config_t;

edda_config_t *edda_config_new(void);
void edda_config_destroy(edda_config_t **self_p);

/* Reads every EDDA_ variable of environment (NULL-terminated "NAME=value" strings).
 * EDDA_E_INVALID: *ret_message (static to the config) says which and what would be right. */
int edda_config_environment(edda_config_t *self, char *const *environment,
                            const char **ret_message) EDDA_MUST_CHECK;

/* Sets one by its flag ("--data"). EDDA_E_NOT_FOUND names the nearest known flag. */
int edda_config_flag(edda_config_t *self, const char *flag, const char *value,
                     const char **ret_message) EDDA_MUST_CHECK;

/* The value of a setting, which must be of the kind the function names. A text is never NULL and is
 * borrowed until the setting is changed. */
const char *edda_config_text(const edda_config_t *self, enum edda_setting setting);
int64_t edda_config_number(const edda_config_t *self, enum edda_setting setting);
bool edda_config_switch(const edda_config_t *self, enum edda_setting setting);

/* Whether a SECRET has a value: then the process must leave no core. */
bool edda_config_has_secret(const edda_config_t *self);

/* The setting's row of config.def; static. */
const struct edda_setting_info *edda_setting_info(enum edda_setting setting);

#endif
