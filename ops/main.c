/* ops/main.c: the executable `edda`: finds the command, reads its options, runs it. */
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/runtime/log.h"
#include "actors/runtime/nearest.h"
#include "ops/command.h"
#include "ops/parts.h"

static const char *const up_switches[] = {NULL};
static const char *const jobs_switches[] = {"--dead", "--all", NULL};
static const char *const import_switches[] = {"--no-wait", NULL};
static const char *const reembed_switches[] = {"--look", "--no-wait", NULL};
static const char *const keygen_switches[] = {"--role=", "--name=", "--overwrite", NULL};
static const char *const copy_switches[] = {"--from=", "--to=", NULL};
static const char *const index_switches[] = {"--model=", NULL};
static const char *const search_switches[] = {"--json", NULL};
static const char *const chat_switches[] = {"--json", "--no-sources",
                                            "--provider=", "--chat=", NULL};

static const char *const eval_switches[] = {
    "--collection=", "--queries=", "--typo", "--json", "--keep",
    "--compare=",    "--without=", "--tune", NULL};

static const int up_settings[] = {
    EDDA_CONFIG_DATA,       EDDA_CONFIG_HTTP,      EDDA_CONFIG_PROCESSES,  EDDA_CONFIG_WORKERS,
    EDDA_CONFIG_RESTARTS,   EDDA_CONFIG_LISTEN,    EDDA_CONFIG_API_KEY,    EDDA_CONFIG_CURVE_KEY,
    EDDA_CONFIG_AUTHORIZED, EDDA_CONFIG_DATABASE,  EDDA_CONFIG_DRAIN_MS,   EDDA_CONFIG_GRACE_MS,
    EDDA_CONFIG_METRICS,    EDDA_CONFIG_LOG_LEVEL, EDDA_CONFIG_LOG_FORMAT, -1};
#define PART_SETTINGS                                                                              \
    EDDA_CONFIG_CONNECT, EDDA_CONFIG_DATA, EDDA_CONFIG_CURVE_KEY, EDDA_CONFIG_BROKER_KEY,          \
        EDDA_CONFIG_INSECURE_TCP, EDDA_CONFIG_DRAIN_MS, EDDA_CONFIG_LOG_LEVEL
static const int broker_settings[] = {
    EDDA_CONFIG_LISTEN,     EDDA_CONFIG_DATA,         EDDA_CONFIG_CURVE_KEY,
    EDDA_CONFIG_AUTHORIZED, EDDA_CONFIG_INSECURE_TCP, EDDA_CONFIG_DRAIN_MS,
    EDDA_CONFIG_METRICS,    EDDA_CONFIG_LOG_LEVEL,    -1};
static const int gateway_settings[] = {EDDA_CONFIG_HTTP, EDDA_CONFIG_API_KEY, EDDA_CONFIG_GRACE_MS,
                                       PART_SETTINGS, -1};
static const int stage_settings[] = {EDDA_CONFIG_METRICS, PART_SETTINGS, -1};
static const int store_settings[] = {EDDA_CONFIG_DATABASE,
                                     EDDA_CONFIG_DATABASE_POOL,
                                     EDDA_CONFIG_DATABASE_PREPARE,
                                     EDDA_CONFIG_DATABASE_STATEMENT_MS,
                                     EDDA_CONFIG_DATABASE_CONNECT_MS,
                                     EDDA_CONFIG_METRICS,
                                     PART_SETTINGS,
                                     -1};
static const int key_settings[] = {
    EDDA_CONFIG_PROJECT,   EDDA_CONFIG_RATE,       EDDA_CONFIG_CONCURRENCY,
    EDDA_CONFIG_CONNECT,   EDDA_CONFIG_DATA,       EDDA_CONFIG_DATABASE,
    EDDA_CONFIG_CURVE_KEY, EDDA_CONFIG_BROKER_KEY, -1};
static const int database_settings[] = {EDDA_CONFIG_DATABASE, EDDA_CONFIG_DATA,
                                        EDDA_CONFIG_DATABASE_CONNECT_MS, -1};
