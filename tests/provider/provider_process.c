/* tests/provider/provider_process.c: fork, exec, one line from its output, and curl. */
#include "tests/provider/provider_process.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/buffer.h"
#include "tests/proto/cmocka.h"

#define CALL_SECONDS 60L
#define ANSWER_BYTES ((size_t)256 << 20)

struct provider_process {
    pid_t pid;
    int input; /* closed: it ends */
    char url[64];
    char certificate[256];
    CURL *curl;
};

/* A test with threads or an event loop of its own may have blocked signals. */
static void run_child(int input, int output, const char *certificate, const char *key) {
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)dup2(input, STDIN_FILENO);
    (void)dup2(output, STDOUT_FILENO);
    if (certificate) {
        (void)execl(EDDA_FAKE_PROVIDER, EDDA_FAKE_PROVIDER, "--tls", certificate, key, NULL);
    } else {
        (void)execl(EDDA_FAKE_PROVIDER, EDDA_FAKE_PROVIDER, NULL);
    }
    _exit(127);
}

static void read_url(struct provider_process *fake, int output) {
    FILE *file = fdopen(output, "r");
    char line[128] = "";
    assert_non_null(file);
    (void)fgets(line, sizeof line, file);
    (void)fclose(file);
    if (sscanf(line, "fake_provider %63s", fake->url) != 1) {
        fail_msg("%s did not start", EDDA_FAKE_PROVIDER);
    }
}

struct provider_process *provider_process_start(const char *certificate, const char *key) {
    struct provider_process *fake = calloc(1, sizeof *fake);
    int input[2];
    int output[2];
    assert_non_null(fake);
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    fake->pid = fork();
    assert_true(fake->pid >= 0);
    if (fake->pid == 0) {
        run_child(input[0], output[1], certificate, key);
    }
    (void)close(input[0]);
    (void)close(output[1]);
    fake->input = input[1];
    read_url(fake, output[0]);
    (void)snprintf(fake->certificate, sizeof fake->certificate, "%s",
                   certificate ? certificate : "");
    fake->curl = curl_easy_init();
    assert_non_null(fake->curl);
    return fake;
}

void provider_process_stop(struct provider_process **fake_p) {
    struct provider_process *fake = *fake_p;
    int status = -1;
    if (!fake) {
        return;
    }
    *fake_p = NULL;
    curl_easy_cleanup(fake->curl);
    (void)close(fake->input);
    pid_t ended = waitpid(fake->pid, &status, 0);
    bool same = ended == fake->pid;
    free(fake);
    assert_true(same);
    assert_int_equal(status, 0);
}

int start_provider(void **state) {
    *state = provider_process_start(NULL, NULL);
    return 0;
}

int stop_provider(void **state) {
    struct provider_process *provider = *state;
    provider_process_stop(&provider);
    return 0;
}

void provider_process_url(const struct provider_process *fake, const char *prefix, char *url,
                          size_t size) {
    (void)snprintf(url, size, "%s%s%s", fake->url, prefix && *prefix ? "/" : "",
                   prefix ? prefix : "");
}

static size_t keep(char *data, size_t size, size_t count, void *context) {
    return edda_buffer_append(context, data, size * count) ? 0 : size * count;
}

/* body NULL: GET. */
static json_t *call(struct provider_process *fake, const char *path, const char *body) {
    struct edda_buffer answer;
    json_error_t error;
    char url[256];
    long status = 0;
    edda_buffer_init(&answer, ANSWER_BYTES);
    provider_process_url(fake, path, url, sizeof url);
    curl_easy_reset(fake->curl);
    curl_easy_setopt(fake->curl, CURLOPT_URL, url);
    curl_easy_setopt(fake->curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(fake->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(fake->curl, CURLOPT_TIMEOUT, CALL_SECONDS);
    curl_easy_setopt(fake->curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(fake->curl, CURLOPT_WRITEDATA, &answer);
    if (fake->certificate[0]) {
        curl_easy_setopt(fake->curl, CURLOPT_CAINFO, fake->certificate);
    }
    if (body) {
        curl_easy_setopt(fake->curl, CURLOPT_POSTFIELDS, body);
    }
    CURLcode code = curl_easy_perform(fake->curl);
    curl_easy_getinfo(fake->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK || status != 200) {
        fail_msg("%s: %s, status %ld: %.*s", path, curl_easy_strerror(code), status,
                 (int)answer.size, answer.data ? (const char *)answer.data : "");
    }
    json_t *json = json_loadb((const char *)answer.data, answer.size, 0, &error);
    assert_non_null(json);
    edda_buffer_done(&answer);
    return json;
}

void provider_process_set(struct provider_process *fake, const char *settings) {
    json_decref(call(fake, "control/set", settings));
}

void provider_process_reset(struct provider_process *fake) {
    json_decref(call(fake, "control/reset", ""));
}

json_t *provider_process_counters(struct provider_process *fake) {
    return call(fake, "control/counters", NULL);
}

json_t *provider_process_requests(struct provider_process *fake, int last) {
    char path[64];
    (void)snprintf(path, sizeof path, "control/requests?last=%d", last);
    return call(fake, path, NULL);
}

int64_t provider_process_count(struct provider_process *fake, const char *kind, const char *name) {
    json_t *counters = provider_process_counters(fake);
    const json_t *count = json_object_get(kind ? json_object_get(counters, kind) : counters, name);
    int64_t number = json_integer_value(count);
    if (!json_is_integer(count)) {
        fail_msg("no counter is called %s", name);
    }
    json_decref(counters);
    return number;
}
