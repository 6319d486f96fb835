/* tests/actors/provider/test_outbound_names.c: a name server that does not answer blocks no loop.
 *
 * getaddrinfo of this program answers when it is told to; curl calls it in a thread of its own. */
#include "tests/actors/provider/transfers.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool answers;
static size_t asked;
static size_t answered;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
    (void)node;
    (void)service;
    (void)hints;
    (void)result;
    pthread_mutex_lock(&lock);
    asked++;
    while (!answers) {
        pthread_cond_wait(&changed, &lock);
    }
    answered++;
    pthread_mutex_unlock(&lock);
    return EAI_NONAME;
}

static size_t get(const size_t *value) {
    pthread_mutex_lock(&lock);
    size_t copy = *value;
    pthread_mutex_unlock(&lock);
    return copy;
}

static void set_answers(bool now) {
    pthread_mutex_lock(&lock);
    answers = now;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static bool is_asked(void *context) {
    (void)context;
    return get(&asked) > get(&answered);
}

static bool is_answered(void *context) {
    (void)context;
    return get(&asked) == get(&answered);
}

static void send_to_name(struct transfer *transfer, const char *name) {
    transfer_make(transfer);
    snprintf(transfer->url, sizeof transfer->url, "http://%s/", name);
    transfer_send(transfer);
    assert_true(fake_loop_until(loop, is_asked, NULL, 10000));
}

/* The threads that asked end after their transfers: wait, so that nothing is taken for a leak. */
static void let_answer(void) {
    set_answers(true);
    assert_true(fake_loop_until(loop, is_answered, NULL, 10000));
    fake_loop_for(loop, 100);
    set_answers(false);
}

static void a_name_that_is_not_found_is_unavailable(void **state) {
    (void)state;
    struct transfer transfer;
    send_to_name(&transfer, "none.invalid");
    set_answers(true);
    transfer_expect(&transfer, EDDA_E_UNAVAILABLE);
    let_answer();
}

static void a_name_that_takes_too_long_is_a_timeout(void **state) {
    (void)state;
    struct transfer transfer;
    transfers_have_no_patience();
    send_to_name(&transfer, "slow.invalid");
    transfer_expect(&transfer, EDDA_E_TIMEOUT); /* would wait for ever if the end did */
    assert_string_equal(transfer.reason, "no connection in time");
    assert_int_equal(get(&answered) + 1, get(&asked));
    let_answer();
}

static void a_call_that_waits_for_a_name_is_cancelled_at_once(void **state) {
    (void)state;
    struct transfer transfer;
    send_to_name(&transfer, "cancelled.invalid");
    edda_transfer_cancel(&transfer.handle);
    assert_int_equal(edda_outbound_open(outbound), 0);
    assert_int_equal(get(&answered) + 1, get(&asked));
    let_answer();
    assert_int_equal(transfer.done, 0);
}

static void an_outbound_goes_while_a_name_is_looked_up(void **state) {
    (void)state;
    struct transfer transfer;
    send_to_name(&transfer, "gone.invalid");
    edda_outbound_destroy(&outbound);
    assert_int_equal(get(&answered) + 1, get(&asked));
    let_answer();
    assert_int_equal(transfer.done, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TRANSFER_TEST(a_name_that_is_not_found_is_unavailable),
        TRANSFER_TEST(a_name_that_takes_too_long_is_a_timeout),
        TRANSFER_TEST(a_call_that_waits_for_a_name_is_cancelled_at_once),
        TRANSFER_TEST(an_outbound_goes_while_a_name_is_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
