/* actors/runtime/certificate.c: the little of ZPL that certificates are written in. */
#include "actors/runtime/certificate.h"

#include <sodium.h>
#include <zmq.h>

static const char secret_warning[] =
    "#   A SECRET certificate of Edda: whoever can read it is this "
    "node. It stays on this machine.\n";
static const char public_notice[] = "#   The public half of a certificate of Edda: may be shown to "
                                    "anybody.\n";

bool edda_curve_is_key(const char *text, size_t size) {
    char copy[EDDA_CURVE_KEY_TEXT] = {0};
    uint8_t bytes[EDDA_CURVE_KEY_BYTES];
    if (size != EDDA_CURVE_KEY_TEXT - 1) {
        return false;
    }
    memcpy(copy, text, size);
    bool is_key = strlen(copy) == size && zmq_z85_decode(bytes, copy) != NULL;
    sodium_memzero(copy, sizeof copy);
    sodium_memzero(bytes, sizeof bytes);
    return is_key;
}

static struct edda_text trim(struct edda_text text) {
    while (text.size > 0 && (*text.data == ' ' || *text.data == '\t')) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && strchr(" \t\r", text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

static bool take_key(struct edda_text value, char ret_key[EDDA_CURVE_KEY_TEXT]) {
    if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"') {
        value.data++;
        value.size -= 2;
    }
    if (ret_key[0] || !edda_curve_is_key(value.data, value.size)) {
        return false;
    }
    memcpy(ret_key, value.data, value.size);
    ret_key[value.size] = '\0';
    return true;
}

static bool read_setting(struct edda_text line, struct edda_certificate *certificate) {
    const char *equals = memchr(line.data, '=', line.size);
    if (!equals) {
        return false;
    }
    size_t name_size = (size_t)(equals - line.data);
    struct edda_text name = trim((struct edda_text){line.data, name_size});
    struct edda_text value = trim((struct edda_text){equals + 1, line.size - name_size - 1});
    if (edda_text_is(name, "public-key")) {
        return take_key(value, certificate->public_key);
    }
    return edda_text_is(name, "secret-key") && take_key(value, certificate->secret_key);
}

static bool read_lines(const char *text, size_t size, struct edda_certificate *certificate) {
    bool in_curve = false;
    for (const char *end = text + size; text < end;) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((stop ? stop : end) - text);
        bool indented = *text == ' ' || *text == '\t';
        struct edda_text line = trim((struct edda_text){text, length});
        text += length + (stop ? 1 : 0);
        if (line.size == 0 || *line.data == '#') {
            continue;
        }
        if (!indented) {
            in_curve = edda_text_is(line, "curve");
        } else if (in_curve && !read_setting(line, certificate)) {
            return false;
        }
    }
    return certificate->public_key[0] != '\0';
}

int edda_certificate_parse(const char *text, size_t size,
                           struct edda_certificate *ret_certificate) {
    struct edda_certificate certificate = {.public_key = ""};
    if (size > EDDA_CERTIFICATE_SIZE) {
        return EDDA_E_LIMIT;
    }
    bool good = read_lines(text, size, &certificate);
    if (good) {
        *ret_certificate = certificate;
    }
    sodium_memzero(&certificate, sizeof certificate);
    return good ? 0 : EDDA_E_INVALID;
}

void edda_certificate_write(const struct edda_certificate *certificate, struct edda_buffer *out) {
    bool secret = certificate->secret_key[0] != '\0';
    edda_buffer_append_text(out, secret ? secret_warning : public_notice);
    edda_buffer_append_text(out, "metadata\ncurve\n    public-key = \"");
    edda_buffer_append_text(out, certificate->public_key);
    if (secret) {
        edda_buffer_append_text(out, "\"\n    secret-key = \"");
        edda_buffer_append_text(out, certificate->secret_key);
    }
    edda_buffer_append_text(out, "\"\n");
}
