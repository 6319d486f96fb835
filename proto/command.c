/* proto/command.c: look-ups in the table of proto/command.def. */
#include "proto/command.h"

#include <stddef.h>

struct entry {
    const char *name;
    unsigned from;
};

#define EDDA_COMMAND(name, number, from, meaning) [number] = {#name, from},
static const struct entry entries[] = {
#include "proto/command.def"
};
#undef EDDA_COMMAND

static const struct entry *find_entry(uint8_t command) {
    if (command >= sizeof(entries) / sizeof(entries[0]) || !entries[command].name) {
        return NULL;
    }
    return &entries[command];
}

const char *edda_command_name(uint8_t command) {
    const struct entry *entry = find_entry(command);
    return entry ? entry->name : "?";
}

bool edda_command_allowed(uint8_t command, unsigned from_mask) {
    const struct entry *entry = find_entry(command);
    return entry && (entry->from & from_mask) != 0;
}
