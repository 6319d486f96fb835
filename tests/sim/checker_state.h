/* tests/sim/checker_state.h: what the checker remembers, for its own files. */
#ifndef EDDA_TESTS_SIM_CHECKER_STATE_H
#define EDDA_TESTS_SIM_CHECKER_STATE_H

#include "proto/types.h"
#include "tests/sim/checker.h"

#define CHECKER_PAIRS    12
#define CHECKER_KEY      64
#define CHECKER_OFFENCES 50
#define CHECKER_SLACK_US INT64_C(20000000) /* a half-open connection may be found out so late */

struct checker_line {
    int64_t time_us;
    struct edda_text node;
    struct edda_text event;
    struct {
        struct edda_text key;
        struct edda_text value;
    } pairs[CHECKER_PAIRS];
    size_t count;
};

/* First member of everything that has a name. */
struct checker_entry {
    struct checker_entry *next;  /* with the same remainder */
    struct checker_entry *later; /* in the order they came */
    char name[CHECKER_KEY];
};

struct checker_table {
    struct checker_entry **buckets;
    size_t bucket_count;
    size_t count;
    struct checker_entry *first;
    struct checker_entry *last;
    size_t size; /* of an entry */
};

struct checker_node {
    struct checker_entry entry;
    int64_t harmed_until_us; /* 0: never was */
    int64_t stopped_us;      /* since when; 0: it runs */
    int64_t stopped_sum_us;
};

enum checker_request_state { REQUEST_UNKNOWN, REQUEST_OPEN, REQUEST_ANSWERED, REQUEST_GONE };

struct checker_request {
    struct checker_entry entry;
    enum checker_request_state state;
    struct checker_node *asker;
    int64_t asked_us;
    int64_t within_us;
    int64_t stopped_sum_us; /* of the asker, when it asked */
    bool refused;           /* a worker failed it */
    int64_t dispatched_us;  /* first time; 0: never */
    struct checker_node *broker;
    struct checker_node *workers[8]; /* the last that had it */
    size_t worker_count;
};

enum checker_job_state { JOB_READY, JOB_LEASED, JOB_DONE, JOB_DEAD, JOB_REMOVED };

struct checker_memo {
    struct checker_entry entry;
    bool accepted;
    bool poison;
    bool deleting;
    bool stored;
    int64_t accepted_us;
    int64_t ready_us;
    int64_t expected; /* chunks + 1; 0: not said */
    char state[16];
    char reason[128];
    int64_t chunks;
    int64_t dimension; /* with `stored`; -1: not said */
    int64_t seen;      /* chunk lines */
};

struct checker_job {
    struct checker_entry entry;
    enum checker_job_state state;
    uint64_t token;
    struct checker_memo *memo;
    struct checker_node *holder;
    struct checker_request *request; /* of the last token */
    int64_t attempts;                /* claims that were not given back */
    int64_t deaths;
};

struct checker_peer {
    struct checker_entry entry;
    uint64_t granted;
    uint64_t granted_bytes;
    uint64_t sent;
    uint64_t sent_bytes;
};

struct checker_key {
    struct checker_entry entry;
    char memo[CHECKER_KEY];
};

struct checker {
    size_t lines;
    int64_t now_us;
    bool ended;
    bool all;
    bool gentle;
    char but[32];              /* the one error that is no wonder; may be empty */
    int64_t ready_bound_us;    /* 0: none */
    int64_t answered_bound_us; /* 0: none */
    struct checker_table nodes;
    struct checker_table requests;
    struct checker_table memos;
    struct checker_table jobs;
    struct checker_table peers;
    struct checker_table keys;
    struct checker_table chunks; /* entries alone: memo/part/number */
    size_t offences;
    char *report; /* owned */
    size_t report_size;
};

/* ---- checker.c ---- */

void checker_offend(struct checker *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The entry of that name; made when it is not there. Cut to CHECKER_KEY - 1 bytes. */
void *checker_entry(struct checker_table *table, struct edda_text name);
void *checker_find(const struct checker_table *table, struct edda_text name);

/* Values of a line by key; the absent text, or fallback. */
struct edda_text checker_text(const struct checker_line *line, const char *key);
int64_t checker_number(const struct checker_line *line, const char *key, int64_t fallback);

/* ---- the rules, by what they are about ---- */

#define CHECKER_EVENT(name, keys, meaning)                                                         \
    void checker_on_##name(struct checker *self, const struct checker_line *line);
#include "tests/sim/event.def"
#undef CHECKER_EVENT

void checker_finish_requests(struct checker *self);
void checker_finish_jobs(struct checker *self);
void checker_finish_memos(struct checker *self);

#endif
