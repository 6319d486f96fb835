/* tests/provider/refusal.c: errors as each provider words them. */
#include <stdio.h>

#include "actors/runtime/write.h"
#include "tests/provider/request.h"

/* What each calls a status; the first that fits, 0 fits any. */
static const struct {
    int status;
    const char *openai_type;
    const char *openai_code; /* NULL: null */
    const char *anthropic;
    const char *gemini;
    const char *tei;
    const char *words;
} names[] = {
    {400, "invalid_request_error", NULL, "invalid_request_error", "INVALID_ARGUMENT", "Validation",
     "The request is not valid"},
    {401, "invalid_request_error", "invalid_api_key", "authentication_error", "UNAUTHENTICATED",
     "Validation", "Incorrect API key provided"},
    {402, "invalid_request_error", "insufficient_quota", "billing_error", "FAILED_PRECONDITION",
     "Validation", "Your balance is used up"},
    {403, "invalid_request_error", NULL, "permission_error", "PERMISSION_DENIED", "Validation",
     "You are not allowed to do this"},
    {404, "invalid_request_error", "model_not_found", "not_found_error", "NOT_FOUND", "Validation",
     "The model does not exist"},
    {413, "invalid_request_error", NULL, "request_too_large", "INVALID_ARGUMENT", "Validation",
     "The batch is too large"},
    {422, "invalid_request_error", NULL, "invalid_request_error", "INVALID_ARGUMENT", "Tokenizer",
     "The input cannot be processed"},
    {424, "server_error", NULL, "api_error", "INTERNAL", "Backend", "The backend failed"},
    {429, "requests", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED", "Overloaded",
     "Rate limit reached"},
    {503, "server_error", NULL, "overloaded_error", "UNAVAILABLE", "Unhealthy",
     "The service is not available"},
    {504, "server_error", NULL, "timeout_error", "DEADLINE_EXCEEDED", "Backend",
     "The deadline is over"},
    {529, "server_error", NULL, "overloaded_error", "UNAVAILABLE", "Overloaded", "Overloaded"},
    {0, "server_error", NULL, "api_error", "INTERNAL", "Backend", "The server had an error"},
};

static void write_openai(struct edda_buffer *out, size_t name, struct edda_text message) {
    EDDA_WRITE(out, "{\"error\":{\"message\":");
    edda_write_text(out, message);
    (void)edda_buffer_printf(out,
                             ",\"type\":\"%s\",\"param\":null,\"code\":", names[name].openai_type);
    edda_write_text(out, edda_text_of(names[name].openai_code));
    EDDA_WRITE(out, "}}");
}

static void write_anthropic(struct edda_buffer *out, size_t name, struct edda_text message) {
    (void)edda_buffer_printf(
        out, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":", names[name].anthropic);
    edda_write_text(out, message);
    EDDA_WRITE(out, "},\"request_id\":\"req_fake\"}");
}

static void write_gemini(struct edda_buffer *out, size_t name, int status,
                         struct edda_text message) {
    (void)edda_buffer_printf(out, "{\"error\":{\"code\":%d,\"message\":", status);
    edda_write_text(out, message);
    (void)edda_buffer_printf(out, ",\"status\":\"%s\"}}", names[name].gemini);
}

static void write_field(struct edda_buffer *out, const char *field, struct edda_text message,
                        const char *end) {
    (void)edda_buffer_printf(out, "{\"%s\":", field);
    edda_write_text(out, message);
    (void)edda_buffer_append_text(out, end);
}

void fake_refusal_write(struct edda_buffer *out, enum fake_provider provider, int status,
                        const char *message) {
    size_t name = 0;
    char end[64];
    while (names[name].status != 0 && names[name].status != status) {
        name++;
    }
    struct edda_text text = edda_text_of(message ? message : names[name].words);
    switch (provider) {
    case FAKE_ANTHROPIC:
        write_anthropic(out, name, text);
        break;
    case FAKE_GEMINI:
        write_gemini(out, name, status, text);
        break;
    case FAKE_COHERE:
        write_field(out, "message", text, "}");
        break;
    case FAKE_VOYAGE:
    case FAKE_JINA:
    case FAKE_LOCAL:
        write_field(out, "detail", text, "}");
        break;
    case FAKE_OLLAMA:
        write_field(out, "error", text, "}");
        break;
    case FAKE_TEI:
        (void)snprintf(end, sizeof end, ",\"error_type\":\"%s\"}", names[name].tei);
        write_field(out, "error", text, end);
        break;
    default:
        write_openai(out, name, text);
    }
}
