#include "actors/chunker/chunk.h"

#include "actors/chunker/html.h"
#include "actors/chunker/piece.h"
#include "actors/chunker/structure.h"
#include "actors/text/tokens.h"
#include "proto/limits.h"

#define TARGET_LEAST  64u
#define TARGET_MOST   8192u
#define MAXIMUM_MOST  16384u
#define MINIMUM_LEAST 24u

/* The arguments' sizes with defaults and limits applied, in units. */
struct sizes {
    uint32_t target;
    uint32_t maximum;
    uint32_t minimum;
    uint32_t overlap;
};

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t most) {
    return value < least ? least : value > most ? most : value;
}

static struct sizes read_sizes(const struct edda_chunk_arguments *arguments, bool may_overlap) {
    uint32_t target =
        arguments->target_tokens ? arguments->target_tokens : EDDA_CHUNK_TARGET_TOKENS;
    uint32_t maximum = arguments->maximum_tokens;
    uint32_t minimum = arguments->minimum_tokens;
    uint32_t overlap = arguments->overlap_tokens;
    target = clamp(target, TARGET_LEAST, TARGET_MOST);
    /* Left out beside a target of one's own, they keep the defaults' proportions. */
    if (maximum == 0)
        maximum = target * EDDA_CHUNK_MAXIMUM_TOKENS / EDDA_CHUNK_TARGET_TOKENS;
    if (minimum == 0)
        minimum = target * EDDA_CHUNK_MINIMUM_TOKENS / EDDA_CHUNK_TARGET_TOKENS;
    if (overlap == 0)
        overlap = target * EDDA_CHUNK_OVERLAP_TOKENS / EDDA_CHUNK_TARGET_TOKENS;
    if (overlap == EDDA_CHUNK_NO_OVERLAP || !may_overlap)
        overlap = 0;
    return (struct sizes){
        .target = target * EDDA_UNITS_A_TOKEN,
        .maximum = clamp(maximum, target, MAXIMUM_MOST) * EDDA_UNITS_A_TOKEN,
        .minimum = clamp(minimum, MINIMUM_LEAST, target / 2) * EDDA_UNITS_A_TOKEN,
        .overlap = clamp(overlap, 0, target / 2) * EDDA_UNITS_A_TOKEN,
    };
}

/* Whether a chunk of `units` ends in front of piece. */
static bool ends_before(const struct edda_piece *piece, uint32_t units, const struct sizes *sizes) {
    if (units + piece->units > sizes->maximum)
        return true;
    if (units < sizes->minimum)
        return false;
    if (piece->rank == EDDA_RANK_SECTION)
        return true;
    if (units + piece->units > sizes->target)
        return units + piece->rest > sizes->maximum || piece->rank >= EDDA_RANK_BLOCK;
    /* A block that would be torn goes whole into the next chunk, unless no chunk could hold it or
     * this one would stay less than half full. */
    bool torn = piece->rank == EDDA_RANK_BLOCK && units + piece->rest > sizes->target;
    return torn && (piece->rest <= sizes->maximum && units * 2 >= sizes->target);
}

/* The first piece of the overlap in front of piece `first`, not before `least`. */
static size_t find_overlap(const struct edda_pieces *pieces, size_t first, size_t end, size_t least,
                           const struct sizes *sizes) {
    uint32_t own = 0;
    for (size_t i = first; i < end; i++)
        own += pieces->items[i].units;
    uint32_t total = 0;
    size_t start = first;
    while (start > least && pieces->items[start].rank < EDDA_RANK_SECTION) {
        const struct edda_piece *piece = &pieces->items[start - 1];
        uint32_t units = total + piece->units;
        /* One more sentence as long as it brings the overlap nearer to what is wanted. */
        bool nearer = units <= sizes->overlap ||
                      (total < sizes->overlap && units - sizes->overlap < sizes->overlap - total);
        if (!nearer || own + units > sizes->maximum || piece->rank == EDDA_RANK_SECTION)
            break;
        total = units;
        start--;
    }
    /* Overlap begins at a sentence: better less than a torn one. */
    while (start < first && pieces->items[start].rank == EDDA_RANK_WORD)
        start++;
    return start;
}

struct packing {
    struct edda_pieces *pieces;
    const struct edda_html *html; /* or NULL */
    const struct edda_chunk_arguments *arguments;
    struct sizes sizes;
    struct edda_chunk *items; /* in the arena */
    size_t count;
};

/* Headings alone say little: a chunk has the path of its first piece that is more. */
static struct edda_text choose_heading(const struct edda_pieces *pieces, size_t first, size_t end) {
    size_t at = first;
    while (at + 1 < end && pieces->items[at].rank == EDDA_RANK_SECTION)
        at++;
    return pieces->paths[pieces->items[at].path];
}