static const int index_settings[] = {EDDA_CONFIG_DATABASE, EDDA_CONFIG_VECTOR_EXACT_CHUNKS,
                                     EDDA_CONFIG_DATABASE_CONNECT_MS, -1};
static const int no_settings[] = {-1};
static const int http_settings[] = {EDDA_CONFIG_URL, EDDA_CONFIG_KEY, -1};
static const int local_settings[] = {EDDA_CONFIG_CONNECT,    EDDA_CONFIG_DATA,
                                     EDDA_CONFIG_DATABASE,   EDDA_CONFIG_CURVE_KEY,
                                     EDDA_CONFIG_BROKER_KEY, -1};
static const int send_settings[] = {EDDA_CONFIG_CONNECT,    EDDA_CONFIG_DATA,
                                    EDDA_CONFIG_PROJECT,    EDDA_CONFIG_CURVE_KEY,
                                    EDDA_CONFIG_BROKER_KEY, -1};
static const int doctor_settings[] = {EDDA_CONFIG_DATA, EDDA_CONFIG_DATABASE, EDDA_CONFIG_HTTP,
                                      EDDA_CONFIG_CONNECT, -1};

#define ROLE(role, flags, settings, what)                                                          \
    {                                                                                              \
        role, flags " [--data DIR]", what,                                                         \
            "Runs this one part as a process until SIGTERM or Ctrl-C, which drains it. Without\n"  \
            "--connect (--listen for the broker) it joins the broker of the data directory.\n"     \
            "A tcp URL stands for two ports: its own for clients, the next for workers. With\n"    \
            "--curve-key tcp is encrypted: the broker's --authorized says whose key may come, "    \
            "as\n"                                                                                 \
            "what; the others name their broker's key with --broker-key. `edda keygen` makes "     \
            "keys.\n",                                                                             \
            edda_command_role, NULL, settings, 0, 0                                                \
    }

