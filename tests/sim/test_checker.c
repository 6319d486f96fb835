/* tests/sim/test_checker.c: every promise broken once, by hand: a checker that cannot fail says
 * nothing. A case is a log without its end, and the one offence that must be found in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/checker.h"

struct log {
    const char *name;
    const char *lines;
    const char *offence; /* NULL: there is none */
};

#define CLAIMED   "1 store claimed job=1 token=1 memo=a\n"
#define READY     "2 store committed job=1 token=1\n2 store ready memo=a\n"
#define STORED    "9 - stored memo=a state=ready chunks=2 dimension=4\n"
#define CHUNK_0   "9 - chunk memo=a part=0 number=0 dimension=4\n"
#define CHUNK_1   "9 - chunk memo=a part=0 number=1 dimension=4\n"
#define ACCEPTED  "1 - accepted memo=a key=k chunks=2\n"
#define REQUESTED "1 store requested request=r job=1 token=1\n"
#define SENT                                                                                       \
    "1 b granted peer=7 messages=9 bytes=99\n1 b dispatched request=r worker=w peer=7 bytes=9\n"
#define DIED     "2 store reported job=1 token=1 how=died dead=1 reason=\"x\"\n"
#define ASKED    "1000 g asked request=r within_ms=50\n"
#define ANSWERED "2000 g answered request=r result=ok\n"

