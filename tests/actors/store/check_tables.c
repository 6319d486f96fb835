/* tests/actors/store/check_tables.c: what must hold of SQLite's tables at any time. */
#include "tests/actors/store/fixture_store.h"

/* The parts p of current versions m of projects s. */
#define CURRENT_PARTS                                                                              \
    " FROM project s JOIN memo m ON m.project = s.id AND m.deleted_ms = 0 AND m.current_version"   \
    " > 0 JOIN part p ON p.id >> 12 = m.current_version "
/* The model whose vectors count for a part, and that a part has none of a model nor waits for it.
 */
#define MODEL      "CASE WHEN p.next_model = s.model THEN s.model ELSE p.model END"
#define LACKS_NEXT "(" MODEL " IS NOT s.next_model AND p.next_model IS NOT s.next_model)"
#define EMBED_JOB                                                                                  \
    "SELECT 1 FROM job j WHERE j.id = (p.id | (1 << 52)) AND j.kind = 1 AND j.state <> 2"

void must_count_zero(struct fixture *f, const char *const *statements, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int64_t rows = sql_integer(f, statements[i]);
        if (rows) {
            fail_msg("%lld rows: %s", (long long)rows, statements[i]);
        }
    }
}

void check_tables_sqlite(struct fixture *f) {
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
        "SELECT count(*) FROM project p WHERE p.waiting <> (SELECT count(*) FROM job j"
        " WHERE j.project = p.id AND j.kind = 0 AND j.state < 2)",
        "SELECT count(*) FROM backlog b WHERE b.waiting <> (SELECT sum(waiting) FROM project)"
        " AND b.waiting + (SELECT count(*) FROM project) > 0",
        /* G2: chunks exactly once, each with its vector and terms. */
        "SELECT count(*) FROM version v WHERE v.state IN (0, 1, 2) AND v.chunks <>"
        " (SELECT count(*) FROM chunk c WHERE c.id >> 22 = v.id)",
        "SELECT count(*) FROM chunk c LEFT JOIN chunk_index i ON i.id = c.id WHERE i.id IS NULL",
        "SELECT count(*) FROM chunk_index i LEFT JOIN model o ON o.id = i.model"
        " WHERE (i.vector IS NULL) <> (i.model IS NULL) OR length(i.vector) <> 4 * o.dimension",
        "SELECT count(*) FROM part p WHERE p.chunks <>"
        " (SELECT count(*) FROM chunk c WHERE c.id >> 10 = p.id)",
        /* G8: a job that is not done has brought nothing in, one that is done has no lease. */
        "SELECT count(*) FROM job j WHERE j.state <> 2 AND EXISTS"
        " (SELECT 1 FROM chunk c WHERE c.id >> 10 = j.id)",
        "SELECT count(*) FROM job WHERE state <> 1 AND lease_until_ms <> 0",
        /* Readers see only what is complete; projects count right. */
        "SELECT count(*) FROM memo m JOIN version v ON v.id = m.current_version"
        " WHERE m.deleted_ms = 0 AND v.state <> 1",
        "SELECT count(*) FROM project p WHERE p.memos <>"
        " (SELECT count(*) FROM memo m WHERE m.project = p.id AND m.deleted_ms = 0)",
        "SELECT count(*) FROM project p WHERE p.chunks <> (SELECT coalesce(sum(v.chunks), 0) FROM "
        "memo m"
        " JOIN version v ON v.id = m.current_version WHERE m.project = p.id AND m.deleted_ms = 0)",
        /* A job's id says its kind. One that embeds is open for exactly those current parts that
         * lack the project's next model, and a project has one as long as there is such a part. */
        "SELECT count(*) FROM job WHERE kind <> id >> 52 OR (kind = 1) <> (model IS NOT NULL)",
        "SELECT count(*) " CURRENT_PARTS " WHERE s.next_model IS NOT NULL AND p.chunks > 0"
        " AND " LACKS_NEXT " <> EXISTS (" EMBED_JOB
        " AND j.model = s.next_model AND j.project = s.id)",
        "SELECT count(*) FROM job j WHERE j.kind = 1 AND j.state <> 2 AND NOT EXISTS (SELECT "
        "1 " CURRENT_PARTS
        " WHERE (p.id | (1 << 52)) = j.id AND p.chunks > 0 AND s.next_model = j.model)",
        "SELECT count(*) FROM project s WHERE s.next_model IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM job j WHERE j.kind = 1 AND j.state <> 2 AND j.project = s.id)",
        /* A project with vectors is served by a model, one without chunks by none. */
        "SELECT count(*) FROM project WHERE chunks = 0 AND model IS NOT NULL",
        "SELECT count(*) " CURRENT_PARTS " WHERE s.model IS NULL AND p.model IS NOT NULL",
        /* A part's vectors are of the part's models; those beside are whole, and of somebody. */
        "SELECT count(*) FROM chunk_index i JOIN part p ON p.id = i.id >> 10"
        " WHERE i.model IS NOT NULL AND i.model IS NOT p.model",
        "SELECT count(*) FROM vector_next n LEFT JOIN part p ON p.id = n.id >> 10"
        " WHERE p.next_model IS NOT n.model",
        "SELECT count(*) FROM part p JOIN version v ON v.id = p.id >> 12 WHERE v.state <> 3 AND"
        " iif(p.next_model IS NULL, 0, p.chunks) <>"
        " (SELECT count(*) FROM vector_next n WHERE n.id >> 10 = p.id)",
        "SELECT count(*) FROM vector_next n JOIN model o ON o.id = n.model"
        " WHERE length(n.vector) <> 4 * o.dimension",
        /* What waits for nothing any more is still to be settled. */
        "SELECT count(*) " CURRENT_PARTS " WHERE p.next_model IS NOT NULL AND p.next_model IS NOT"
        " s.next_model AND (s.settled_memo IS NULL OR m.id <= s.settled_memo)",
        /* Chats: counted right, whole turns, numbered from 0 without a gap. */
        "SELECT count(*) FROM project p WHERE p.chats <>"
        " (SELECT count(*) FROM chat c WHERE c.project = p.id)",
        "SELECT count(*) FROM chat c WHERE c.messages = 0 OR c.messages % 2 <> 0 OR c.messages <>"
        " (SELECT count(*) FROM chat_message m WHERE m.id >> 20 = c.id) OR c.messages - 1 <>"
        " (SELECT max(m.id) & 1048575 FROM chat_message m WHERE m.id >> 20 = c.id)",
        "SELECT count(*) FROM chat_message m WHERE m.sender <> m.id & 1 OR NOT EXISTS"
        " (SELECT 1 FROM chat c WHERE c.id = m.id >> 20)",
    };
    must_count_zero(f, must_be_zero, sizeof(must_be_zero) / sizeof(must_be_zero[0]));
    if (!f->may_lack_vectors) {
        assert_int_equal(sql_integer(f, "SELECT count(*) FROM chunk_index WHERE vector IS NULL"),
                         0);
    }
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM pragma_integrity_check() WHERE"
                                    " integrity_check <> 'ok'"),
                     0);
}
