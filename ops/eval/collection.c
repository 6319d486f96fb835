/* ops/eval/collection.c: see collection.h. */
#include "ops/eval/collection.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/text/text.h"

#define PATH_BYTES    4096
#define LINE_BYTES    (64u << 20)
#define ID_BYTES      255
#define GRADE_MAXIMUM 1e6

/* What is being read, and where a complaint goes. */
struct source {
    const char *folder;
    char path[PATH_BYTES];
    const char *name; /* within the folder */
    FILE *file;
    size_t line;
    char *text; /* of the line, owned */
    size_t room;
    size_t size;
    char *message;
};

/* An id and the number it stands for. */
struct named {
    const char *id;
    size_t number;
};

struct names {
    struct named *items; /* sorted by id */
    size_t count;
};

static int complain(const struct source *source, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int complain(const struct source *source, const char *format, ...) {
    va_list arguments;
    int size = snprintf(source->message, EDDA_COLLECTION_MESSAGE, "%.300s:%zu: ", source->path,
                        source->line);
    va_start(arguments, format);
    if (size > 0 && size < EDDA_COLLECTION_MESSAGE)
        vsnprintf(source->message + size, EDDA_COLLECTION_MESSAGE - (size_t)size, format,
                  arguments);
    va_end(arguments);
    return EDDA_E_INVALID;
}

static int open_source(struct source *source, const char *name, const char *other) {
    snprintf(source->path, sizeof source->path, "%s/%s", source->folder, name);
    if (access(source->path, F_OK) != 0) {
        snprintf(source->path, sizeof source->path, "%s/%s", source->folder, other);
        if (access(source->path, F_OK) != 0)
            snprintf(source->path, sizeof source->path, "%s/%s", source->folder, name);
    }
    source->line = 0;
    source->file = fopen(source->path, "r");
    if (source->file)
        return 0;
    snprintf(source->message, EDDA_COLLECTION_MESSAGE,
             "cannot read %.300s: a collection has docs.jsonl, queries.jsonl and qrels.tsv",
             source->path);
    return EDDA_E_IO;
}

static void close_source(struct source *source) {
    if (source->file)
        fclose(source->file);
    source->file = NULL;
}

/* 1: a line is there; 0: the end. */
static int next_line(struct source *source) {
    ssize_t got = getline(&source->text, &source->room, source->file);
    if (got < 0 && ferror(source->file)) {
        snprintf(source->message, EDDA_COLLECTION_MESSAGE, "cannot read %.300s", source->path);
        return EDDA_E_IO;
    }
    if (got < 0)
        return 0;
    source->line++;
    source->size = (size_t)got;
    if (source->size > LINE_BYTES)
        return complain(source, "the line is too long");
    if (memchr(source->text, '\0', source->size))
        return complain(source, "there is a NUL character in the line");
    return 1;
}

static int grow(void **items, size_t count, size_t size) {
    if ((count & (count - 1)) != 0)
        return 0;
    void *moved = realloc(*items, (count ? count * 2 : 1) * size);
    if (!moved)
        return EDDA_E_MEMORY;
    *items = moved;
    return 0;
}

/* ---- JSON lines ---- */

/* A number stands for its digits. */
static int take_id(const struct source *source, const json_t *object, char **ret_id) {
    const json_t *value = json_object_get(object, "id");
    value = value ? value : json_object_get(object, "_id");
    if (json_is_integer(value))
        return asprintf(ret_id, "%lld", (long long)json_integer_value(value)) < 0 ? EDDA_E_MEMORY
                                                                                  : 0;
    if (!json_is_string(value) || json_string_length(value) == 0)
        return complain(source, "there is no \"id\"");
    if (json_string_length(value) > ID_BYTES)
        return complain(source, "the id has more than %d bytes", ID_BYTES);
    *ret_id = strdup(json_string_value(value));
    return *ret_id ? 0 : EDDA_E_MEMORY;
}

static int take_text(const struct source *source, const json_t *object, const char *key,
                     bool needed, char **ret_text) {
    const json_t *value = json_object_get(object, key);
    if (value && !json_is_null(value) && !json_is_string(value))
        return complain(source, "\"%s\" is no string", key);
    if (needed && (!json_is_string(value) || json_string_length(value) == 0))
        return complain(source, "there is no \"%s\"", key);
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    *ret_text = strdup(text);
    return *ret_text ? 0 : EDDA_E_MEMORY;
}

/* The line as an object; *ret_object is NULL for a blank line. */
static int parse_line(const struct source *source, json_t **ret_object) {
    json_error_t problem;
    *ret_object = NULL;
    if (source->text[strspn(source->text, " \t\r\n")] == '\0')
        return 0;
    *ret_object = json_loadb(source->text, source->size, 0, &problem);
    if (json_is_object(*ret_object))
        return 0;
    bool parsed = *ret_object != NULL;
    json_decref(*ret_object);
    *ret_object = NULL;
    return parsed ? complain(source, "this is no JSON object")
                  : complain(source, "this is not JSON: %s", problem.text);
}

static int add_document(struct source *source, const json_t *object,
                        struct edda_collection *collection) {
    int error = grow((void **)&collection->documents, collection->document_count,
                     sizeof *collection->documents);
    if (error)
        return error;
    struct edda_judged_document *document = &collection->documents[collection->document_count++];
    *document = (struct edda_judged_document){NULL, NULL, NULL};
    error = take_id(source, object, &document->id);
    if (!error)
        error = take_text(source, object, "title", false, &document->title);
    if (!error)
        error = take_text(source, object, "text", false, &document->text);
    if (!error && !document->text[0] && !document->title[0])
        error = complain(source, "there is neither \"text\" nor \"title\"");
    return error;
}

static int add_query(struct source *source, const json_t *object,
                     struct edda_collection *collection) {
    int error =
        grow((void **)&collection->queries, collection->query_count, sizeof *collection->queries);
    if (error)
        return error;
    struct edda_judged_query *query = &collection->queries[collection->query_count++];
    *query = (struct edda_judged_query){0};
    error = take_id(source, object, &query->id);
    return error ? error : take_text(source, object, "text", true, &query->text);
}

static int read_lines(struct source *source, struct edda_collection *collection,
                      int (*add)(struct source *, const json_t *, struct edda_collection *)) {
    int more;
    while ((more = next_line(source)) > 0) {
        json_t *object;
        int error = parse_line(source, &object);
        if (!error && object)
            error = add(source, object, collection);
        json_decref(object);
        if (error)
            return error;
    }
    return more;
}

/* ---- judgements ---- */

static int compare_names(const void *left, const void *right) {
    return strcmp(((const struct named *)left)->id, ((const struct named *)right)->id);
}

static int sort_names(const struct source *source, struct names *names) {
    if (names->count > 1)
        qsort(names->items, names->count, sizeof *names->items, compare_names);
    for (size_t i = 1; i < names->count; i++) {
        if (strcmp(names->items[i].id, names->items[i - 1].id) == 0) {
            snprintf(source->message, EDDA_COLLECTION_MESSAGE, "%.200s: the id %s is there twice",
                     source->path, names->items[i].id);
            return EDDA_E_INVALID;
        }
    }
    return 0;
}

static size_t find_name(const struct names *names, const char *id) {
    struct named wanted = {id, 0};
    const struct named *found =
        names->count ? bsearch(&wanted, names->items, names->count, sizeof wanted, compare_names)
                     : NULL;
    return found ? found->number : EDDA_NO_DOCUMENT;
}

/* Ends the field at *at and moves behind it; NULL when there is none. */
static char *take_field(char **at) {
    char *field = *at;
    if (!field)
        return NULL;
    char *end = field + strcspn(field, "\t\r\n");
    *at = *end == '\t' ? end + 1 : NULL;
    *end = '\0';
    return field;
}

static int add_judgement(struct source *source, struct edda_collection *collection,
                         const struct names *documents, const struct names *queries) {
    char *at = source->text;
    const char *query_id = take_field(&at);
    const char *document_id = take_field(&at);
    const char *grade_text = take_field(&at);
    char *end = NULL;
    double grade = grade_text ? strtod(grade_text, &end) : 0;
    if (!query_id[0] && !document_id)
        return 0; /* a blank line */
    if (!grade_text || end == grade_text || *end || !(grade >= -GRADE_MAXIMUM) ||
        grade > GRADE_MAXIMUM) {
        if (source->line == 1)
            return 0; /* the head */
        return complain(source, "not query, document and grade with tabs between");
    }
    size_t query_number = find_name(queries, query_id);
    size_t document = find_name(documents, document_id);
    if (query_number == EDDA_NO_DOCUMENT) {
        collection->unknown_queries++;
        return 0;
    }
    collection->unknown_documents += document == EDDA_NO_DOCUMENT;
    struct edda_judged_query *query = &collection->queries[query_number];
    int error = grow((void **)&query->grades, query->grade_count, sizeof *query->grades);
    if (!error)
        query->grades[query->grade_count++] = (struct edda_grade){document, grade};
    return error;
}

static int read_judgements(struct source *source, struct edda_collection *collection,
                           const struct names *documents, const struct names *queries) {
    int more;
    while ((more = next_line(source)) > 0) {
        int error = add_judgement(source, collection, documents, queries);
        if (error)
            return error;
    }
    return more;
}

static void free_query(struct edda_judged_query *query) {
    free(query->id);
    free(query->text);
    free(query->grades);
}

/* Queries of which nothing is right tell nothing. */
static void drop_unjudged(struct edda_collection *collection) {
    size_t kept = 0;
    for (size_t i = 0; i < collection->query_count; i++) {
        struct edda_judged_query *query = &collection->queries[i];
        bool right = false;
        for (size_t k = 0; k < query->grade_count; k++)
            right = right || query->grades[k].grade > 0;
        if (right)
            collection->queries[kept++] = *query;
        else
            free_query(query);
    }
    collection->query_count = kept;
}

/* ---- the whole ---- */

static int name_all(const struct source *source, struct edda_collection *collection,
                    struct names *documents, struct names *queries, bool of_queries) {
    struct names *names = of_queries ? queries : documents;
    size_t count = of_queries ? collection->query_count : collection->document_count;
    names->items = malloc((count + 1) * sizeof *names->items);
    if (!names->items)
        return EDDA_E_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const char *id = of_queries ? collection->queries[i].id : collection->documents[i].id;
        names->items[names->count++] = (struct named){id, i};
    }
    return sort_names(source, names);
}

