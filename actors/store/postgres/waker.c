/* actors/store/postgres/waker.c: own pump, others' pumps, and looks without being told. */
#include "actors/store/postgres/waker.h"

#include <inttypes.h>
#include <stdio.h>

static void tell_own(void *context) {
    struct edda_pg_waker *waker = context;
    if (!waker->stopped && waker->events.on_ready) {
        waker->events.on_ready(waker->events.context);
    }
}

static void set(struct edda_pg_waker *waker, struct edda_timer *timer, int64_t wait_ms) {
    if (!waker->stopped) {
        edda_loop_timer_set(waker->loop, timer, edda_loop_now(waker->loop) + wait_ms);
    }
}

static void on_told(void *context, struct edda_pg_answer *answer) {
    struct edda_pg_waker *waker = context;
    (void)answer; /* lost: they look by themselves */
    waker->telling = false;
    set(waker, &waker->notify, EDDA_PG_NOTIFY_MS);
}

static void on_notify(void *context) {
    struct edda_pg_waker *waker = context;
    if (!waker->due || waker->telling) {
        return;
    }
    waker->due = false;
    waker->query = (struct edda_pg_query){.done = on_told, .context = waker};
    waker->telling = edda_pg_run(waker->database, &waker->query, EDDA_PGSQL_JOBS_NOTIFY,
                                 VALUES(TEXT(edda_text_of(waker->life)))) == 0;
}

static void on_look(void *context) {
    struct edda_pg_waker *waker = context;
    if (!edda_pg_listener_stands(waker->listener)) {
        tell_own(waker);
    }
    set(waker, &waker->look, EDDA_PG_LOOK_MS);
}

void edda_pg_waker_wake(struct edda_pg_waker *waker) {
    waker->due = true;
    if (waker->notify.index == 0 && !waker->telling) {
        set(waker, &waker->notify, 0);
    }
    tell_own(waker);
}

int edda_pg_waker_init(struct edda_pg_waker *waker, edda_loop_t *loop, edda_pg_t *database,
                       edda_pg_connector_t *connector, bool listens, uint64_t life,
                       const struct edda_backend_events *events) {
    *waker = (struct edda_pg_waker){.loop = loop, .database = database, .events = *events};
    snprintf(waker->life, sizeof waker->life, "%" PRIu64, life);
    waker->notify = (struct edda_timer){.fire = on_notify, .context = waker, .name = "jobs_notify"};
    waker->look = (struct edda_timer){.fire = on_look, .context = waker, .name = "jobs_look"};
    if (listens) {
        waker->listener = edda_pg_listener_new(&(struct edda_pg_listener_options){
            .loop = loop,
            .connector = connector,
            .life = life,
            .on_ready = tell_own,
            .context = waker,
        });
    }
    set(waker, &waker->look, EDDA_PG_LOOK_MS);
    return listens && !waker->listener ? EDDA_E_MEMORY : 0;
}

void edda_pg_waker_done(struct edda_pg_waker *waker) {
    waker->stopped = true;
    if (waker->loop) {
        edda_loop_timer_cancel(waker->loop, &waker->notify);
        edda_loop_timer_cancel(waker->loop, &waker->look);
        edda_pg_query_cancel(&waker->query);
    }
    edda_pg_listener_destroy(&waker->listener);
}
