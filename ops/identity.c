/* ops/identity.c: see identity.h. */
#include "ops/identity.h"

#include <limits.h>
#include <stdio.h>

#include "actors/runtime/socket.h"
#include "ops/options.h"

static int refuse(char *message, int error, const char *text) {
    snprintf(message, EDDA_IDENTITY_MESSAGE, "%s", text);
    return error;
}

static size_t count_tcp(const char *const *urls, size_t count, bool *ret_exposed) {
    size_t tcp = 0;
    *ret_exposed = false;
    for (size_t i = 0; i < count; i++) {
        tcp += edda_url_is_tcp(urls[i]);
        *ret_exposed = *ret_exposed || edda_url_is_exposed(urls[i]);
    }
    return tcp;
}

/* The broker's socket refuses for itself; here it is about what would be sent in the clear. */
static int allow_plain(const edda_config_t *config, bool listens, bool exposed, char *message) {
    if (edda_config_text(config, EDDA_CONFIG_BROKER_KEY)[0])
        return refuse(message, EDDA_E_INVALID,
                      "--broker-key needs a key pair of one's own: --curve-key (`edda keygen`)");
    if (edda_config_text(config, EDDA_CONFIG_AUTHORIZED)[0])
        return refuse(message, EDDA_E_INVALID,
                      "--authorized needs the broker's key pair: --curve-key (`edda keygen`)");
    if (exposed && !listens && !edda_config_switch(config, EDDA_CONFIG_INSECURE_TCP))
        return refuse(message, EDDA_E_DENIED,
                      "--connect goes beyond this machine without encryption; --curve-key and "
                      "--broker-key encrypt it, --insecure-tcp allows it where the network is "
                      "private");
    return 0;
}

/* A key for each URL, or one for all of them. */
static int trust_brokers(const edda_config_t *config, size_t url_count, edda_curve_t *curve,
                         char *message) {
    const char *list = edda_config_text(config, EDDA_CONFIG_BROKER_KEY);
    char item[PATH_MAX];
    char reason[256];
    int more;
    for (size_t n = 0; (more = edda_list_item(list, n, item, sizeof item)) > 0; n++) {
        int error = edda_curve_trust(curve, item, reason, sizeof reason);
        if (error != 0) {
            snprintf(message, EDDA_IDENTITY_MESSAGE, "--broker-key: %s", reason);
            return error;
        }
    }
    if (more < 0)
        return refuse(message, more, "--broker-key names a file whose path is too long");
    size_t keys = edda_curve_trusted(curve);
    if (keys == 0)
        return refuse(message, EDDA_E_INVALID,
                      "--broker-key is missing: the broker's public key, or its .pub file");
    if (keys != 1 && keys != url_count) {
        snprintf(message, EDDA_IDENTITY_MESSAGE,
                 "--broker-key has %zu keys for %zu brokers: one for all, or one each", keys,
                 url_count);
        return EDDA_E_INVALID;
    }
    return 0;
}

int edda_identity_open(const edda_config_t *config, bool listens, const char *const *urls,
                       size_t count, edda_curve_t **ret_curve,
                       char message[EDDA_IDENTITY_MESSAGE]) {
    const char *path = edda_config_text(config, EDDA_CONFIG_CURVE_KEY);
    char reason[256];
    bool exposed = false;
    edda_curve_t *curve = NULL;
    *ret_curve = NULL;
    if (count_tcp(urls, count, &exposed) == 0)
        return 0;
    if (!path[0])
        return allow_plain(config, listens, exposed, message);
    if (listens && !edda_config_text(config, EDDA_CONFIG_AUTHORIZED)[0])
        return refuse(message, EDDA_E_INVALID,
                      "--authorized is missing: the file with the keys that may come, and as what");
    int error = edda_curve_load(path, &curve, reason, sizeof reason);
    if (error != 0) {
        snprintf(message, EDDA_IDENTITY_MESSAGE, "the file of --curve-key: %s", reason);
        return error;
    }
    if (!listens)
        error = trust_brokers(config, count, curve, message);
    if (error != 0) {
        edda_curve_destroy(&curve);
        return error;
    }
    *ret_curve = curve;
    return 0;
}