static int read_folder(struct source *source, struct edda_collection *collection,
                       struct names *documents, struct names *queries) {
    int error = open_source(source, "docs.jsonl", "corpus.jsonl");
    if (!error)
        error = read_lines(source, collection, add_document);
    if (!error)
        error = name_all(source, collection, documents, queries, false);
    close_source(source);
    if (!error)
        error = open_source(source, "queries.jsonl", "queries.jsonl");
    if (!error)
        error = read_lines(source, collection, add_query);
    if (!error)
        error = name_all(source, collection, documents, queries, true);
    close_source(source);
    if (!error)
        error = open_source(source, "qrels.tsv", "qrels/test.tsv");
    if (!error)
        error = read_judgements(source, collection, documents, queries);
    close_source(source);
    if (error)
        return error;
    drop_unjudged(collection);
    if (collection->query_count > 0 && collection->document_count > 0)
        return 0;
    snprintf(source->message, EDDA_COLLECTION_MESSAGE,
             "%.300s: no query of this collection has a right answer", source->folder);
    return EDDA_E_INVALID;
}

static void name_collection(const char *folder, struct edda_collection *collection) {
    size_t end = strlen(folder);
    while (end > 1 && folder[end - 1] == '/')
        end--;
    size_t from = end;
    while (from > 0 && folder[from - 1] != '/')
        from--;
    struct edda_text name = {folder + from, end - from};
    if (name.size >= sizeof collection->name)
        name.size = sizeof collection->name - 1;
    memcpy(collection->name, name.data, name.size);
    collection->name[name.size] = '\0';
}

