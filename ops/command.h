/* ops/command.h: the commands of `edda`, one function and one file each.
 *
 * A command gets its options already read, prints results on standard output and everything for
 * people on standard error, and returns the exit status: 0 done, 1 could not be done, 2 wrong use,
 * 75 (EX_TEMPFAIL of sysexits.h) a store did not start as its database is away.
 */
#ifndef EDDA_OPS_COMMAND_H
#define EDDA_OPS_COMMAND_H

#include "ops/options.h"

#define EDDA_EXIT_OK     0
#define EDDA_EXIT_FAILED 1
#define EDDA_EXIT_USAGE  2
#define EDDA_EXIT_AWAY   75

struct edda_command {
    const char *name;
    const char *usage;   /* what follows the name */
    const char *summary; /* one line */
    const char *manual;  /* paragraphs, examples */
    int (*run)(const struct edda_command *command, const struct edda_options *options);
    const char *const *switches; /* own switches, NULL-terminated, or NULL */
    const int *settings;         /* enum edda_setting worth showing in help, ended by -1 */
    size_t minimum_words;
    size_t maximum_words;
};

int edda_command_up(const struct edda_command *command, const struct edda_options *options);
int edda_command_role(const struct edda_command *command, const struct edda_options *options);
int edda_command_key(const struct edda_command *command, const struct edda_options *options);
int edda_command_keygen(const struct edda_command *command, const struct edda_options *options);
int edda_command_import(const struct edda_command *command, const struct edda_options *options);
int edda_command_search(const struct edda_command *command, const struct edda_options *options);
int edda_command_chat(const struct edda_command *command, const struct edda_options *options);
int edda_command_send(const struct edda_command *command, const struct edda_options *options);
int edda_command_jobs(const struct edda_command *command, const struct edda_options *options);
int edda_command_reembed(const struct edda_command *command, const struct edda_options *options);
int edda_command_migrate(const struct edda_command *command, const struct edda_options *options);
int edda_command_copy(const struct edda_command *command, const struct edda_options *options);
int edda_command_index(const struct edda_command *command, const struct edda_options *options);
int edda_command_eval(const struct edda_command *command, const struct edda_options *options);
int edda_command_doctor(const struct edda_command *command, const struct edda_options *options);

/* Says what is wrong with the use of a command and where help is; gives EDDA_EXIT_USAGE. */
int edda_command_misused(const struct edda_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