static int emit(struct packing *packing, size_t from, size_t first, size_t end) {
    if (packing->count == EDDA_MAX_CHUNKS_PER_PART)
        return EDDA_E_LIMIT;
    const struct edda_pieces *pieces = packing->pieces;
    uint32_t start = pieces->items[from].start;
    uint32_t stop = pieces->items[end - 1].end;
    struct edda_text text = {pieces->text.data + start, stop - start};
    struct edda_chunk *chunk = &packing->items[packing->count];
    *chunk = (struct edda_chunk){
        .text = text,
        .number = (uint32_t)packing->count++,
        .start = packing->arguments->first_byte + start,
        .end = packing->arguments->first_byte + stop,
        .heading = choose_heading(pieces, first, end),
        .tokens = edda_tokens_of(text),
    };
    if (packing->html != NULL) {
        chunk->start = packing->arguments->first_byte + packing->html->start[start];
        chunk->end = packing->arguments->first_byte + packing->html->end[stop - 1];
    }
    return 0;
}

/* The end of the chunk that begins with piece `first`; a tail too small to stand alone is taken in
 * when it fits. */
static size_t find_end(const struct edda_pieces *pieces, size_t first, const struct sizes *sizes) {
    uint32_t units = 0;
    size_t end = first;
    while (end < pieces->count && (end == first || !ends_before(&pieces->items[end], units, sizes)))
        units += pieces->items[end++].units;
    uint32_t tail = 0;
    for (size_t i = end; i < pieces->count && tail < sizes->minimum; i++)
        tail += pieces->items[i].units;
    return tail < sizes->minimum && units + tail <= sizes->maximum ? pieces->count : end;
}

static int pack(struct packing *packing, struct edda_arena *arena) {
    struct edda_pieces *pieces = packing->pieces;
    if (pieces->count == 0)
        return 0;
    size_t most =
        pieces->count < EDDA_MAX_CHUNKS_PER_PART ? pieces->count : EDDA_MAX_CHUNKS_PER_PART;
    packing->items = edda_arena_take(arena, most * sizeof *packing->items);
    if (packing->items == NULL)
        return EDDA_E_MEMORY;
    size_t least = 0; /* overlap must leave something of the chunk before: ranges ascend */
    for (size_t first = 0; first < pieces->count;) {
        size_t end = find_end(pieces, first, &packing->sizes);
        size_t from = find_overlap(pieces, first, end, least, &packing->sizes);
        int error = emit(packing, from, first, end);
        if (error != 0)
            return error;
        least = first + 1;
        first = end;
    }
    return 0;
}

static void take_apart(struct edda_pieces *pieces, const struct edda_chunk_arguments *arguments) {
    struct edda_text format = arguments->format;
    bool is_first = arguments->first_byte == 0;
    if (edda_text_is(format, "csv"))
        edda_structure_csv(pieces, arguments->heading, is_first);
    else if (edda_text_is(format, "json"))
        edda_structure_json(pieces, arguments->heading);
    else if (format.size == 0 || edda_text_is(format, "markdown") || edda_text_is(format, "html"))
        edda_structure_markdown(pieces, arguments->heading);
    else
        edda_structure_plain(pieces, arguments->heading);
}

int edda_chunk_text(const struct edda_chunk_arguments *arguments, struct edda_arena *arena,
                    struct edda_chunks *ret_chunks) {
    if (arguments->text.size > EDDA_PART_BYTES)
        return EDDA_E_LIMIT;
    struct edda_text format = arguments->format;
    struct edda_text text = arguments->text;
    struct edda_html html = {.start = NULL};
    bool is_html = edda_text_is(format, "html");
    if (is_html) {
        int error = edda_html_read(text, arguments->first_byte == 0, arena, &html);
        if (error != 0)
            return error;
        text = html.text;
    }
    bool has_records = edda_text_is(format, "csv") || edda_text_is(format, "json");
    struct packing packing = {.html = is_html ? &html : NULL,
                              .arguments = arguments,
                              .sizes = read_sizes(arguments, !has_records)};
    struct edda_pieces pieces;
    edda_pieces_init(&pieces, text, arena, packing.sizes.target / EDDA_UNITS_A_TOKEN);
    packing.pieces = &pieces;
    take_apart(&pieces, arguments);
    int error = edda_pieces_finish(&pieces);
    if (error == 0)
        error = pack(&packing, arena);
    if (error == 0)
        *ret_chunks = (struct edda_chunks){.chunks = {packing.items, packing.count},
                                           .title = arguments->title};
    edda_pieces_done(&pieces);
    edda_html_done(&html);
    return error;
}
