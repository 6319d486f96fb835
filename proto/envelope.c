/* proto/envelope.c: F1 by the table proto/envelope.def.
 *
 * The table makes three switches: which fields are present, how each is written, how each is read.
 * NAME in the table is the member of struct edda_envelope named in MEMBER_NAME below. */
#include "proto/envelope.h"

#include "proto/pack.h"
#include "proto/read.h"
#include "proto/uuid.h"

#define MEMBER_ID          envelope->id
#define MEMBER_ATTEMPT     envelope->attempt
#define MEMBER_STEP        envelope->step
#define MEMBER_OP          envelope->op
#define MEMBER_TTL_MS      envelope->ttl_ms
#define MEMBER_TRACEPARENT envelope->traceparent
#define MEMBER_TRACESTATE  envelope->tracestate
#define MEMBER_PROJECT     envelope->project
#define MEMBER_PRIORITY    envelope->priority
#define MEMBER_IDEMPOTENCY envelope->idempotency
#define MEMBER_REPLY_TO    envelope->reply_to
#define MEMBER_RETRIES     envelope->retries
#define MEMBER_FLAGS       envelope->flags
#define MEMBER_BODIES      envelope->body_count
#define MEMBER_SEQUENCE    envelope->sequence
#define MEMBER_FENCE       envelope->fence
#define MEMBER_ERROR       envelope->error
#define MEMBER_ROUTE       envelope->route_count
#define MEMBER_AVOID       envelope->avoid
#define MEMBER_DEGRADED    envelope->degraded_count

#define MUST_UNDERSTAND 128 /* keys from here up may not be ignored */

/* What each kind needs to be worth writing, and whether what is to be written is allowed. A maximum
 * of 0 means the type's own. */
#define PRESENT_UUID(member)  (!edda_uuid_is_nil(&(member)))
#define PRESENT_U8(member)    ((member) != 0)
#define PRESENT_U16           PRESENT_U8
#define PRESENT_U32           PRESENT_U8
#define PRESENT_U64           PRESENT_U8
#define PRESENT_BODIES        PRESENT_U8
#define PRESENT_ROUTE         PRESENT_U8
#define PRESENT_TEXTS         PRESENT_U8
#define PRESENT_TEXT(member)  ((member).size != 0)
#define PRESENT_BYTES         PRESENT_TEXT
#define PRESENT_ERROR(member) ((member).code != 0)

static bool allows_number(uint64_t value, uint64_t maximum) {
    return maximum == 0 || value <= maximum;
}

static bool allows_bodies(const struct edda_envelope *envelope) {
    if (envelope->body_count > EDDA_MAX_BODIES) {
        return false;
    }
    for (size_t i = 0; i < envelope->body_count; i++) {
        if (envelope->bodies[i].bytes > EDDA_MAX_FRAME_BYTES) {
            return false;
        }
    }
    return true;
}

static bool allows_error(const struct edda_wire_error *error, size_t maximum) {
    return error->text.size <= maximum && error->code < 0 && error->blame <= EDDA_BLAME_OUTSIDE;
}

static bool allows_route(const struct edda_envelope *envelope) {
    if (envelope->route_count > EDDA_MAX_ROUTE) {
        return false;
    }
    for (size_t i = 0; i < envelope->route_count; i++) {
        if (envelope->route[i].op.size > EDDA_MAX_NAME ||
            envelope->route[i].on_error > EDDA_ON_ERROR_SKIP) {
            return false;
        }
    }
    return true;
}

static bool allows_degraded(const struct edda_envelope *envelope) {
    if (envelope->degraded_count > EDDA_MAX_ROUTE) {
        return false;
    }
    for (size_t i = 0; i < envelope->degraded_count; i++) {
        if (envelope->degraded[i].size > EDDA_MAX_NAME) {
            return false;
        }
    }
    return true;
}

#define ALLOWS_UUID(member, maximum)   true
#define ALLOWS_U8(member, maximum)     allows_number((member), (maximum))
#define ALLOWS_U16                     ALLOWS_U8
#define ALLOWS_U32                     ALLOWS_U8
#define ALLOWS_U64                     ALLOWS_U8
#define ALLOWS_BODIES(member, maximum) allows_bodies(envelope)
#define ALLOWS_TEXT(member, maximum)   ((member).size <= (maximum))
#define ALLOWS_BYTES                   ALLOWS_TEXT
#define ALLOWS_ERROR(member, maximum)  allows_error(&(member), (maximum))
#define ALLOWS_ROUTE(member, maximum)  allows_route(envelope)
#define ALLOWS_TEXTS(member, maximum)  allows_degraded(envelope)

