#include "actors/llm/rewrite.h"

#include <strings.h>

#include "actors/llm/prompt.h"
#include "actors/text/text.h"
#include "actors/text/tokens.h"
#include "proto/limits.h"

#define MESSAGE_TOKENS 200  /* of one message shown: its beginning says what it is about */
#define HISTORY_TOKENS 8000 /* of messages looked at, before they are cut */
#define SHOWN          6    /* messages */
#define FEW_WORDS      2    /* of content, beside one that points back */
#define FEW_POINTS     12   /* code points of a question in Han or Kana, which has no stopwords */
#define LOOKED_BACK    3    /* questions */

/* ---- a model's ---- */

static const char instructions[] =
    "Rewrite the user's last question so that it can be understood without the conversation: put "
    "what its pronouns and omissions stand for in their place. Do not answer it. Keep its "
    "language. Reply with the question alone, on one line; when it stands alone already, repeat "
    "it unchanged.";

static void show_message(struct edda_buffer *out, const char *speaker, struct edda_text text) {
    struct edda_text shown = edda_tokens_prefix(text, MESSAGE_TOKENS);
    (void)edda_buffer_printf(out, "%s: ", speaker);
    (void)edda_buffer_append(out, shown.data, shown.size);
    (void)edda_buffer_append_text(out, shown.size < text.size ? " …\n" : "\n");
}

static int write_conversation(const struct edda_llm_rewrite *arguments, struct edda_arena *arena,
                              struct edda_buffer *out) {
    struct edda_llm_message *messages =
        edda_arena_take(arena, (arguments->history.count + 1) * sizeof *messages);
    uint32_t tokens;
    if (!messages) {
        return EDDA_E_MEMORY;
    }
    size_t count = edda_prompt_history(&arguments->history, HISTORY_TOKENS, messages, &tokens);
    (void)edda_buffer_append_text(out, "Conversation:\n");
    for (size_t i = count > SHOWN ? count - SHOWN : 0; i < count; i++) {
        bool user = edda_text_is(messages[i].role, "user");
        show_message(out, user ? "User" : "Assistant", messages[i].content);
    }
    (void)edda_buffer_append_text(out, "\nLast question: ");
    (void)edda_buffer_append(out, arguments->query.data, arguments->query.size);
    return out->error;
}

int edda_rewrite_prompt(const struct edda_llm_rewrite *arguments, struct edda_arena *arena,
                        struct edda_chat_prompt *ret_prompt) {
    struct edda_llm_message *message = edda_arena_take(arena, sizeof *message);
    struct edda_buffer out;
    edda_buffer_init(&out, (size_t)1024 * 1024);
    int error = message ? write_conversation(arguments, arena, &out) : EDDA_E_MEMORY;
    if (!error) {
        struct edda_text text = {(const char *)out.data, out.size};
        *message = (struct edda_llm_message){EDDA_TEXT("user"), edda_arena_text(arena, text)};
        *ret_prompt = (struct edda_chat_prompt){.system = EDDA_TEXT(instructions),
                                                .messages = {message, 1},
                                                .max_tokens = EDDA_REWRITE_TOKENS};
        error = message->content.data ? 0 : EDDA_E_MEMORY;
    }
    edda_buffer_done(&out);
    return error;
}

static struct edda_text first_line(struct edda_text text) {
    text = edda_text_trim(text);
    const char *end = text.size > 0 ? memchr(text.data, '\n', text.size) : NULL;
    text.size = end ? (size_t)(end - text.data) : text.size;
    return edda_text_trim(text);
}

static struct edda_text drop_label(struct edda_text text) {
    static const char *const labels[] = {"Question:", "Last question:", "Stand-alone question:",
                                         "Standalone question:", "Rewritten question:"};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        size_t size = strlen(labels[i]);
        if (text.size > size && strncasecmp(text.data, labels[i], size) == 0) {
            return edda_text_trim((struct edda_text){text.data + size, text.size - size});
        }
    }
    return text;
}

static bool is_around(struct edda_text text, const char *open, const char *close) {
    size_t before = strlen(open);
    size_t behind = strlen(close);
    return text.size > before + behind && memcmp(text.data, open, before) == 0 &&
           memcmp(text.data + text.size - behind, close, behind) == 0;
}