static const struct edda_command commands[] = {
    {"up", "[--data DIR] [--database URL] [--http ADDR:PORT] [--processes] [--workers STAGE=N]...",
     "run everything on one machine",
     "Starts broker, store, chunker, embedder, reranker, llm and gateway, as threads of one\n"
     "process or, with --processes, as supervised child processes. Prints the address. A first\n"
     "start on a data directory without any key makes one and prints it once. Ctrl-C or SIGTERM\n"
     "drains: running work is finished, nothing accepted is lost; a second one ends at once.\n",
     edda_command_up, up_switches, up_settings, 0, 0},
    ROLE("broker", "[--listen URL]...", broker_settings, "route messages between the other parts"),
    ROLE("gateway", "[--connect URL]... [--http ADDR:PORT]", gateway_settings, "speak HTTP"),
    ROLE("chunker", "[--connect URL]...", stage_settings, "cut text into chunks"),
    ROLE("embedder", "[--connect URL]...", stage_settings, "give chunks and queries their vectors"),
    ROLE("reranker", "[--connect URL]...", stage_settings, "reorder what the store found"),
    ROLE("llm", "[--connect URL]...", stage_settings, "answer questions from what was found"),
    ROLE("store", "[--connect URL]... [--database URL]", store_settings,
         "keep memos, chunks, keys and jobs, in a directory or in PostgreSQL"),
    {"key", "create|list|revoke [KEY] [--project NAME] [--rate N] [--concurrency N]",
     "make, list and revoke API keys",
     "create prints the new key once, on standard output; only its hash is kept. With --rate it "
     "may\n"
     "make so many requests a minute, with --concurrency have so many open at once, at each "
     "gateway,\n"
     "whatever the gateway allows other keys. list shows each\n"
     "key's first characters, uuid, project, age and limits. revoke takes a whole key, its uuid or "
     "the\n"
     "prefix that list shows. Works with a running service and without one.\n",
     edda_command_key, NULL, key_settings, 1, 2},
    {"keygen", "FILE [--role ROLE[,ROLE]...] [--name NAME] [--overwrite]",
     "a key pair for parts on other machines",
     "Writes the pair to FILE, mode 0600, and its public half to FILE.pub, in the form of czmq's\n"
     "certificates. Prints the public key or, with --role, its whole line for the broker's file "
     "of\n"
     "--authorized: `edda keygen embedder.key --role worker:embed >> authorized`. Roles: gateway,\n"
     "store, cli, worker:SERVICE (chunk, embed, rerank, llm), worker:* for all of those. The "
     "broker\n"
     "reads the file again when it changes; a key that is gone from it is out at once.\n",
     edda_command_keygen, keygen_switches, no_settings, 1, 1},
    {"import", "PATH... [--url URL] [--key KEY] [--no-wait]",
     "bring files and folders in (.txt .md .html .csv .json)",
     "Each file becomes a memo whose reference_id is its path as given. Importing again sends "
     "only\n"
     "what is new or changed: a changed file changes its memo, an unchanged one is not sent. An\n"
     "import that was interrupted goes on where it was when it is run again. Waits until all is\n"
     "processed unless --no-wait is given, and says why that takes long: a provider that refuses,\n"
     "a service that does not answer. Exit status 1 when any file failed.\n",
     edda_command_import, import_switches, http_settings, 1, SIZE_MAX},
    {"search", "\"question\" [--url URL] [--key KEY] [--json]", "ask, and read ranked passages",
     "Prints the best passages with the memo each comes from. --json prints the service's answer\n"
     "as it is.\n",
     edda_command_search, search_switches, http_settings, 1, SIZE_MAX},
    {"chat", "\"question\" [--chat ID] [--provider NAME] [--no-sources] [--json]",
     "ask, and read an answer with its sources",
     "Prints the answer as it is written, then the sources it cites, with the memo each is from.\n"
     "--chat goes on with a chat; --provider names who answers instead of the service's default;\n"
     "--json prints the service's whole answer. Exit status 1 when there is none, or when it "
     "broke\n"
     "off; the reason is on standard error. Ctrl-C stops it, and the model too.\n",
     edda_command_chat, chat_switches, http_settings, 1, SIZE_MAX},
    {"send", "OP [--connect URL] [--project NAME] < args.json",
     "one message to one stage, its output as JSON",
     "Reads the arguments as one JSON object from standard input (nothing: no arguments), sends\n"
     "one step and prints the stage's output. `edda send` without an OP lists all of them.\n",
     edda_command_send, NULL, send_settings, 0, 1},
    {"jobs", "[--dead] | jobs redrive ID|--all", "look at durable jobs and run dead ones again",
     "Lists the jobs that are not done: waiting, running or dead. A job is dead after five failed\n"
     "attempts or three deaths of its worker; redrive puts it back with a clean count.\n",
     edda_command_jobs, jobs_switches, local_settings, 0, 2},
    {"reembed", "[--project NAME] [--look] [--no-wait]",
     "new vectors for what another model embedded",
     "After EMBEDDING_PROVIDER or its model was changed: embeds every stored chunk that has no\n"
     "vector of the embedder's present model, in all projects or in one, while the service goes\n"
     "on. The old vectors serve until a project's new ones are complete, as long as the embedder\n"
     "can still speak the old model; then its searches use the new ones. Run again after an\n"
     "interruption it goes on where it was. --look only counts.\n",
     edda_command_reembed, reembed_switches, send_settings, 0, 0},
    {"migrate", "[--database URL] [--data DIR]", "bring the store's tables to this version",
     "A store does so by itself when it starts; this is for who lets nobody but himself change\n"
     "tables. Several may run at once. Never back: a program that is older than the tables says "
     "so.\n",
     edda_command_migrate, NULL, database_settings, 0, 0},
    {"copy", "--from sqlite:DIR --to postgres://...", "move a store to PostgreSQL",
     "Everything goes: memos, chunks, vectors, chats, keys, jobs that wait. The service on DIR "
     "must have\n"
     "ended, and the database be empty. What is broken off goes on when it is said again. At the "
     "end\n"
     "both sides are counted and compared. Without --to, EDDA_DATABASE_URL is where it goes.\n",
     edda_command_copy, copy_switches, database_settings, 0, 0},
    {"index", "[list|build|drop] [--model NAME] [--database URL]",
     "PostgreSQL's indexes over vectors",
     "A search looks at all vectors of a project of up to --vector-exact-chunks chunks, which is "
     "exact\n"
     "and fast; larger ones want an index (HNSW). build makes those that are missing, beside all "
     "that\n"
     "goes on, and shows how far it is: load first, index after, for an index makes writing "
     "slower. "
     "drop\n"
     "takes them away, before much is loaded; list (or nothing) shows what there is.\n",
     edda_command_index, index_switches, index_settings, 0, 1},
    {"eval",
     "--collection DIR [--queries N] [--typo] [--json] [--compare FILE] [--without PART]...\n"
     "                 [--tune] [--keep] [--url URL --key KEY]",
     "how good search is, on judged questions",
     "The folder has BEIR's shape: docs.jsonl {id, title, text}, queries.jsonl {id, text} and\n"
     "qrels.tsv (query, document, grade). Its documents go into a scratch directory, served by "
     "all\n"
     "parts in this process and removed after (--keep keeps it); with --url into the key's "
     "project\n"
     "of a running service, each with its id as reference_id, so that a second run sends nothing.\n"
     "Prints nDCG@10 (linear gain), R@10, R@100 and MRR@10 of each ranking a search is made of.\n"
     "--queries N takes N of them, spread evenly over the file. --typo asks them mistyped too. "
     "--json\n"
     "has every query's figures; --compare FILE tests the difference to such an answer. --without\n"
     "leaves parts out: expansion, grams, vector, rerank, or a feature of the reranker. --tune\n"
     "chooses the shares of words, 4-grams and vectors for these questions, by cross-validation,\n"
     "and prints the settings to keep.\n",
     edda_command_eval, eval_switches, http_settings, 0, 0},
    {"doctor", "[--data DIR] [--database URL] [--http ADDR:PORT] [--connect URL]",
     "what is wrong here, in words",
     "Looks at the data directory or the database, disk, lock, limits, ports, the running service\n"
     "and its stages, dead jobs and library versions. Exit status 1 when something is wrong.\n",
     edda_command_doctor, NULL, doctor_settings, 0, 0},
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static const struct edda_command *find_command(const char *name) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

int edda_command_misused(const struct edda_command *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "edda %s: ", command->name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nusage: edda %s %s\n", command->name, command->usage);
    va_end(arguments);
    return EDDA_EXIT_USAGE;
}

static void print_overview(FILE *out) {
    fprintf(out, "edda %s: documents in, passages out, over HTTP\n\n", EDDA_VERSION);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  edda %-9s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\n  edda help COMMAND   how to use one (also: edda COMMAND --help)\n"
                 "  edda help settings  every flag and its environment variable\n"
                 "  edda --version\n");
}

