/* proto/session.c: state table 2 of proto/README.md, one function for one table. */
#include "proto/session.h"

#include "proto/limits.h"

void edda_session_init(struct edda_session *session, int64_t now_ms) {
    *session = (struct edda_session){
        .state = EDDA_SESSION_DOWN,
        .heard_ms = now_ms,
        .sent_ms = now_ms,
        .since_ms = now_ms,
        .retry_ms = now_ms,
        .ticked_ms = now_ms,
        .listens_ms = now_ms,
        .ping_ms = EDDA_PING_MS,
        .liveness = EDDA_LIVENESS,
    };
}

static uint32_t clamp_between(uint32_t value, uint32_t minimum, uint32_t maximum) {
    return value < minimum ? minimum : value > maximum ? maximum : value;
}

void edda_session_tune(struct edda_session *session, uint32_t ping_ms, uint32_t liveness) {
    session->ping_ms = clamp_between(ping_ms, 100, 60000);
    session->liveness = clamp_between(liveness, 2, 10);
}

static void enter_state(struct edda_session *session, enum edda_session_state state,
                        int64_t now_ms) {
    session->state = state;
    session->since_ms = now_ms;
}

/* Full jitter: peers that lost the same broker must not come back in step. */
static unsigned close_and_back_off(struct edda_session *session, int64_t now_ms, uint32_t random) {
    uint32_t window_ms = EDDA_RECONNECT_MIN_MS;
    for (uint32_t i = 0; i < session->failures && window_ms < EDDA_RECONNECT_MAX_MS; i++) {
        window_ms *= 2;
    }
    if (window_ms > EDDA_RECONNECT_MAX_MS) {
        window_ms = EDDA_RECONNECT_MAX_MS;
    }
    if (session->failures < UINT32_MAX) {
        session->failures++;
    }
    session->retry_ms = now_ms + random % (window_ms + 1);
    enter_state(session, EDDA_SESSION_DOWN, now_ms);
    return EDDA_SESSION_CLOSE;
}

static unsigned step_down(struct edda_session *session, enum edda_session_event event,
                          int64_t now_ms) {
    if (event != EDDA_SESSION_TICK || now_ms < session->retry_ms) {
        return 0;
    }
    session->hello_sent = false;
    enter_state(session, EDDA_SESSION_CONNECTING, now_ms);
    return EDDA_SESSION_OPEN;
}

/* Who slept has its news unread, and its transport may not have read it either. */
static bool has_listened(const struct edda_session *session, int64_t now_ms) {
    return now_ms - session->listens_ms >= session->ping_ms;
}

static unsigned step_connecting(struct edda_session *session, enum edda_session_event event,
                                int64_t now_ms, uint32_t random) {
    switch (event) {
    case EDDA_SESSION_WRITABLE:
        if (session->hello_sent) {
            return 0;
        }
        session->hello_sent = true;
        session->sent_ms = now_ms;
        return EDDA_SESSION_HELLO;
    case EDDA_SESSION_WELCOMED:
        if (!session->hello_sent) {
            return 0;
        }
        session->heard_ms = now_ms;
        enter_state(session, EDDA_SESSION_LIVE, now_ms);
        return EDDA_SESSION_READY;
    case EDDA_SESSION_TICK:
        return now_ms - session->since_ms < EDDA_WELCOME_MS || !has_listened(session, now_ms)
                   ? 0
                   : close_and_back_off(session, now_ms, random);
    case EDDA_SESSION_RESET_BY_BROKER:
    case EDDA_SESSION_BROKER_DRAINS:
    case EDDA_SESSION_BYE_FROM_BROKER:
        return close_and_back_off(session, now_ms, random);
    case EDDA_SESSION_DISCONNECTED:
        /* Before HELLO nothing is lost: the transport connects again by itself. */
        return session->hello_sent ? close_and_back_off(session, now_ms, random) : 0;
    case EDDA_SESSION_HEARD:
    case EDDA_SESSION_SENT:
        return 0;
    }
    return 0;
}

static unsigned step_joined(struct edda_session *session, enum edda_session_event event,
                            int64_t now_ms, uint32_t random) {
    switch (event) {
    case EDDA_SESSION_TICK:
        if (now_ms - session->heard_ms >= (int64_t)session->ping_ms * session->liveness &&
            has_listened(session, now_ms)) {
            return close_and_back_off(session, now_ms, random);
        }
        /* Not at WELCOME: a connection that breaks behind each would have HELLOs without pause. */
        if (now_ms - session->since_ms >= session->ping_ms) {
            session->failures = 0;
        }
        if (now_ms - session->sent_ms < session->ping_ms) {
            return 0;
        }
        session->sent_ms = now_ms;
        return EDDA_SESSION_PING;
    case EDDA_SESSION_WELCOMED:
    case EDDA_SESSION_HEARD:
        session->heard_ms = now_ms;
        return 0;
    case EDDA_SESSION_SENT:
        session->sent_ms = now_ms;
        return 0;
    case EDDA_SESSION_BROKER_DRAINS:
        session->heard_ms = now_ms;
        if (session->state == EDDA_SESSION_LIVE) {
            enter_state(session, EDDA_SESSION_GOING, now_ms);
        }
        return 0;
    case EDDA_SESSION_RESET_BY_BROKER:
    case EDDA_SESSION_BYE_FROM_BROKER:
    case EDDA_SESSION_DISCONNECTED:
        return close_and_back_off(session, now_ms, random);
    case EDDA_SESSION_WRITABLE:
        return 0;
    }
    return 0;
}

unsigned edda_session_step(struct edda_session *session, enum edda_session_event event,
                           int64_t now_ms, uint32_t random) {
    if (event == EDDA_SESSION_TICK) {
        if (now_ms - session->ticked_ms > session->ping_ms) {
            session->listens_ms = now_ms;
        }
        session->ticked_ms = now_ms;
    }
    switch (session->state) {
    case EDDA_SESSION_DOWN:
        return step_down(session, event, now_ms);
    case EDDA_SESSION_CONNECTING:
        return step_connecting(session, event, now_ms, random);
    case EDDA_SESSION_LIVE:
    case EDDA_SESSION_GOING:
        return step_joined(session, event, now_ms, random);
    }
    EDDA_ASSERT(session->state <= EDDA_SESSION_GOING);
    return 0;
}