static const struct log logs[] = {
    /* what is right */
    {"a_memo_that_became_ready_keeps_all_promises", ACCEPTED CLAIMED READY STORED CHUNK_0 CHUNK_1,
     NULL},
    {"a_request_that_was_answered_keeps_all_promises", ASKED ANSWERED, NULL},
    {"a_request_may_be_withdrawn", ASKED "2000 g withdrawn request=r\n", NULL},
    {"who_died_is_owed_no_answer", ASKED "2000 g crashed\n", NULL},
    {"who_ended_before_its_answers_is_owed_none", ASKED "2000 g ended result=cut\n", NULL},
    {"a_stopped_asker_has_its_time_given_back",
     ASKED "2000 g stopped\n9000000 g continued\n9040000 g answered request=r result=ok\n", NULL},
    {"a_death_with_a_dead_worker_is_explained", CLAIMED REQUESTED SENT "2 w crashed\n" DIED, NULL},
    {"a_death_of_a_poison_memo_is_explained", "1 - poison memo=a\n" CLAIMED REQUESTED SENT DIED,
     NULL},
    {"a_failure_that_a_worker_refused_is_explained",
     CLAIMED REQUESTED SENT "2 w refused request=r\n"
                            "2 store reported job=1 token=1 how=failed dead=1\n",
     NULL},
    {"a_job_given_back_needs_no_reason",
     CLAIMED "2 store reported job=1 token=1 how=returned\n"
             "3 store claimed job=1 token=2 memo=a\n4 store committed job=1 token=2\n",
     NULL},
    {"a_late_commit_that_was_refused_is_right",
     CLAIMED "2 store released job=1\n3 store claimed job=1 token=2 memo=a\n"
             "4 store stale job=1 token=1\n5 store committed job=1 token=2\n",
     NULL},
    {"a_memo_may_be_deleted_by_whom_it_belongs_to",
     ACCEPTED CLAIMED "2 - deleting memo=a\n3 store removed job=1\n"
                      "9 - stored memo=a state=deleted chunks=0\n",
     NULL},
    {"a_memo_may_be_there_before_anybody_was_told", STORED CHUNK_0 CHUNK_1, NULL},
    {"a_memo_may_be_superseded_or_dead_with_its_reason",
     ACCEPTED "9 - stored memo=a state=superseded\n9 - stored memo=b state=error reason=\"bad\"\n",
     NULL},
    {"a_quoted_value_may_hold_blanks", "1 - open what=\"steps of a worker\" count=0\n", NULL},

    /* G1: nothing accepted disappears */
    {"G1_an_accepted_memo_that_is_not_there", ACCEPTED, "G1: memo a was accepted and is not there"},
    {"G1_a_memo_that_is_there_twice",
     "9 - stored memo=a state=superseded\n"
     "9 - stored memo=a state=superseded\n",
     "G1: memo a is there twice"},
    {"G1_a_memo_still_in_work_at_the_end", ACCEPTED "9 - stored memo=a state=processing\n",
     "G1: memo a is still processing"},
    {"G1_a_dead_memo_without_a_reason", ACCEPTED "9 - stored memo=a state=error\n",
     "G1: memo a is dead without a reason"},
    {"G1_a_memo_deleted_by_nobody", ACCEPTED "9 - stored memo=a state=deleted\n",
     "G1: memo a is deleted, and nobody asked for it"},
    {"G1_a_deleted_memo_with_chunks",
     ACCEPTED "2 - deleting memo=a\n9 - stored memo=a state=deleted\n" CHUNK_0,
     "G1: memo a is deleted, and has chunks"},
    {"G1_one_key_that_made_two_memos",
     "1 - accepted memo=a key=k\n1 - accepted memo=b key=k\n9 - stored memo=a state=superseded\n"
     "9 - stored memo=b state=superseded\n",
     "G1: key k made memo a and then memo b"},
    {"G1_a_job_that_was_never_done", CLAIMED "2 store released job=1\n",
     "G1: job 1 is not done at the end"},
    {"G1_a_job_still_leased", CLAIMED, "G1: job 1 is leased at the end"},

    /* G2: each chunk once */
    {"G2_a_chunk_twice", ACCEPTED "9 - stored memo=a state=ready chunks=2\n" CHUNK_0 CHUNK_0,
     "G2: chunk a/0/0 is there twice"},
    {"G2_a_chunk_in_the_middle_missing",
     "9 - stored memo=a state=ready chunks=1 dimension=4\n" CHUNK_1, "G2: chunk a/0/0 is missing"},
    {"G2_the_last_chunk_missing", ACCEPTED STORED CHUNK_0, "G2: memo a has 2 chunks, and 1 rows"},
    {"G2_fewer_chunks_than_the_text_has",
     ACCEPTED "9 - stored memo=a state=ready chunks=1 dimension=4\n" CHUNK_0,
     "G2: memo a has 1 chunks of 2"},
    {"G2_a_vector_of_another_dimension",
     ACCEPTED STORED CHUNK_0 "9 - chunk memo=a part=0 number=1 dimension=3\n",
     "G2: chunk a/0/1 has a vector of 3 numbers, not 4"},
    {"G2_a_memo_that_became_ready_twice",
     ACCEPTED CLAIMED READY "3 store ready memo=a\n" STORED CHUNK_0 CHUNK_1,
     "G2: memo a became ready twice"},

    /* G3: one answer each */
    {"G3_no_answer", ASKED, "G3: request r of g has no answer"},
    {"G3_two_answers", ASKED ANSWERED ANSWERED, "G3: request r was answered before"},
    {"G3_an_answer_nobody_asked_for", ANSWERED, "G3: request r was never asked"},
    {"G3_an_answer_after_it_was_withdrawn", ASKED "2000 g withdrawn request=r\n" ANSWERED,
     "G3: request r has nobody who waits"},
    {"G3_asked_twice", ASKED ASKED ANSWERED, "G3: request r is asked twice"},
    {"G3_withdrawn_after_its_answer", ASKED ANSWERED "2000 g withdrawn request=r\n",
     "G3: request r is withdrawn and was not open"},

    /* G4, G5, G6, G7 */
    {"G4_more_memory_than_its_cap", "1 b memory used=11 cap=10\n", "G4: b uses 11 of 10"},
    {"G5_an_answer_later_than_its_deadline_and_a_second",
     ASKED "1052001 g answered request=r result=expired\n", "G5: request r took 1051 ms of 50"},
    {"G6_a_request_that_no_count_explains",
     "1 b balance admitted=9 done=3 failed=1 expired=1 cancelled=1 queued=1 running=1\n",
     "G6: b admitted 9 and accounts for 8"},
    {"G7_a_message_more_than_granted",
     "1 b granted peer=7 messages=1 bytes=99\n1 b dispatched request=r worker=w peer=7 bytes=9\n"
     "1 b dispatched request=s worker=w peer=7 bytes=9\n",
     "G7: w was sent 2 messages of 1 and 18 bytes of 99"},
    {"G7_a_byte_more_than_granted",
     "1 b granted peer=7 messages=2 bytes=8\n1 b dispatched request=r worker=w peer=7 bytes=9\n",
     "G7: w was sent 1 messages of 2 and 9 bytes of 8"},
    {"G7_totals_never_fall",
     "1 b granted peer=7 messages=2 bytes=99\n1 b granted peer=7 messages=1 bytes=9\n"
     "1 b dispatched request=r worker=w peer=7 bytes=9\n"
     "1 b dispatched request=s worker=w peer=7 bytes=9\n",
     NULL},

    /* G8: only the last token */
    {"G8_a_commit_with_an_old_token",
     CLAIMED "2 store released job=1\n3 store claimed job=1 token=2 memo=a\n"
             "4 store committed job=1 token=1\n",
     "G8: job 1 was committed with token 1, and its lease is 2"},
    {"G8_a_commit_of_a_lease_that_was_taken_back",
     CLAIMED "2 store released job=1\n4 store committed job=1 token=1\n", "not in force"},
    {"G8_a_second_commit", CLAIMED READY "3 store committed job=1 token=1\n", "not in force"},
    {"G8_a_token_that_does_not_grow",
     CLAIMED "2 store released job=1\n3 store claimed job=1 token=1 memo=a\n"
             "4 store committed job=1 token=1\n",
     "G8: job 1 was claimed with token 1 after 1"},
    {"G8_a_claim_after_the_end",
     CLAIMED READY "3 store claimed job=1 token=2 memo=a\n4 store committed job=1 token=2\n",
     "G8: job 1 was claimed after its end"},
    {"G8_its_own_token_refused", CLAIMED "2 store stale job=1 token=1\n" READY,
     "G8: job 1 was refused its own token"},
    {"G8_given_up_by_a_former_holder",
     CLAIMED "2 store released job=1\n3 store claimed job=1 token=2 memo=a\n"
             "4 store reported job=1 token=1 how=returned dead=1\n",
     "G8: job 1 was given up with token 1, and its lease is 2"},
    {"G8_released_and_not_leased",
     CLAIMED READY "3 store released job=1\n"
                   "4 store removed job=1\n",
     "G8: job 1 was released and not leased"},

    /* G9, G10 */
    {"G9_two_counts_that_differ", "1 g books what=\"steps finished\" have=3 want=4\n",
     "G9: steps finished of g: 3, not 4"},
    {"G9_a_count_that_is_not_there", "1 g books what=sent have=1\n", "G9: sent of g: 1, not -2"},
    {"G10_a_slow_answer_where_nothing_is_wrong",
     "0 - bound what=answered ms=20\n" ASKED "22001 g answered request=r result=ok\n",
     "G10: request r took 21 ms though nothing was wrong"},
    {"G10_a_slow_memo_where_nothing_is_wrong",
     "0 - bound what=ready ms=20\n" ACCEPTED CLAIMED "2 store committed job=1 token=1\n"
     "20002 store ready memo=a\n20002 - stored memo=a state=superseded\n",
     "G10: memo a took 20 ms though nothing was wrong"},

    /* G0: blame, ends, lines */
    {"G0_a_death_that_nothing_explains", CLAIMED REQUESTED SENT DIED,
     "G0: job 1 is said to have died, and nothing befell its workers"},
    {"G0_dead_before_its_last_attempt",
     CLAIMED REQUESTED SENT "2 w refused request=r\n2 store reported job=1 token=1 how=returned\n"
                            "3 store claimed job=1 token=2 memo=a\n"
                            "3 store requested request=r job=1 token=2\n"
                            "4 store reported job=1 token=2 how=failed dead=1 after=2\n",
     "G0: job 1 is dead after 1 attempts of 2"},
    {"G0_a_death_long_after_the_harm",
     "1 w crashed\n" CLAIMED REQUESTED "30000000 b granted peer=7 messages=9 bytes=99\n"
     "30000000 b dispatched request=r worker=w peer=7 bytes=9\n"
     "30000001 store reported job=1 token=1 how=died dead=1\n",
     "G0: job 1 is said to have died, and nothing befell its workers"},
    {"G0_a_failed_request_where_nothing_may_fail",
     "0 - gentle\n" ASKED "2000 g answered request=r result=no_service\n",
     "G0: request r failed (no_service) though nothing was wrong"},
    {"G0_another_error_than_the_one_that_is_no_wonder",
     "0 - gentle but=stream_broken\n" ASKED "2000 g answered request=r result=busy\n",
     "G0: request r failed (busy) though nothing was wrong"},
    {"a_stream_may_break_where_that_is_no_wonder",
     "0 - gentle but=stream_broken\n" ASKED "2000 g answered request=r result=stream_broken\n",
     NULL},
    {"G0_a_lost_attempt_where_nothing_may_fail",
     "0 - gentle\n" CLAIMED REQUESTED SENT "2 w ended result=ok\n" DIED,
     "G0: job 1 died though nothing was wrong"},
    {"G0_a_drain_that_was_cut_where_nothing_is_wrong", "0 - gentle\n1 w ended result=cut\n",
     "G0: w could not end in time though nothing was wrong"},
    {"G0_poison_that_became_ready",
     "1 - poison memo=a\n" ACCEPTED CLAIMED READY STORED CHUNK_0 CHUNK_1,
     "G0: memo a is poison and became ready"},
    {"G0_something_open_at_the_end", "1 w open what=steps count=2\n",
     "G0: w has 2 steps open at the end"},
    {"G0_a_line_back_in_time", "2 w started\n1 w crashed\n", "G0: line 2 is earlier"},
    {"G0_a_line_that_is_none", "hello\n", "G0: line 1 is none: hello"},
    {"G0_a_line_with_a_word_that_is_no_pair", "1 w started now\n", "G0: line 1 is none"},
    {"G0_an_event_that_is_unknown", "1 w exploded\n", "G0: line 1 has no known event"},
};
#define LOGS (sizeof(logs) / sizeof(logs[0]))