int edda_collection_read(const char *folder, struct edda_collection *ret_collection,
                         char message[EDDA_COLLECTION_MESSAGE]) {
    struct source source = {.folder = folder, .message = message};
    struct names documents = {0};
    struct names queries = {0};
    *ret_collection = (struct edda_collection){.documents = NULL};
    name_collection(folder, ret_collection);
    snprintf(message, EDDA_COLLECTION_MESSAGE, "out of memory");
    int error = read_folder(&source, ret_collection, &documents, &queries);
    free(documents.items);
    free(queries.items);
    free(source.text);
    if (error)
        edda_collection_done(ret_collection);
    return error;
}

void edda_collection_keep(struct edda_collection *collection, size_t count) {
    size_t all = collection->query_count;
    size_t kept = 0;
    for (size_t i = 0; i < all && count < all; i++) {
        if (kept < count && i == kept * all / count)
            collection->queries[kept++] = collection->queries[i];
        else
            free_query(&collection->queries[i]);
    }
    collection->query_count = count < all ? kept : all;
}

void edda_collection_done(struct edda_collection *collection) {
    for (size_t i = 0; i < collection->document_count; i++) {
        free(collection->documents[i].id);
        free(collection->documents[i].title);
        free(collection->documents[i].text);
    }
    edda_collection_keep(collection, 0);
    free(collection->documents);
    free(collection->queries);
    *collection = (struct edda_collection){.documents = NULL};
}
