/* ops/options.h: a command line read into the configuration, words and the command's own switches.
 *
 * Every setting of config.def may be given as --flag VALUE or --flag=VALUE with any command; flags
 * of lists (--connect, --listen, --workers) may be repeated. A command also has switches of its
 * own that are no settings ("--dead"), some of them with a value, which "=" at the end of their
 * name says ("--chat="). Words are what is left, in order; "--" ends the flags. */
#ifndef EDDA_OPS_OPTIONS_H
#define EDDA_OPS_OPTIONS_H

#include "actors/runtime/config.h"

#define EDDA_MAX_OWN_SWITCHES 12

struct edda_options {
    edda_config_t *config; /* owned */
    const char **words;    /* owned array of borrowed argv strings */
    size_t word_count;
    const char *const *own_switches; /* static, NULL-terminated, at most EDDA_MAX_OWN_SWITCHES */
    bool own_given[EDDA_MAX_OWN_SWITCHES];
    const char *own_values[EDDA_MAX_OWN_SWITCHES]; /* borrowed argv strings, or NULL */
    bool given[EDDA_CONFIG_COUNT];                 /* settings that came from a flag */
    bool help;                                     /* --help or -h */
    char message[512];                             /* why reading failed, for people */
};

/* Reads environment, then arguments[0..count). own_switches may be NULL. Strings of arguments must
 * outlive the options. EDDA_E_INVALID: options->message says what is wrong and what is nearest. */
int edda_options_init(struct edda_options *options, const char *const *own_switches,
                      char *const *environment, const char *const *arguments,
                      size_t count) EDDA_MUST_CHECK;
void edda_options_done(struct edda_options *options);

/* Whether one of the command's own switches was given. */
bool edda_options_own(const struct edda_options *options, const char *name);

/* The value of one ("--chat="), the last when it was given several times; NULL: not given. */
const char *edda_options_own_value(const struct edda_options *options, const char *name);

/* The n-th of a comma-separated list into ret_item, spaces trimmed; empty items are skipped. 1; 0:
 * past its end; EDDA_E_LIMIT: the item does not fit. */
int edda_list_item(const char *list, size_t n, char *ret_item, size_t size) EDDA_MUST_CHECK;

/* How many of `stage` (--workers embedder=2,chunker=1) are wanted: 1 when not named.
 * EDDA_E_INVALID: the list is not STAGE=N with N from 1 to 64 and a stage that may be repeated
 * (chunker, embedder, reranker, llm); message then says what is wrong. */
int edda_workers_of(const char *list, const char *stage, unsigned *ret_count, char *message,
                    size_t message_size) EDDA_MUST_CHECK;

#endif