static void feed(struct checker *checker, const char *lines) {
    while (*lines) {
        size_t size = strcspn(lines, "\n") + 1;
        checker_line(checker, lines, size);
        lines += size;
    }
}

static void is_judged(void **state) {
    const struct log *log = *state;
    struct checker *checker = checker_new();
    feed(checker, log->lines);
    checker_line(checker, "99000000 - end", 14);
    size_t offences = checker_finish(checker);
    if (log->offence && !strstr(checker_report(checker), log->offence)) {
        print_error("%s: not found: %s\nbut: %s", log->name, log->offence, checker_report(checker));
    } else if (!log->offence && offences) {
        print_error("%s: %s", log->name, checker_report(checker));
    }
    assert_int_equal(offences, log->offence ? 1 : 0);
    if (log->offence) {
        assert_non_null(strstr(checker_report(checker), log->offence));
    }
    checker_free(&checker);
}

static void judge_ends(const char *lines, const char *offence) {
    struct checker *checker = checker_new();
    feed(checker, lines);
    assert_int_equal(checker_finish(checker), 1);
    assert_non_null(strstr(checker_report(checker), offence));
    checker_free(&checker);
}

static void a_log_without_an_end_is_not_whole(void **state) {
    (void)state;
    judge_ends(ASKED ANSWERED, "G0: the log has no end");
}

