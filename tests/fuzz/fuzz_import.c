/* tests/fuzz/fuzz_import.c: a file that is imported, and what the service answers to it.
 *
 * The input is the file's name, a zero, its bytes. What is taken is text with a title that is text,
 * goes into a form and a patch as it is, and is known again in the memo that the patch makes. The
 * bytes are also read as an answer: words for people come out, whatever they are. */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ops/answer.h"
#include "ops/document.h"
#include "proto/utf8.h"
#include "tests/fuzz/fuzz.h"

#define NAME_BYTES 250

static char folder[] = "/tmp/edda-fuzz-XXXXXX";

static void remove_folder(void) {
    rmdir(folder);
}

static bool is_text(const char *string) {
    return edda_utf8_valid(string, strlen(string));
}

static void check_form(const struct edda_document *document) {
    char *type = NULL;
    uint8_t *body = NULL;
    size_t size = 0;
    EDDA_ASSERT(edda_document_form(document, &type, &body, &size) == 0);
    const char *boundary = strstr(type, "boundary=") + strlen("boundary=");
    EDDA_ASSERT(size > document->size && memcmp(body, "--", 2) == 0 &&
                memcmp(body + 2, boundary, strlen(boundary)) == 0);
    EDDA_ASSERT(memmem(body, size, document->bytes, document->size));
    EDDA_ASSERT(edda_utf8_valid((const char *)body, size));
    free(type);
    free(body);
}

static void check_patch(const struct edda_document *document) {
    char *patch = edda_document_patch(document);
    EDDA_ASSERT(patch);
    struct edda_bytes memo = {(const uint8_t *)patch, strlen(patch)};
    json_t *json = json_loadb(patch, memo.size, 0, NULL);
    EDDA_ASSERT(json && edda_document_same(document, memo));
    EDDA_ASSERT(strcmp(json_string_value(json_object_get(json, "title")), document->title) == 0);
    json_object_set_new(json, "content", json_string("another"));
    char *other = json_dumps(json, JSON_COMPACT);
    bool another = document->size != strlen("another") ||
                   memcmp(document->bytes, "another", document->size) != 0;
    EDDA_ASSERT(edda_document_same(document, (struct edda_bytes){(const uint8_t *)other,
                                                                 strlen(other)}) != another);
    json_decref(json);
    free(other);
    free(patch);
}

static void check_file(const char *name, struct edda_bytes bytes) {
    char path[512];
    const char *why = NULL;
    struct edda_document document;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    EDDA_ASSERT(fd >= 0 && write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size);
    EDDA_ASSERT(close(fd) == 0);
    struct edda_file file = {.path = path};
    edda_files_reference(path, file.reference);
    if (edda_document_read(&document, &file, &why) == 0) {
        EDDA_ASSERT(edda_utf8_valid((const char *)bytes.data, bytes.size) && bytes.size > 0);
        EDDA_ASSERT(is_text(document.title) && is_text(file.reference));
        check_form(&document);
        check_patch(&document);
        edda_document_done(&document);
    } else {
        EDDA_ASSERT(why && *why && !document.bytes);
    }
    EDDA_ASSERT(unlink(path) == 0);
}

static void check_answer(struct edda_bytes body) {
    char text[24];
    char words[64];
    memset(text, 'x', sizeof text);
    if (edda_answer_text(body, "memo_uuid", text, sizeof text)) {
        EDDA_ASSERT(strnlen(text, sizeof text) < sizeof text && is_text(text));
    }
    edda_answer_problem(500, body, NULL, words, sizeof words);
    EDDA_ASSERT(words[0] && strnlen(words, sizeof words) < sizeof words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool begun;
    char name[NAME_BYTES + 1];
    struct fuzz_input input = {data, data + size};
    if (!begun) {
        begun = true;
        EDDA_ASSERT(mkdtemp(folder) && atexit(remove_folder) == 0);
    }
    size_t length = strnlen((const char *)data, size < NAME_BYTES ? size : NAME_BYTES);
    for (size_t i = 0; i < length; i++) {
        name[i] = data[i] == '/' ? '_' : (char)data[i];
    }
    name[length] = '\0';
    input.at += length;
    input.at += !fuzz_is_over(&input);
    struct edda_bytes bytes = {input.at, (size_t)(input.end - input.at)};
    if (length > 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
        check_file(name, bytes);
    }
    check_answer(bytes);
    return 0;
}