static void print_setting(FILE *out, enum edda_setting setting) {
    const struct edda_setting_info *info = edda_setting_info(setting);
    fprintf(out, "  %-22s %-24s %s%s%s%s\n", info->flag, info->variable, info->help,
            info->fallback[0] ? " (default " : "", info->fallback, info->fallback[0] ? ")" : "");
}

static void print_manual(FILE *out, const struct edda_command *command) {
    fprintf(out, "edda %s: %s\n\nusage: edda %s %s\n\n%s", command->name, command->summary,
            command->name, command->usage, command->manual);
    if (command->settings[0] < 0)
        return;
    fprintf(out, "\nflags, and the same as environment variables:\n");
    for (const int *setting = command->settings; *setting >= 0; setting++)
        print_setting(out, (enum edda_setting) * setting);
    fprintf(out, "Every other setting is taken too: edda help settings\n");
}

static int give_help(const char *topic) {
    if (!topic) {
        print_overview(stdout);
        return EDDA_EXIT_OK;
    }
    if (strcmp(topic, "settings") == 0) {
        for (size_t i = 0; i < EDDA_CONFIG_COUNT; i++)
            print_setting(stdout, (enum edda_setting)i);
        return EDDA_EXIT_OK;
    }
    const struct edda_command *command = find_command(topic);
    if (!command) {
        fprintf(stderr, "edda help: there is no command %s\n", topic);
        return EDDA_EXIT_USAGE;
    }
    print_manual(stdout, command);
    return EDDA_EXIT_OK;
}