/* The bits of the keys to write; false when a field is over its maximum. */
static bool find_present(const struct edda_envelope *envelope, uint32_t *ret_present) {
    uint32_t present = 0;
#define EDDA_ENVELOPE(key, name, kind, maximum, stamped_by, meaning)                               \
    _Static_assert((key) > 0 && (key) < 32, "find_present has a bit for each key");                \
    if (PRESENT_##kind(MEMBER_##name)) {                                                           \
        if (!(ALLOWS_##kind(MEMBER_##name, maximum))) {                                            \
            return false;                                                                          \
        }                                                                                          \
        present |= UINT32_C(1) << (key);                                                           \
    }
#include "proto/envelope.def"
#undef EDDA_ENVELOPE
    *ret_present = present;
    return true;
}

static void pack_bodies(msgpack_packer *packer, const struct edda_envelope *envelope) {
    msgpack_pack_array(packer, envelope->body_count);
    for (size_t i = 0; i < envelope->body_count; i++) {
        const struct edda_body_descriptor *body = &envelope->bodies[i];
        msgpack_pack_array(packer, 3);
        msgpack_pack_uint16(packer, body->type);
        msgpack_pack_uint8(packer, body->version);
        msgpack_pack_uint32(packer, body->bytes);
    }
}

static void pack_route(msgpack_packer *packer, const struct edda_envelope *envelope) {
    msgpack_pack_array(packer, envelope->route_count);
    for (size_t i = 0; i < envelope->route_count; i++) {
        const struct edda_route_step *step = &envelope->route[i];
        msgpack_pack_array(packer, 4);
        edda_pack_text(packer, step->op);
        msgpack_pack_uint32(packer, step->budget_ms);
        msgpack_pack_uint8(packer, step->on_error);
        msgpack_pack_uint8(packer, step->arguments);
    }
}

static void pack_error(msgpack_packer *packer, const struct edda_wire_error *error) {
    msgpack_pack_array(packer, 4);
    msgpack_pack_uint32(packer, 0u - (uint32_t)error->code);
    msgpack_pack_uint8(packer, error->blame);
    msgpack_pack_uint32(packer, error->retry_after_ms);
    edda_pack_text(packer, error->text);
}

static void pack_degraded(msgpack_packer *packer, const struct edda_envelope *envelope) {
    msgpack_pack_array(packer, envelope->degraded_count);
    for (size_t i = 0; i < envelope->degraded_count; i++) {
        edda_pack_text(packer, envelope->degraded[i]);
    }
}

#define PACK_UUID(member)   edda_pack_bytes(&packer, (member).bytes, 16)
#define PACK_U8(member)     msgpack_pack_uint8(&packer, (member))
#define PACK_U16(member)    msgpack_pack_uint16(&packer, (member))
#define PACK_U32(member)    msgpack_pack_uint32(&packer, (member))
#define PACK_U64(member)    msgpack_pack_uint64(&packer, (member))
#define PACK_TEXT(member)   edda_pack_text(&packer, (member))
#define PACK_BYTES(member)  edda_pack_bytes(&packer, (member).data, (member).size)
#define PACK_ERROR(member)  pack_error(&packer, &(member))
#define PACK_BODIES(member) pack_bodies(&packer, envelope)
#define PACK_ROUTE(member)  pack_route(&packer, envelope)
#define PACK_TEXTS(member)  pack_degraded(&packer, envelope)

int edda_envelope_encode(const struct edda_envelope *envelope, struct edda_buffer *out) {
    uint32_t present;
    if (!find_present(envelope, &present)) {
        return EDDA_E_LIMIT;
    }
    size_t start = out->size;
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, edda_pack_write);
    msgpack_pack_map(&packer, (size_t)__builtin_popcount(present));
#define EDDA_ENVELOPE(key, name, kind, maximum, stamped_by, meaning)                               \
    if (present & UINT32_C(1) << (key)) {                                                          \
        msgpack_pack_uint8(&packer, key);                                                          \
        PACK_##kind(MEMBER_##name);                                                                \
    }
#include "proto/envelope.def"
#undef EDDA_ENVELOPE
    if (!out->error && out->size - start > EDDA_MAX_ENVELOPE_BYTES) {
        out->size = start;
        return EDDA_E_LIMIT;
    }
    return out->error;
}

/* Takes the head of an array of exactly `wanted` values. */
static void read_tuple(struct edda_reader *reader, size_t wanted) {
    if (edda_read_array(reader) != wanted && !reader->error) {
        reader->error = EDDA_E_MALFORMED;
    }
}

static size_t read_count(struct edda_reader *reader, size_t maximum) {
    size_t count = edda_read_array(reader);
    if (count > maximum) {
        reader->error = EDDA_E_LIMIT;
    }
    return reader->error ? 0 : count;
}

