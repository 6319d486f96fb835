/* actors/store/route.c: which steps a job takes. */
#include "actors/store/route.h"

#include "proto/body.h"

#define BODY_BYTES (256u * 1024u)

/* What steps take as arguments; several of one route may take the same. */
enum { CHUNK, EMBED, PUT };

static const uint16_t types[EDDA_ROUTE_BODIES] = {
    EDDA_BODY_CHUNK_ARGUMENTS,
    EDDA_BODY_EMBED_ARGUMENTS,
    EDDA_BODY_STORE_PUT_CHUNKS,
};

struct plan {
    size_t count;
    struct {
        const char *op;
        uint8_t body;
        uint8_t on_error;
    } steps[EDDA_ROUTE_STEPS];
};

static const struct plan first_content = {
    3, {{"chunk", CHUNK, 0}, {"embed.chunks", EMBED, 0}, {"store.put_chunks", PUT, 0}}};

/* A later version may have chunks that were embedded for the one before. */
static const struct plan changed_content = {4,
                                            {{"chunk", CHUNK, 0},
                                             {"store.reuse", PUT, EDDA_ON_ERROR_SKIP},
                                             {"embed.chunks", EMBED, 0},
                                             {"store.put_chunks", PUT, 0}}};

static const struct plan new_model = {
    3, {{"store.part_chunks", PUT, 0}, {"embed.chunks", EMBED, 0}, {"store.put_vectors", PUT, 0}}};

void edda_route_init(struct edda_route *route) {
    *route = (struct edda_route){.count = 0};
    for (size_t i = 0; i < EDDA_ROUTE_BODIES; i++) {
        edda_buffer_init(&route->bodies[i], BODY_BYTES);
    }
}

void edda_route_done(struct edda_route *route) {
    for (size_t i = 0; i < EDDA_ROUTE_BODIES; i++) {
        edda_buffer_done(&route->bodies[i]);
    }
}

static int encode(struct edda_route *route, unsigned body, const void *record) {
    edda_buffer_reset(&route->bodies[body]);
    return edda_body_encode(types[body], record, &route->bodies[body]);
}

static int encode_bodies(struct edda_route *route, const struct edda_claimed *job,
                         uint32_t chunk_tokens) {
    struct edda_chunk_arguments chunk = {
        .text = job->text,
        .format = job->format,
        .title = job->title,
        .first_byte = job->first_byte,
        .target_tokens = chunk_tokens,
        .heading = job->heading,
    };
    struct edda_embed_arguments embed = {.input_type = EDDA_TEXT("document")};
    struct edda_store_put_chunks put = {
        .job = job->job, .memo = job->memo, .version = job->version, .part = job->part};
    int error = job->kind == EDDA_JOB_CHUNK ? encode(route, CHUNK, &chunk) : 0;
    if (!error) {
        error = encode(route, EMBED, &embed);
    }
    return error ? error : encode(route, PUT, &put);
}

int edda_route_make(struct edda_route *route, const struct edda_claimed *job,
                    uint32_t chunk_tokens) {
    const struct plan *plan = job->kind == EDDA_JOB_EMBED ? &new_model
                              : job->version > 1          ? &changed_content
                                                          : &first_content;
    int error = encode_bodies(route, job, chunk_tokens);
    route->count = error ? 0 : plan->count;
    for (size_t i = 0; i < route->count; i++) {
        unsigned body = plan->steps[i].body;
        route->steps[i] = (struct edda_step){.op = plan->steps[i].op,
                                             .type = types[body],
                                             .arguments = edda_buffer_bytes(&route->bodies[body]),
                                             .on_error = plan->steps[i].on_error};
    }
    return error;
}

const char *edda_route_service(enum edda_job_kind kind) {
    return kind == EDDA_JOB_EMBED ? "store" : "chunk";
}
