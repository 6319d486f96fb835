/* ops/command_keygen.c: `edda keygen`: a key pair, and its line for the authorized file. */
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/curve.h"
#include "broker/authorized.h"
#include "ops/command.h"

/* The file's own name, without its folder and what follows the last dot. */
static void name_of(const char *path, char name[EDDA_AUTHORIZED_NAME + 1]) {
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    size_t size = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    size = size < EDDA_AUTHORIZED_NAME ? size : EDDA_AUTHORIZED_NAME;
    memcpy(name, base, size);
    name[size] = '\0';
}

/* What is printed must be a line the broker takes. */
static bool is_good(const char *line, char message[EDDA_AUTHORIZED_MESSAGE]) {
    static const uint8_t salt[EDDA_AUTHORIZED_SALT] = {0};
    edda_authorized_t *authorized = NULL;
    bool good = edda_authorized_parse(line, strlen(line), salt, &authorized, message) == 0;
    edda_authorized_destroy(&authorized);
    return good;
}

static int report(const char *message) {
    fprintf(stderr, "edda keygen: %s\n", message);
    return EDDA_EXIT_FAILED;
}

static int write_pair(const edda_curve_t *curve, const char *path, bool overwrite,
                      const char *line) {
    char message[EDDA_AUTHORIZED_MESSAGE + 4096];
    if (edda_curve_save(curve, path, overwrite, message, sizeof message) != 0)
        return report(message);
    fprintf(stderr,
            "%s holds the key pair: it stays on this machine, readable by you alone\n"
            "%s.pub holds its public key, printed here\n",
            path, path);
    printf("%s\n", line[0] ? line : edda_curve_public(curve));
    if (!line[0])
        fprintf(stderr, "with --role there is a whole line for a broker's authorized file\n");
    return EDDA_EXIT_OK;
}

int edda_command_keygen(const struct edda_command *command, const struct edda_options *options) {
    char line[1024] = "";
    char name[EDDA_AUTHORIZED_NAME + 1];
    char message[EDDA_AUTHORIZED_MESSAGE];
    const char *roles = edda_options_own_value(options, "--role=");
    const char *given = edda_options_own_value(options, "--name=");
    name_of(options->words[0], name);
    edda_curve_t *curve = NULL;
    int error = edda_curve_new(&curve);
    if (error != 0)
        return report(error == EDDA_E_UNAVAILABLE ? "this libzmq was built without CURVE"
                                                  : "out of memory");
    int status = EDDA_EXIT_OK;
    int length = roles ? snprintf(line, sizeof line, "%s %s %s", given ? given : name,
                                  edda_curve_public(curve), roles)
                       : 0;
    if (length < 0 || (size_t)length >= sizeof line)
        status = edda_command_misused(command, "the roles are too long");
    else if (roles && !is_good(line, message))
        status = edda_command_misused(command, "%s", message);
    else
        status =
            write_pair(curve, options->words[0], edda_options_own(options, "--overwrite"), line);
    edda_curve_destroy(&curve);
    return status;
}
