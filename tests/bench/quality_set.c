/* tests/bench/quality_set.c: reading a judged collection, and judging rankings of it. */
#include "tests/bench/quality_set.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOP          10
#define RELEVANT_MAX 1024

void quality_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void *quality_grow(void *data, size_t count, size_t size) {
    if ((count & (count - 1)) != 0) {
        return data;
    }
    void *moved = realloc(data, (count ? count * 2 : 1) * size);
    if (!moved) {
        quality_fail("out of memory");
    }
    return moved;
}

static FILE *open_file(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (!file) {
        quality_fail("cannot read %s", path);
    }
    return file;
}

static char *take_string(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    char *copy = strdup(json_is_string(value) ? json_string_value(value) : "");
    if (!copy) {
        quality_fail("out of memory");
    }
    return copy;
}

static struct quality_record *read_records(const char *folder, const char *name,
                                           size_t *ret_count) {
    FILE *file = open_file(folder, name);
    char *line = NULL;
    size_t size = 0;
    struct quality_record *records = NULL;
    *ret_count = 0;
    while (getline(&line, &size, file) > 0) {
        json_t *object = json_loads(line, 0, NULL);
        records = quality_grow(records, *ret_count, sizeof *records);
        records[(*ret_count)++] = (struct quality_record){
            take_string(object, "id"), take_string(object, "title"), take_string(object, "text")};
        json_decref(object);
    }
    free(line);
    fclose(file);
    return records;
}

static json_t *number_records(const struct quality_record *records, size_t count) {
    json_t *numbers = json_object();
    for (size_t i = 0; i < count; i++) {
        json_object_set_new(numbers, records[i].id, json_integer((json_int_t)i));
    }
    return numbers;
}

/* Ends the field at *at and moves behind it; NULL when there is none. */
static const char *take_field(char **at) {
    char *field = *at;
    if (!field) {
        return NULL;
    }
    char *end = field + strcspn(field, "\t\n");
    *at = *end == '\t' ? end + 1 : NULL;
    *end = 0;
    return field;
}

static void read_judgements(struct quality_set *set, const char *folder) {
    FILE *file = open_file(folder, "qrels.tsv");
    char *line = NULL;
    size_t size = 0;
    json_t *docs = number_records(set->docs, set->doc_count);
    json_t *queries = number_records(set->queries, set->query_count);
    while (getline(&line, &size, file) > 0) {
        char *at = line;
        const char *query = take_field(&at);
        const char *doc = take_field(&at);
        const char *grade = take_field(&at);
        const json_t *query_number = json_object_get(queries, query ? query : "");
        const json_t *doc_number = json_object_get(docs, doc ? doc : "");
        if (!query_number || !doc_number || !grade) {
            continue; /* the head line, or a judgement of something not here */
        }
        set->judgements =
            quality_grow(set->judgements, set->judgement_count, sizeof *set->judgements);
        set->judgements[set->judgement_count++] =
            (struct quality_judgement){(size_t)json_integer_value(query_number),
                                       (size_t)json_integer_value(doc_number), strtod(grade, NULL)};
    }
    free(line);
    fclose(file);
    json_decref(docs);
    json_decref(queries);
}

struct quality_set quality_set_read(const char *folder) {
    struct quality_set set = {0};
    set.docs = read_records(folder, "docs.jsonl", &set.doc_count);
    set.queries = read_records(folder, "queries.jsonl", &set.query_count);
    read_judgements(&set, folder);
    return set;
}

static void free_records(struct quality_record *records, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(records[i].id);
        free(records[i].title);
        free(records[i].text);
    }
    free(records);
}

void quality_set_done(struct quality_set *set) {
    free_records(set->docs, set->doc_count);
    free_records(set->queries, set->query_count);
    free(set->judgements);
    *set = (struct quality_set){0};
}

static double grade_of(const struct quality_set *set, size_t query, size_t doc) {
    for (size_t i = 0; i < set->judgement_count; i++) {
        if (set->judgements[i].query == query && set->judgements[i].doc == doc) {
            return set->judgements[i].grade;
        }
    }
    return 0;
}

static int compare_grades(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a > b ? -1 : a < b;
}

static double discount(size_t rank) {
    return 1 / log2((double)rank + 2);
}

bool quality_judge(const struct quality_set *set, size_t query, const size_t *docs, size_t count,
                   struct quality_figures *ret_figures) {
    double ideal[RELEVANT_MAX];
    size_t relevant = 0;
    size_t found = 0;
    double best = 0;
    *ret_figures = (struct quality_figures){0};
    for (size_t i = 0; i < set->judgement_count && relevant < RELEVANT_MAX; i++) {
        if (set->judgements[i].query == query && set->judgements[i].grade > 0) {
            ideal[relevant++] = set->judgements[i].grade;
        }
    }
    if (relevant == 0) {
        return false;
    }
    qsort(ideal, relevant, sizeof *ideal, compare_grades);
    for (size_t i = 0; i < relevant && i < TOP; i++) {
        best += ideal[i] * discount(i);
    }
    for (size_t i = 0; i < count; i++) {
        double grade = grade_of(set, query, docs[i]);
        found += grade > 0;
        if (grade > 0 && i < TOP) {
            ret_figures->ndcg += grade * discount(i) / best;
            if (ret_figures->reciprocal == 0) {
                ret_figures->reciprocal = 1 / ((double)i + 1);
            }
        }
    }
    ret_figures->recall = (double)found / (double)relevant;
    return true;
}
