/* tests/fuzz/fuzz_keys.c: key files and authorized files, which people edit.
 *
 * The first byte chooses. A certificate that is taken is written and read back the same. A table
 * that is taken gives each of its keys what nobody else has; one that is refused says in one
 * printable line why. */
#include "tests/fuzz/fuzz.h"

#include "broker/authorized.h"

static void read_certificate(const char *text, size_t size) {
    struct edda_certificate certificate;
    struct edda_certificate again;
    struct edda_buffer written;
    if (edda_certificate_parse(text, size, &certificate) != 0) {
        return;
    }
    EDDA_ASSERT(edda_curve_is_key(certificate.public_key, strlen(certificate.public_key)));
    edda_buffer_init(&written, EDDA_CERTIFICATE_SIZE);
    edda_certificate_write(&certificate, &written);
    struct edda_bytes bytes = edda_buffer_bytes(&written);
    EDDA_ASSERT(edda_certificate_parse((const char *)bytes.data, bytes.size, &again) == 0);
    EDDA_ASSERT(strcmp(again.public_key, certificate.public_key) == 0);
    EDDA_ASSERT(strcmp(again.secret_key, certificate.secret_key) == 0);
    edda_buffer_done(&written);
}

static void check_permit(const edda_authorized_t *authorized, const struct edda_permit *permit) {
    EDDA_ASSERT(permit->identity != edda_permit_local.identity);
    EDDA_ASSERT(edda_authorized_find_identity(authorized, permit->identity) == permit);
    EDDA_ASSERT((permit->roles & EDDA_PERMIT_LOCAL) == 0);
    EDDA_ASSERT(permit->roles != 0 || permit->service_count > 0);
    EDDA_ASSERT(permit->service_count <= EDDA_AUTHORIZED_ROLES);
}

/* Every 40 bytes of the text that are a key: in the table with all it may do, or nobody. */
static void look_up(const edda_authorized_t *authorized, const char *text, size_t size) {
    size_t found = 0;
    for (size_t at = 0; at + EDDA_CURVE_KEY_TEXT - 1 <= size; at++) {
        char key[EDDA_CURVE_KEY_TEXT] = "";
        if (!edda_curve_is_key(text + at, sizeof key - 1)) {
            continue;
        }
        memcpy(key, text + at, sizeof key - 1);
        const struct edda_permit *permit = edda_authorized_find(authorized, key);
        if (permit != &edda_permit_none) {
            check_permit(authorized, permit);
            found++;
        }
    }
    EDDA_ASSERT(found >= edda_authorized_count(authorized));
}

static void read_authorized(const char *text, size_t size) {
    static const uint8_t salt[EDDA_AUTHORIZED_SALT] = {1};
    char message[EDDA_AUTHORIZED_MESSAGE] = "";
    edda_authorized_t *authorized = NULL;
    if (edda_authorized_parse(text, size, salt, &authorized, message) == 0) {
        look_up(authorized, text, size);
    } else {
        size_t length = strnlen(message, sizeof message);
        EDDA_ASSERT(!authorized && length > 0 && length < sizeof message);
        for (size_t i = 0; i < length; i++) {
            EDDA_ASSERT(message[i] >= ' ' && message[i] <= '~');
        }
    }
    edda_authorized_destroy(&authorized);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    uint8_t *copy = fuzz_copy(data + 1, size - 1);
    if (data[0] % 2 == 0) {
        read_certificate((const char *)copy, size - 1);
    } else {
        read_authorized((const char *)copy, size - 1);
    }
    __builtin_free(copy);
    return 0;
}
