/* tests/actors/provider/test_outbound_connections.c: when connections are shared, made, capped, and
 * made to a proxy instead. */
#include "tests/actors/provider/transfers.h"

static bool was_sent(size_t n, const char *text) {
    return strstr(scripted_request(server, n), text) != NULL;
}

static void calls_one_after_the_other_share_a_connection(void **state) {
    (void)state;
    struct transfer transfer;
    for (int i = 0; i < 3; i++) {
        transfer_post(&transfer);
        transfer_expect(&transfer, 0);
    }
    assert_int_equal(scripted_requests(server), 3);
    assert_int_equal(scripted_connections(server), 1);
}

static void a_connection_that_the_server_closed_meanwhile_is_made_anew(void **state) {
    (void)state;
    struct transfer transfer;
    scripted_does(server, SCRIPT(SAY(SCRIPTED_OK), CLOSE()));
    transfer_post(&transfer);
    transfer_expect(&transfer, 0);
    await_open(0);
    transfer_post(&transfer);
    transfer_expect(&transfer, 0);
    assert_int_equal(scripted_connections(server), 2);
}

static void nobody_waits_for_anothers_answer(void **state) {
    (void)state;
    struct transfer slow;
    struct transfer fast;
    scripted_does(server, SCRIPT(AWAIT(1), SAY(SCRIPTED_OK)));
    transfer_post(&slow);
    await_requests(1);
    transfer_post(&fast);
    transfer_expect(&fast, 0);
    assert_int_equal(slow.done, 0);
    scripted_go(server);
    transfer_expect(&slow, 0);
}

static void as_many_are_open_as_is_said_and_no_more(void **state) {
    (void)state;
    static struct transfer transfers[EDDA_OUTBOUND_CONNECTIONS];
    struct transfer one_more;
    transfers_use((struct edda_outbound_options){
        .connect_ms = 10000, .first_byte_ms = 20000, .idle_ms = 20000});
    for (size_t i = 0; i < EDDA_OUTBOUND_CONNECTIONS; i++) {
        scripted_does(server, SCRIPT(AWAIT(1), SAY(SCRIPTED_OK)));
    }
    for (size_t i = 0; i < EDDA_OUTBOUND_CONNECTIONS; i++) {
        transfer_post(&transfers[i]);
        assert_int_equal(edda_outbound_open(outbound), i + 1);
    }
    transfer_make(&one_more);
    assert_int_equal(edda_outbound_send(outbound, &one_more.request, &one_more.handle),
                     EDDA_E_LIMIT);
    assert_null(one_more.handle);
    await_requests(EDDA_OUTBOUND_CONNECTIONS);
    assert_int_equal(scripted_open(server), EDDA_OUTBOUND_CONNECTIONS);
    scripted_go(server);
    for (size_t i = 0; i < EDDA_OUTBOUND_CONNECTIONS; i++) {
        transfer_expect(&transfers[i], 0);
    }
    assert_int_equal(edda_outbound_open(outbound), 0);
    transfer_send(&one_more);
    transfer_expect(&one_more, 0);
    assert_int_equal(scripted_connections(server), EDDA_OUTBOUND_CONNECTIONS);
}

static struct scripted *other_server;

/* Idle connections to one host make room for those to another. */
static void connections_are_counted_over_all_hosts(void **state) {
    (void)state;
    static struct transfer transfers[EDDA_OUTBOUND_CONNECTIONS];
    struct transfer one_more;
    transfers_use((struct edda_outbound_options){
        .connect_ms = 10000, .first_byte_ms = 20000, .idle_ms = 20000});
    other_server = scripted_start();
    for (size_t i = 0; i < EDDA_OUTBOUND_CONNECTIONS; i++) {
        scripted_does(server, SCRIPT(AWAIT(1), SAY(SCRIPTED_OK)));
        transfer_post(&transfers[i]);
    }
    await_requests(EDDA_OUTBOUND_CONNECTIONS);
    scripted_go(server);
    for (size_t i = 0; i < EDDA_OUTBOUND_CONNECTIONS; i++) {
        transfer_expect(&transfers[i], 0);
    }
    transfer_make(&one_more);
    one_more.request.url = scripted_url(other_server);
    transfer_send(&one_more);
    transfer_expect(&one_more, 0);
    await_open(EDDA_OUTBOUND_CONNECTIONS - 1);
    scripted_stop(&other_server);
}

/* ---- proxies ---- */

static void use_proxy(const char *url) {
    transfers_use((struct edda_outbound_options){
        .proxy = url, .connect_ms = FAR_MS, .first_byte_ms = FAR_MS, .idle_ms = FAR_MS});
}

static void a_proxy_is_asked_instead_of_the_host(void **state) {
    (void)state;
    struct transfer transfer;
    use_proxy(scripted_url(server));
    transfer_make(&transfer);
    transfer.request.url = "http://provider.invalid/x";
    transfer_send(&transfer);
    transfer_expect(&transfer, 0);
    assert_true(was_sent(0, "POST http://provider.invalid/x HTTP/1.1\r\n"));
}

static void a_proxy_of_a_tls_call_sees_no_key_and_speaks_for_itself(void **state) {
    (void)state;
    struct transfer transfer;
    use_proxy(scripted_url(server));
    scripted_says(server, "HTTP/1.1 407 No\r\nRetry-After: 5\r\nContent-Length: 2\r\n\r\nno");
    transfer_make(&transfer);
    transfer.request.url = "https://provider.invalid/x";
    transfer.request.headers = (const char *const[]){"Authorization: Bearer k", NULL};
    transfer_send(&transfer);
    transfer_expect(&transfer, EDDA_E_UNAVAILABLE);
    assert_true(was_sent(0, "CONNECT provider.invalid:443 HTTP/1.1\r\n"));
    assert_false(was_sent(0, "Bearer"));
    assert_string_equal(transfer.retry_after, "");
    assert_false(transfer.began);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TRANSFER_TEST(calls_one_after_the_other_share_a_connection),
        TRANSFER_TEST(a_connection_that_the_server_closed_meanwhile_is_made_anew),
        TRANSFER_TEST(nobody_waits_for_anothers_answer),
        TRANSFER_TEST(as_many_are_open_as_is_said_and_no_more),
        TRANSFER_TEST(connections_are_counted_over_all_hosts),
        TRANSFER_TEST(a_proxy_is_asked_instead_of_the_host),
        TRANSFER_TEST(a_proxy_of_a_tls_call_sees_no_key_and_speaks_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
