/* tests/proto/records.c: walks a schema's fields to fill or to compare. */
#include "tests/proto/records.h"

#include <stdio.h>

struct list {
    void *items;
    size_t count;
};

struct filler {
    struct random *random; /* NULL: every field, always the same */
    struct edda_arena *arena;
};

static void *take_room(const struct filler *filler, size_t size) {
    void *room = edda_arena_take(filler->arena, size ? size : 1);
    EDDA_ASSERT(room);
    return room;
}

static size_t choose_size(const struct filler *filler, size_t maximum) {
    static const size_t usual = 40;
    size_t most = maximum < usual ? maximum : usual;
    /* Now and then exactly the maximum, where a frame has room for it. */
    if (random_below(filler->random, 8) == 0 && maximum <= 1024) {
        return maximum;
    }
    return random_below(filler->random, most + 1);
}

static struct edda_text make_text(const struct filler *filler, const char *name, size_t maximum) {
    static const char *const letters[] = {"a", "Z", " ", "\n", "ß", "é", "漢", "\xf0\x9f\x8c\x8d"};
    if (!filler->random) {
        size_t size = strlen(name) < maximum ? strlen(name) : maximum;
        return edda_arena_text(filler->arena, (struct edda_text){name, size});
    }
    size_t size = choose_size(filler, maximum);
    char *data = take_room(filler, size + 4);
    size_t used = 0;
    while (used < size) {
        const char *letter = letters[random_below(filler->random, 8)];
        size_t length = used + strlen(letter) <= size ? strlen(letter) : 1;
        memcpy(data + used, length == strlen(letter) ? letter : "x", length);
        used += length;
    }
    return (struct edda_text){data, size};
}

static struct edda_bytes make_bytes(const struct filler *filler, uint8_t key, size_t maximum) {
    size_t size = filler->random ? choose_size(filler, maximum) : 3;
    uint8_t *data = take_room(filler, size);
    if (filler->random) {
        random_bytes(filler->random, data, size);
    } else {
        memset(data, key, size);
    }
    return (struct edda_bytes){data, size};
}

static struct edda_floats make_floats(const struct filler *filler, size_t maximum) {
    static const float always[] = {1.5f, -0.25f};
    size_t count = filler->random ? choose_size(filler, maximum) / 4 : 2;
    uint8_t *data = take_room(filler, count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        float value = filler->random ? (float)random_below(filler->random, 1000) / 7.0f : always[i];
        memcpy(data + i * sizeof(value), &value, sizeof(value));
    }
    return (struct edda_floats){data, count * sizeof(float)};
}

/* Small numbers, large ones, and each side of where the encoding grows. */
static uint64_t make_number(const struct filler *filler, uint8_t key, uint64_t maximum) {
    uint64_t value = 1000u * key + 7;
    if (filler->random) {
        unsigned bits = (unsigned)random_below(filler->random, 65);
        value = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - random_below(filler->random, 2);
    }
    return value > maximum ? maximum : value;
}

static void fill_record(const struct filler *filler, const struct edda_schema *schema,
                        void *record);

static void fill_texts(const struct filler *filler, const struct edda_field *field,
                       struct edda_texts *texts) {
    texts->count = filler->random ? random_below(filler->random, 4) : 2;
    texts->items = take_room(filler, texts->count * sizeof(*texts->items));
    for (size_t i = 0; i < texts->count; i++) {
        if (!filler->random || random_below(filler->random, 8) > 0) {
            texts->items[i] = make_text(filler, i ? "" : field->name, field->item_maximum);
        }
    }
}

static void fill_list(const struct filler *filler, const struct edda_field *field,
                      struct list *list) {
    list->count = filler->random ? random_below(filler->random, 4) : 2;
    list->items = take_room(filler, list->count * field->record->size);
    for (size_t i = 0; i < list->count; i++) {
        fill_record(filler, field->record, (uint8_t *)list->items + i * field->record->size);
    }
}

