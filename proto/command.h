/* proto/command.h: the closed set of commands, from proto/command.def. */
#ifndef EDDA_PROTO_COMMAND_H
#define EDDA_PROTO_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#define EDDA_FROM_CLIENT 1u
#define EDDA_FROM_WORKER 2u
#define EDDA_FROM_BROKER 4u

#define EDDA_COMMAND(name, number, from, meaning) EDDA_##name = (number),
enum edda_command {
#include "proto/command.def"
};
#undef EDDA_COMMAND

/* "HELLO" and so on; "?" for a number that is no command. Static. */
const char *edda_command_name(uint8_t command);

/* Whether command is known and one of the senders in from_mask may send it. */
bool edda_command_allowed(uint8_t command, unsigned from_mask);

#endif
