/* tests/bench/quality_set.h: a judged collection read from a folder, and how good a ranking of it
 * is.
 *
 * The folder's shape is BEIR's: docs.jsonl {id, title, text}, queries.jsonl {id, text}, qrels.tsv
 * (query, document, grade). Errors end the program with a word of why: it is a tool. */
#ifndef EDDA_TESTS_BENCH_QUALITY_SET_H
#define EDDA_TESTS_BENCH_QUALITY_SET_H

#include <stdbool.h>
#include <stddef.h>

struct quality_record {
    char *id;
    char *title;
    char *text;
};

struct quality_judgement {
    size_t query;
    size_t doc;
    double grade;
};

struct quality_set {
    struct quality_record *docs;
    size_t doc_count;
    struct quality_record *queries;
    size_t query_count;
    struct quality_judgement *judgements;
    size_t judgement_count;
};

struct quality_figures {
    double ndcg;       /* at 10, linear gain */
    double recall;     /* of all documents given */
    double reciprocal; /* rank of the first right one, 0 when not among ten */
};

void quality_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Room for one more item of size bytes behind count; grows at powers of two. */
void *quality_grow(void *data, size_t count, size_t size);

struct quality_set quality_set_read(const char *folder);
void quality_set_done(struct quality_set *set);

/* Whether the query is judged at all; then *ret_figures of documents docs[0..count), best first. */
bool quality_judge(const struct quality_set *set, size_t query, const size_t *docs, size_t count,
                   struct quality_figures *ret_figures);

#endif
