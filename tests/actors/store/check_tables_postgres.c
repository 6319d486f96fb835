/* tests/actors/store/check_tables_postgres.c: what must hold of PostgreSQL's tables at any time. */
#include "tests/actors/store/fixture_store.h"

/* The parts p of current versions of memos m of projects s. */
#define CURRENT_PARTS                                                                              \
    " FROM project s JOIN memo m ON m.project = s.id AND m.deleted_ms = 0 AND m.current_version"   \
    " > 0 JOIN part p ON p.id >> 12 = m.current_version "
#define HAS_MODEL(model)                                                                           \
    "EXISTS (SELECT 1 FROM part_model g WHERE g.part = p.id AND g.model = " model ")"
#define EMBED_JOB                                                                                  \
    "SELECT 1 FROM job j WHERE j.id = (p.id | (1::bigint << 52)) AND j.kind = 1 AND j.state <> 2"

void check_tables_postgres(struct fixture *f) {
    static const char *const must_be_zero[] = {
        /* G1: an accepted memo is complete, or has an open job, or is dead and says why. */
        "SELECT count(*) FROM memo m JOIN version v ON v.id = m.latest_version WHERE m.deleted_ms "
        "= 0"
        " AND NOT (v.state = 1 OR (v.state = 2 AND v.error IS NOT NULL) OR (v.state = 0 AND EXISTS"
        " (SELECT 1 FROM job j WHERE j.id >> 12 = v.id AND j.state IN (0, 1))))",
        "SELECT count(*) FROM memo m WHERE m.deleted_ms = 0"
        " AND NOT EXISTS (SELECT 1 FROM version v WHERE v.id = m.latest_version)",
        /* The counter is what it counts. */
        "SELECT count(*) FROM version v WHERE v.state IN (0, 1, 2) AND v.open_jobs <>"
        " (SELECT count(*) FROM job j WHERE j.id >> 12 = v.id AND j.state <> 2)",
        "SELECT count(*) FROM version v WHERE v.state = 1 AND v.open_jobs <> 0",
        /* G2: chunks exactly once, each with its terms. */
        "SELECT count(*) FROM version v WHERE v.state IN (0, 1, 2) AND v.chunks <>"
        " (SELECT count(*) FROM chunk c WHERE c.id >> 22 = v.id)",
        "SELECT count(*) FROM chunk c FULL JOIN chunk_terms i ON i.id = c.id"
        " WHERE i.id IS NULL OR c.id IS NULL",
        "SELECT count(*) FROM part p WHERE p.chunks <>"
        " (SELECT count(*) FROM chunk c WHERE c.id >> 10 = p.id)",
        /* Vectors are of chunks of their project, as long as their model says, and of length 1; a
         * part's are of models that the part has. */
        "SELECT count(*) FROM chunk_vector v JOIN model o ON o.id = v.model"
        " WHERE vector_dims(v.vector) <> o.dimension OR abs(l2_norm(v.vector) - 1) > 0.01",
        "SELECT count(*) FROM chunk_vector v WHERE NOT EXISTS (SELECT 1 FROM chunk c JOIN version n"
        " ON n.id = c.id >> 22 JOIN memo m ON m.id = n.memo"
        " WHERE c.id = v.chunk AND m.project = v.project)",
        "SELECT count(*) FROM chunk_vector v WHERE NOT EXISTS"
        " (SELECT 1 FROM part_model g WHERE g.part = v.chunk >> 10 AND g.model = v.model)",
        /* G8: a job that is not done has brought nothing in, one that is done has no lease. */
        "SELECT count(*) FROM job j WHERE j.state <> 2 AND EXISTS"
        " (SELECT 1 FROM chunk c WHERE c.id >> 10 = j.id)",
        "SELECT count(*) FROM job WHERE state <> 1 AND lease_until_ms <> 0",
        /* Readers see only what is complete, and have been told of it; projects count right. */
        "SELECT count(*) FROM memo m JOIN version v ON v.id = m.current_version"
        " WHERE m.deleted_ms = 0 AND (v.state <> 1 OR m.revision = 0)",
        "SELECT count(*) FROM memo m JOIN project p ON p.id = m.project WHERE m.revision > "
        "p.revision",
        "SELECT count(*) FROM project p WHERE"
        " (SELECT coalesce(sum(c.memos), 0) FROM project_count c WHERE c.project = p.id) <>"
        " (SELECT count(*) FROM memo m WHERE m.project = p.id AND m.deleted_ms = 0)",
        "SELECT count(*) FROM project p WHERE p.chunks <> (SELECT coalesce(sum(v.chunks), 0) FROM "
        "memo m"
        " JOIN version v ON v.id = m.current_version WHERE m.project = p.id AND m.deleted_ms = 0)",
        /* A job's id says its kind. One that embeds is open for exactly those current parts that
         * lack the project's next model, and a project has one as long as there is such a part. */
        "SELECT count(*) FROM job WHERE kind <> id >> 52 OR (kind = 1) <> (model IS NOT NULL)",
        "SELECT count(*) " CURRENT_PARTS " WHERE s.next_model IS NOT NULL AND p.chunks > 0"
        " AND NOT " HAS_MODEL("s.next_model") " <> EXISTS (" EMBED_JOB
                                              " AND j.model = s.next_model AND j.project = s.id)",
        "SELECT count(*) FROM job j WHERE j.kind = 1 AND j.state <> 2 AND NOT EXISTS (SELECT "
        "1 " CURRENT_PARTS
        " WHERE (p.id | (1::bigint << 52)) = j.id AND p.chunks > 0 AND s.next_model = j.model)",
        "SELECT count(*) FROM project s WHERE s.next_model IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM job j WHERE j.kind = 1 AND j.state <> 2 AND j.project = s.id)",
        /* A project with vectors is served by a model, one without chunks by none. */
        "SELECT count(*) FROM project WHERE chunks = 0 AND model IS NOT NULL",
        "SELECT count(*) " CURRENT_PARTS
        " JOIN part_model g ON g.part = p.id WHERE s.model IS NULL",
        /* What waits for nothing any more is still to be settled. */
        "SELECT count(*) FROM project s JOIN chunk_vector v ON v.project = s.id"
        " JOIN memo m ON m.current_version = v.chunk >> 22 AND m.deleted_ms = 0"
        " JOIN part_model g ON g.part = v.chunk >> 10 AND g.model = s.model"
        " WHERE v.model <> s.model AND v.model IS DISTINCT FROM s.next_model"
        " AND s.settled_chunk IS NULL",
        /* Chats: counted right, whole turns, numbered from 0 without a gap. */
        "SELECT count(*) FROM project p WHERE"
        " (SELECT coalesce(sum(c.chats), 0) FROM project_count c WHERE c.project = p.id) <>"
        " (SELECT count(*) FROM chat c WHERE c.project = p.id)",
        "SELECT count(*) FROM chat c WHERE c.messages = 0 OR c.messages % 2 <> 0 OR c.messages <>"
        " (SELECT count(*) FROM chat_message m WHERE m.id >> 20 = c.id) OR c.messages - 1 <>"
        " (SELECT max(m.id) & 1048575 FROM chat_message m WHERE m.id >> 20 = c.id)",
        "SELECT count(*) FROM chat_message m WHERE m.sender <> m.id & 1 OR NOT EXISTS"
        " (SELECT 1 FROM chat c WHERE c.id = m.id >> 20)",
    };
    must_count_zero(f, must_be_zero, sizeof(must_be_zero) / sizeof(must_be_zero[0]));
    if (!f->may_lack_vectors) {
        assert_int_equal(sql_integer(f, "SELECT count(*) FROM chunk c WHERE NOT EXISTS (SELECT 1"
                                        " FROM chunk_vector v WHERE v.chunk = c.id)"),
                         0);
    }
}
