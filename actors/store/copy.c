/* actors/store/copy.c: see copy.h. */
#include "actors/store/copy.h"

#include <sodium.h>
#include <string.h>

#define EDDA_COPY_TABLE(name, columns, types, source, sequence)                                    \
    {name, columns, types, source, sequence},
static const struct edda_copy_table tables[] = {
#include "actors/store/copy_table.def"
};
#undef EDDA_COPY_TABLE

const struct edda_copy_table *edda_copy_table(size_t number) {
    return number < sizeof tables / sizeof tables[0] ? &tables[number] : NULL;
}

void edda_copy_digest_add(struct edda_copy_digest *digest, struct edda_bytes row) {
    uint8_t hash[crypto_hash_sha256_BYTES];
    uint64_t halves[2];
    crypto_hash_sha256(hash, row.data, row.size);
    memcpy(halves, hash, sizeof halves);
    digest->rows++;
    digest->sums[0] += halves[0];
    digest->sums[1] += halves[1];
}
