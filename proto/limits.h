/* proto/limits.h: every number that bounds a message, a queue or a wait, in one place. */
#ifndef EDDA_PROTO_LIMITS_H
#define EDDA_PROTO_LIMITS_H

#define EDDA_PROTOCOL_MAJOR 1

/* Messages. */
#define EDDA_MAX_FRAMES           10 /* F0 + envelope + 8 bodies */
#define EDDA_MAX_BODIES           8
#define EDDA_MAX_FRAME_BYTES      (3072u * 1024u) /* one frame: 512 vectors of 1,536 floats */
#define EDDA_MAX_MESSAGE_BYTES    (4u * 1024u * 1024u)
#define EDDA_MAX_ENVELOPE_BYTES   4096u
#define EDDA_MAX_DEPTH            8 /* nesting of one msgpack value */
#define EDDA_MAX_ENVELOPE_OBJECTS 512
#define EDDA_MAX_BODY_OBJECTS     131072
#define EDDA_MAX_NAME             64 /* op, service, project: bytes */
#define EDDA_MAX_TRACESTATE       256
#define EDDA_MAX_IDEMPOTENCY      32
#define EDDA_MAX_ERROR_TEXT       512
#define EDDA_MAX_ROUTE            8
#define EDDA_MAX_SERVICES         16 /* services one peer may offer */
#define EDDA_MAX_TTL_MS           600000u

/* Broker. */
#define EDDA_MAX_PEERS            1024
#define EDDA_MAX_PEERS_PER_KEY    256  /* sessions one CURVE key may have: it cannot take all */
#define EDDA_MAX_QUEUE_MESSAGES   4096 /* per service */
#define EDDA_MAX_QUEUE_BYTES      (64u * 1024u * 1024u)
#define EDDA_MAX_PENDING          16384
#define EDDA_MAX_PENDING_BYTES    (256u * 1024u * 1024u)
#define EDDA_ENDED_RING           32768 /* of the smallest, no more fit into the bytes */
#define EDDA_ENDED_RING_BYTES     (8u * 1024u * 1024u)
#define EDDA_ENDED_KEEP_MS        30000
#define EDDA_MAX_PROJECTS_TRACKED 4096
#define EDDA_MAX_WORKER_WINDOW    64
#define EDDA_CLIENT_WINDOW        256 /* requests one client may have open per service */
#define EDDA_CLIENT_WINDOW_BYTES  (64u * 1024u * 1024u)
#define EDDA_MAX_RETRIES          2
#define EDDA_SOCKET_BUDGET        256 /* messages read from one socket per turn */
#define EDDA_PING_MS              1000
#define EDDA_LIVENESS             3 /* silent pings before a peer is gone */
#define EDDA_WELCOME_MS           2000
#define EDDA_RECONNECT_MIN_MS     100
#define EDDA_RECONNECT_MAX_MS     5000

/* Durable jobs. */
#define EDDA_JOB_ATTEMPTS        5
#define EDDA_JOB_DEATHS          3
#define EDDA_LEASE_MS            60000
#define EDDA_JOB_BACKOFF_MIN_MS  1000
#define EDDA_JOB_BACKOFF_MAX_MS  300000
#define EDDA_JOB_UNSERVED_MIN_MS 100 /* of a kind of jobs, not of one */
#define EDDA_JOB_UNSERVED_MAX_MS 2000

/* Content. */
#define EDDA_PART_BYTES           (64u * 1024u)  /* text of one durable job */
#define EDDA_INLINE_CONTENT_BYTES (512u * 1024u) /* larger content is staged by store.put_part */
#define EDDA_MAX_CONTENT_BYTES    (32u * 1024u * 1024u)
#define EDDA_MAX_TITLE            255 /* code points, as the contract counts */
#define EDDA_MAX_TAGS             256
#define EDDA_MAX_METADATA_BYTES   (64u * 1024u)
#define EDDA_MAX_FILTERS          32
#define EDDA_MAX_FILTER_VALUES    256
#define EDDA_MAX_QUERY_BYTES      16384
#define EDDA_MAX_SEARCH_LIMIT     50
#define EDDA_MAX_CANDIDATES       200 /* hits the store gives; how deep a client may read */
#define EDDA_MAX_CHUNKS_PER_PART  1024
#define EDDA_MAX_DIMENSION        4096

/* Chats. */
#define EDDA_MAX_ANSWER_BYTES  (256u * 1024u) /* text of one answer; the rest is cut, said so */
#define EDDA_MAX_PROMPT_BYTES  (32u * 1024u)  /* a client's system_prompt */
#define EDDA_MAX_HISTORY       200            /* messages of a chat given to a model */
#define EDDA_MAX_HISTORY_BYTES (64u * 1024u)

#endif