static void read_bodies(struct edda_reader *reader, struct edda_envelope *envelope) {
    size_t count = read_count(reader, EDDA_MAX_BODIES);
    for (size_t i = 0; i < count && !reader->error; i++) {
        struct edda_body_descriptor *body = &envelope->bodies[i];
        read_tuple(reader, 3);
        body->type = (uint16_t)edda_read_unsigned(reader, UINT16_MAX);
        body->version = (uint8_t)edda_read_unsigned(reader, UINT8_MAX);
        body->bytes = (uint32_t)edda_read_unsigned(reader, EDDA_MAX_FRAME_BYTES);
    }
    envelope->body_count = (uint8_t)count;
}

static void read_route(struct edda_reader *reader, struct edda_envelope *envelope) {
    size_t count = read_count(reader, EDDA_MAX_ROUTE);
    for (size_t i = 0; i < count && !reader->error; i++) {
        struct edda_route_step *step = &envelope->route[i];
        read_tuple(reader, 4);
        step->op = edda_read_text(reader, EDDA_MAX_NAME);
        step->budget_ms = (uint32_t)edda_read_unsigned(reader, UINT32_MAX);
        step->on_error = (uint8_t)edda_read_unsigned(reader, EDDA_ON_ERROR_SKIP);
        step->arguments = (uint8_t)edda_read_unsigned(reader, UINT8_MAX);
        if (step->op.size == 0 && !reader->error) {
            reader->error = EDDA_E_MALFORMED;
        }
    }
    envelope->route_count = (uint8_t)count;
}

static void read_error(struct edda_reader *reader, struct edda_wire_error *error, size_t maximum) {
    read_tuple(reader, 4);
    error->code = edda_error_from_wire((unsigned)edda_read_unsigned(reader, UINT32_MAX));
    error->blame = (uint8_t)edda_read_unsigned(reader, EDDA_BLAME_OUTSIDE);
    error->retry_after_ms = (uint32_t)edda_read_unsigned(reader, UINT32_MAX);
    error->text = edda_read_text(reader, maximum);
}

static void read_degraded(struct edda_reader *reader, struct edda_envelope *envelope) {
    size_t count = read_count(reader, EDDA_MAX_ROUTE);
    for (size_t i = 0; i < count && !reader->error; i++) {
        envelope->degraded[i] = edda_read_text(reader, EDDA_MAX_NAME);
    }
    envelope->degraded_count = (uint8_t)count;
}

#define READ_UUID(member, maximum) edda_read_uuid(reader, &(member))
#define READ_U8(member, maximum)   (member) = (uint8_t)edda_read_unsigned(reader, (maximum))
#define READ_U16(member, maximum)  (member) = (uint16_t)edda_read_unsigned(reader, (maximum))
#define READ_U32(member, maximum)  (member) = (uint32_t)edda_read_unsigned(reader, (maximum))
#define READ_U64(member, maximum)                                                                  \
    (member) = edda_read_unsigned(reader, (maximum) ? (maximum) : UINT64_MAX)
#define READ_TEXT(member, maximum)   (member) = edda_read_text(reader, (maximum))
#define READ_BYTES(member, maximum)  (member) = edda_read_bytes(reader, (maximum))
#define READ_ERROR(member, maximum)  read_error(reader, &(member), (maximum))
#define READ_BODIES(member, maximum) read_bodies(reader, envelope)
#define READ_ROUTE(member, maximum)  read_route(reader, envelope)
#define READ_TEXTS(member, maximum)  read_degraded(reader, envelope)

static void read_field(struct edda_reader *reader, uint64_t key, struct edda_envelope *envelope) {
    switch (key) {
#define EDDA_ENVELOPE(number, name, kind, maximum, stamped_by, meaning)                            \
    case number:                                                                                   \
        READ_##kind(MEMBER_##name, maximum);                                                       \
        break;
#include "proto/envelope.def"
#undef EDDA_ENVELOPE
    default:
        if (key >= MUST_UNDERSTAND) {
            reader->error = EDDA_E_MALFORMED;
        } else {
            edda_reader_skip(reader);
        }
    }
}

int edda_envelope_decode(struct edda_bytes bytes, struct edda_envelope *ret_envelope) {
    if (bytes.size > EDDA_MAX_ENVELOPE_BYTES) {
        return EDDA_E_LIMIT;
    }
    int error = edda_walk(bytes, EDDA_MAX_DEPTH, EDDA_MAX_ENVELOPE_OBJECTS);
    if (error) {
        return error;
    }
    memset(ret_envelope, 0, sizeof(*ret_envelope));
    struct edda_reader reader;
    edda_reader_init(&reader, bytes);
    size_t pairs = edda_read_map(&reader);
    for (size_t i = 0; i < pairs && !reader.error; i++) {
        read_field(&reader, edda_read_unsigned(&reader, UINT64_MAX), ret_envelope);
    }
    return reader.error;
}

struct edda_text edda_op_service(struct edda_text op) {
    const char *dot = op.size ? memchr(op.data, '.', op.size) : NULL;
    return dot ? (struct edda_text){op.data, (size_t)(dot - op.data)} : op;
}