static void fill_member(const struct filler *filler, const struct edda_field *field, void *member) {
    uint64_t most = field->maximum ? field->maximum : UINT64_MAX;
    switch ((enum edda_field_kind)field->kind) {
    case EDDA_FIELD_BOOL:
        *(bool *)member = true;
        break;
    case EDDA_FIELD_U32:
        most = most < UINT32_MAX ? most : UINT32_MAX;
        *(uint32_t *)member = (uint32_t)make_number(filler, field->key, most);
        break;
    case EDDA_FIELD_U64:
        *(uint64_t *)member = make_number(filler, field->key, most);
        break;
    case EDDA_FIELD_I64:
        *(int64_t *)member = -(int64_t)make_number(filler, field->key, INT64_MAX);
        break;
    case EDDA_FIELD_DOUBLE:
        *(double *)member = filler->random ? (double)random_next(filler->random) / 3.0 : field->key;
        break;
    case EDDA_FIELD_TEXT:
        *(struct edda_text *)member = make_text(filler, field->name, field->maximum);
        break;
    case EDDA_FIELD_BYTES:
        *(struct edda_bytes *)member = make_bytes(filler, field->key, field->maximum);
        break;
    case EDDA_FIELD_FLOATS:
        *(struct edda_floats *)member = make_floats(filler, field->maximum);
        break;
    case EDDA_FIELD_UUID:
        memset(member, filler->random ? (int)random_below(filler->random, 255) + 1 : field->key,
               sizeof(struct edda_uuid));
        break;
    case EDDA_FIELD_TEXTS:
        fill_texts(filler, field, member);
        break;
    case EDDA_FIELD_LIST:
        fill_list(filler, field, member);
        break;
    }
}

static void fill_record(const struct filler *filler, const struct edda_schema *schema,
                        void *record) {
    memset(record, 0, schema->size);
    for (size_t i = 0; i < schema->count; i++) {
        const struct edda_field *field = &schema->fields[i];
        bool wanted = !filler->random || field->required || random_below(filler->random, 4) > 0;
        if (wanted) {
            fill_member(filler, field, (uint8_t *)record + field->offset);
        }
    }
}

void record_fill_randomly(const struct edda_schema *schema, struct random *random,
                          struct edda_arena *arena, void *record) {
    struct filler filler = {random, arena};
    fill_record(&filler, schema, record);
}

void record_fill_fully(const struct edda_schema *schema, struct edda_arena *arena, void *record) {
    struct filler filler = {NULL, arena};
    fill_record(&filler, schema, record);
}

static bool text_same(struct edda_text a, struct edda_text b) {
    return (a.data == NULL) == (b.data == NULL) && edda_text_equal(a, b);
}

static bool texts_equal(const struct edda_texts *a, const struct edda_texts *b) {
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++) {
        equal = text_same(a->items[i], b->items[i]);
    }
    return equal;
}

static bool lists_equal(const struct edda_schema *schema, const struct list *a,
                        const struct list *b) {
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++) {
        equal = record_equal(schema, (const uint8_t *)a->items + i * schema->size,
                             (const uint8_t *)b->items + i * schema->size);
    }
    return equal;
}

static bool member_equal(const struct edda_field *field, const void *a, const void *b) {
    switch ((enum edda_field_kind)field->kind) {
    case EDDA_FIELD_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case EDDA_FIELD_U32:
        return memcmp(a, b, 4) == 0;
    case EDDA_FIELD_U64:
    case EDDA_FIELD_I64:
    case EDDA_FIELD_DOUBLE:
        return memcmp(a, b, 8) == 0;
    case EDDA_FIELD_TEXT:
    case EDDA_FIELD_BYTES:
    case EDDA_FIELD_FLOATS:
        return text_same(*(const struct edda_text *)a, *(const struct edda_text *)b);
    case EDDA_FIELD_UUID:
        return memcmp(a, b, 16) == 0;
    case EDDA_FIELD_TEXTS:
        return texts_equal(a, b);
    case EDDA_FIELD_LIST:
        return lists_equal(field->record, a, b);
    }
    return false;
}

bool record_equal(const struct edda_schema *schema, const void *a, const void *b) {
    for (size_t i = 0; i < schema->count; i++) {
        const struct edda_field *field = &schema->fields[i];
        if (!member_equal(field, (const uint8_t *)a + field->offset,
                          (const uint8_t *)b + field->offset)) {
            fprintf(stderr, "%s.%s differs\n", schema->name, field->name);
            return false;
        }
    }
    return true;
}
