/* actors/store/postgres/cancel.c: PQcancel on a detached thread. */
#include "actors/store/postgres/cancel.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define REASON_BYTES 256

static _Atomic int under_way;

static void *send_cancel(void *context) {
    PGcancel *cancel = context;
    char reason[REASON_BYTES]; /* nobody is left to tell */
    (void)PQcancel(cancel, reason, sizeof reason);
    PQfreeCancel(cancel);
    atomic_fetch_sub(&under_way, 1);
    return NULL;
}

static bool start_thread(PGcancel *cancel) {
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, &attributes, send_cancel, cancel) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return started;
}

bool edda_pg_cancel_send(edda_pg_handle_t *handle) {
    if (atomic_fetch_add(&under_way, 1) < EDDA_PG_CANCELS) {
        PGcancel *cancel = PQgetCancel(handle);
        if (cancel && start_thread(cancel)) {
            return true;
        }
        PQfreeCancel(cancel);
    }
    atomic_fetch_sub(&under_way, 1);
    return false;
}
