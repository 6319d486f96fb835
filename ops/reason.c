/* ops/reason.c: see reason.h. */
#include "ops/reason.h"

#include <stdio.h>
#include <string.h>

#include "proto/error.h"

#define REASON_BYTES 4608 /* a setting of 4096 bytes with words around it */

static bool explain_broker(int error, const edda_config_t *config, char *text) {
    const char *listen = edda_config_text(config, EDDA_CONFIG_LISTEN);
    switch (error) {
    case EDDA_E_CONFLICT:
        snprintf(text, REASON_BYTES, "another Edda runs on the data directory %s%s%s",
                 edda_config_text(config, EDDA_CONFIG_DATA),
                 listen[0] ? ", or another process listens at " : "", listen);
        return true;
    case EDDA_E_DENIED:
        snprintf(text, REASON_BYTES,
                 "--listen %s goes beyond this machine without encryption; --curve-key and "
                 "--authorized encrypt it, --insecure-tcp allows it where the network is private",
                 listen);
        return true;
    case EDDA_E_MALFORMED:
        snprintf(text, REASON_BYTES, "the file of --authorized is refused: %s; why is above",
                 edda_config_text(config, EDDA_CONFIG_AUTHORIZED));
        return true;
    case EDDA_E_FAILED:
    case EDDA_E_TIMEOUT:
        snprintf(text, REASON_BYTES,
                 "a stranger with a random key was not turned away: nothing is served");
        return true;
    case EDDA_E_INVALID:
        snprintf(text, REASON_BYTES,
                 "--listen %s is not tcp://ADDRESS:PORT, of this machine, or ipc://PATH", listen);
        return true;
    default:
        return false;
    }
}

/* Of a part that listens for HTTP at the address of this setting. */
static bool explain_listener(int error, const edda_config_t *config, enum edda_setting setting,
                             char *text) {
    const char *address = edda_config_text(config, setting);
    const char *flag = edda_setting_info(setting)->flag;
    switch (error) {
    case EDDA_E_INVALID:
        snprintf(text, REASON_BYTES, "%s %s is not ADDRESS:PORT", flag, address);
        return true;
    case EDDA_E_UNAVAILABLE:
        snprintf(text, REASON_BYTES,
                 "%s cannot be listened on: is it in use? %s names another address", address, flag);
        return true;
    default:
        return false;
    }
}

static bool explain_store(int error, const edda_config_t *config, char *text) {
    switch (error) {
    case EDDA_E_CONFLICT:
        snprintf(text, REASON_BYTES, "another process uses the data directory %s",
                 edda_config_text(config, EDDA_CONFIG_DATA));
        return true;
    case EDDA_E_VERSION: /* of tables, server or pgvector; the error's own text is of protocols */
        snprintf(text, REASON_BYTES, "a version does not fit; what it said is above");
        return true;
    default:
        return false;
    }
}

void edda_reason_print(const char *part, int error, const edda_config_t *config) {
    char text[REASON_BYTES];
    bool known =
        strcmp(part, "broker") == 0    ? explain_broker(error, config, text)
        : strcmp(part, "gateway") == 0 ? explain_listener(error, config, EDDA_CONFIG_HTTP, text)
        : strcmp(part, "metrics") == 0 ? explain_listener(error, config, EDDA_CONFIG_METRICS, text)
        : strcmp(part, "store") == 0   ? explain_store(error, config, text)
                                       : false;
    if (known)
        fprintf(stderr, "edda: the %s did not start: %s\n", part, text);
    else if (error != 0)
        fprintf(stderr, "edda: the %s did not start: %s; what it said is above\n", part,
                edda_error_text(error));
    else
        fprintf(stderr, "edda: the %s did not start; what it said is above\n", part);
}