static int refuse_unknown(const char *name) {
    const char *known[COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        known[i] = commands[i].name;
    const char *nearest = edda_nearest(name, known, COMMAND_COUNT, edda_nearest_typo(name));
    fprintf(stderr, "edda: there is no command %s%s%s%s\n", name, nearest ? "; did you mean " : "",
            nearest ? nearest : "", nearest ? "?" : "");
    print_overview(stderr);
    return EDDA_EXIT_USAGE;
}

/* A core would hold the keys, in libraries' memory too. The second is for handlers that are given
 * cores through a pipe, which no limit holds back. */
static void leave_no_core(void) {
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0);
}

static int run_with_options(const struct edda_command *command, struct edda_options *options) {
    if (options->word_count < command->minimum_words)
        return edda_command_misused(command, "something is missing");
    if (options->word_count > command->maximum_words)
        return edda_command_misused(command, "%s is too much",
                                    options->words[command->maximum_words]);
    const char *level = edda_config_text(options->config, EDDA_CONFIG_LOG_LEVEL);
    bool serves = command->run == edda_command_up || command->run == edda_command_role;
    bool quiet = !serves && !options->given[EDDA_CONFIG_LOG_LEVEL];
    enum edda_log_level chosen = strcmp(level, "debug") == 0     ? EDDA_LOG_DEBUG
                                 : strcmp(level, "warning") == 0 ? EDDA_LOG_WARNING
                                 : strcmp(level, "error") == 0   ? EDDA_LOG_ERROR
                                 : quiet                         ? EDDA_LOG_WARNING
                                                                 : EDDA_LOG_INFO;
    edda_log_setup(chosen,
                   strcmp(edda_config_text(options->config, EDDA_CONFIG_LOG_FORMAT), "json") == 0);
    if (edda_config_has_secret(options->config))
        leave_no_core();
    return command->run(command, options);
}

/* Not for people: how a part starts its child processes (actors/runtime/isolate.h). */
static int serve_isolated(const char *part) {
    const struct edda_part_kind *kind = edda_part_find(part);
    return kind && kind->isolated ? edda_isolated_serve(kind->isolated) : EDDA_EXIT_USAGE;
}

int main(int count, char **arguments) {
    (void)umask(077); /* what it makes, database and sockets too, is for its user alone */
    if (sodium_init() < 0) {
        fprintf(stderr, "edda: no source of randomness\n");
        return EDDA_EXIT_FAILED;
    }
    const char *name = count > 1 ? arguments[1] : "";
    if (strcmp(name, "isolated") == 0 && count == 3)
        return serve_isolated(arguments[2]);
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        printf("edda %s\n", EDDA_VERSION);
        return EDDA_EXIT_OK;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return give_help(count > 2 ? arguments[2] : NULL);
    if (count < 2) {
        print_overview(stderr);
        return EDDA_EXIT_USAGE;
    }
    const struct edda_command *command = find_command(name);
    if (!command)
        return refuse_unknown(name);
    struct edda_options options;
    int error = edda_options_init(&options, command->switches, environ,
                                  (const char *const *)(arguments + 2), (size_t)count - 2);
    int status = EDDA_EXIT_OK;
    if (error != 0 && options.help)
        print_manual(stdout, command);
    else if (error != 0)
        status = edda_command_misused(command, "%s", options.message);
    else if (options.help)
        print_manual(stdout, command);
    else
        status = run_with_options(command, &options);
    edda_options_done(&options);
    if (fflush(stdout) != 0 && status == EDDA_EXIT_OK)
        status = EDDA_EXIT_FAILED;
    return status;
}