static struct edda_text drop_quotes(struct edda_text text) {
    static const char *const pairs[][2] = {{"\"", "\""}, {"'", "'"}, {"`", "`"}, {"**", "**"},
                                           {"“", "”"},   {"„", "“"}, {"«", "»"}, {"「", "」"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (is_around(text, pairs[i][0], pairs[i][1])) {
            size_t before = strlen(pairs[i][0]);
            size_t size = text.size - before - strlen(pairs[i][1]);
            return edda_text_trim((struct edda_text){text.data + before, size});
        }
    }
    return text;
}

struct edda_text edda_rewrite_clean(struct edda_text answer, struct edda_text query) {
    struct edda_text text = drop_quotes(drop_label(drop_quotes(first_line(answer))));
    bool usable = text.size > 0 && text.size <= EDDA_REWRITE_BYTES && edda_text_valid(text);
    return usable ? text : query;
}

/* ---- built in ---- */

/* What a question is made of. */
struct reading {
    size_t content; /* words that are no stopwords and point nowhere */
    size_t points;  /* code points in Han and Kana */
    bool back;      /* a word points back */
    bool goes_on;   /* its first word does */
};

static bool is_one_of(struct edda_text word, const char *const *list) {
    for (; *list; list++) {
        if (edda_text_is(word, *list)) {
            return true;
        }
    }
    return false;
}

/* Words that do little else: "das" and "il" stand in many questions that lean on nothing. */
static bool points_back(struct edda_text word) {
    static const char *const list[] = {
        "it",    "its",   "he",     "him",    "his",   "she",   "her",   "hers",    "they",
        "them",  "their", "this",   "that",   "these", "those", "er",    "ihn",     "ihm",
        "dies",  "diese", "dieser", "dieses", "dort",  "davon", "dafur", "daruber", "dessen",
        "deren", "elle",  "ils",    "elles",  "lui",   "leur",  "cela",  "cette",   "ces",
        "ella",  "ellos", "ellas",  "eso",    "esto",  "ese",   "esta",  "它",      "他",
        "她",    "这",    "那",     "其",     NULL};
    return is_one_of(word, list);
}

static bool begins_going_on(struct edda_text word) {
    static const char *const list[] = {"and", "or",   "but", "also", "und", "oder", "aber",
                                       "et",  "mais", "y",   "pero", "那",  NULL};
    return is_one_of(word, list);
}

static int read_question(edda_analyser_t *analyser, struct edda_text text,
                         struct reading *ret_reading) {
    struct edda_tokens tokens;
    int error = edda_analyser_run(analyser, text, EDDA_LANGUAGE_AUTO, &tokens);
    *ret_reading = (struct reading){.content = 0};
    for (size_t i = 0; !error && i < tokens.count; i++) {
        const struct edda_token *token = &tokens.items[i];
        ret_reading->goes_on |= i == 0 && begins_going_on(token->surface);
        if (points_back(token->surface)) {
            ret_reading->back = true;
        } else if (token->kind == EDDA_TOKEN_CJK) {
            ret_reading->points += token->letters == 1;
        } else {
            ret_reading->content += !token->stopword;
        }
    }
    return error;
}

static bool leans(const struct reading *reading) {
    if (reading->content == 0 && reading->points == 0) {
        return true;
    }
    bool few = reading->content <= FEW_WORDS && reading->points <= FEW_POINTS;
    return few && (reading->back || reading->goes_on);
}

/* Where the run of Han and Kana ends that token i begins. */
static uint32_t find_run_end(const struct edda_tokens *tokens, size_t i) {
    uint32_t end = tokens->items[i].end;
    while (++i < tokens->count && tokens->items[i].kind == EDDA_TOKEN_CJK &&
           tokens->items[i].start <= end) {
        end = tokens->items[i].end > end ? tokens->items[i].end : end;
    }
    return end;
}

/* Adds the words of a question before that are not there yet, as they are written; of Han and Kana
 * whole runs. */
static int add_words(edda_analyser_t *analyser, struct edda_text text, struct edda_buffer *out) {
    struct edda_tokens tokens;
    int error = edda_analyser_run(analyser, text, EDDA_LANGUAGE_AUTO, &tokens);
    uint32_t end = 0;
    for (size_t i = 0; !error && i < tokens.count; i++) {
        const struct edda_token *token = &tokens.items[i];
        bool run = token->kind == EDDA_TOKEN_CJK;
        if (token->start < end || token->stopword || (!run && points_back(token->surface))) {
            continue;
        }
        end = run ? find_run_end(&tokens, i) : token->end;
        struct edda_text word = {text.data + token->start, end - token->start};
        if (!memmem(out->data, out->size, word.data, word.size)) {
            (void)edda_buffer_append(out, " ", 1);
            error = edda_buffer_append(out, word.data, word.size);
        }
    }
    return error;
}

/* The questions before, the nearest first, until one that leans on none. */
static int add_questions(edda_analyser_t *analyser, const struct edda_llm_messages *history,
                         struct edda_buffer *out) {
    struct reading reading = {.back = true};
    size_t looked = 0;
    int error = 0;
    for (size_t i = history->count; !error && i-- > 0 && looked < LOOKED_BACK && leans(&reading);) {
        const struct edda_llm_message *message = &history->items[i];
        if (!edda_text_is(message->role, "user") || message->content.size == 0 ||
            message->content.size > EDDA_MAX_QUERY_BYTES) {
            continue;
        }
        looked++;
        error = add_words(analyser, message->content, out);
        if (!error) {
            error = read_question(analyser, message->content, &reading);
        }
    }
    return error;
}

int edda_rewrite_builtin(edda_analyser_t *analyser, const struct edda_llm_rewrite *arguments,
                         struct edda_arena *arena, struct edda_text *ret_query) {
    struct reading reading;
    struct edda_buffer out;
    int error = read_question(analyser, arguments->query, &reading);
    *ret_query = arguments->query;
    if (error || arguments->query.size == 0 || !leans(&reading)) {
        return error;
    }
    edda_buffer_init(&out, EDDA_REWRITE_BYTES);
    (void)edda_buffer_append(&out, arguments->query.data, arguments->query.size);
    error = out.error ? out.error : add_questions(analyser, &arguments->history, &out);
    if (!error) {
        struct edda_text text = {(const char *)out.data, out.size};
        *ret_query = edda_arena_text(arena, text);
        error = ret_query->data ? 0 : EDDA_E_MEMORY;
    } else if (error == EDDA_E_LIMIT) {
        error = 0; /* it would be too long: as it is */
    }
    edda_buffer_done(&out);
    return error;
}