static void nothing_comes_after_the_end(void **state) {
    (void)state;
    judge_ends("1 - end\n2 w started\n", "G0: line 2 comes after the end");
}

static void a_memo_of_nobody_is_an_offence_when_everybody_was_told(void **state) {
    (void)state;
    judge_ends(STORED CHUNK_0 CHUNK_1 "9 - end all=1\n", "G1: memo a is there and nobody was told");
}

static void the_first_fifty_offences_are_told_and_all_counted(void **state) {
    (void)state;
    struct checker *checker = checker_new();
    for (int i = 0; i < 60; i++) {
        checker_line(checker, "1 w open what=x count=1", 23);
    }
    checker_line(checker, "1 - end", 7);
    assert_int_equal(checker_finish(checker), 60);
    size_t told = 0;
    for (const char *at = checker_report(checker); (at = strchr(at, '\n')) != NULL; at++) {
        told++;
    }
    assert_int_equal(told, 50);
    checker_free(&checker);
}

int main(void) {
    struct CMUnitTest tests[LOGS + 4] = {
        cmocka_unit_test(a_log_without_an_end_is_not_whole),
        cmocka_unit_test(nothing_comes_after_the_end),
        cmocka_unit_test(a_memo_of_nobody_is_an_offence_when_everybody_was_told),
        cmocka_unit_test(the_first_fifty_offences_are_told_and_all_counted),
    };
    for (size_t i = 0; i < LOGS; i++) {
        tests[4 + i] = (struct CMUnitTest){
            .name = logs[i].name, .test_func = is_judged, .initial_state = (void *)&logs[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
