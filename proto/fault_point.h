/* proto/fault_point.h: places at which a test may have the process die, at once and unflushed.
 *
 * `EDDA_FAULT_POINT("pump.claimed")` is nothing, its arguments too, but in `edda-faults`
 * (tests/fault), where a file of that name in the folder that FAULT_POINTS names kills whoever
 * comes by first and takes the file away. For what must hold however a moment is cut in two;
 * branches that go on are EDDA_BUGGIFY's (proto/buggify.h). */
#ifndef EDDA_PROTO_FAULT_POINT_H
#define EDDA_PROTO_FAULT_POINT_H

/* Only edda-faults has it. The name is made as by printf, of at most 100 bytes. Returns 0. */
__attribute__((format(printf, 1, 2))) int edda_fault_point(const char *format, ...);

#ifdef EDDA_FAULTS
#define EDDA_FAULT_POINT(...) ((void)edda_fault_point(__VA_ARGS__))
#else
#define EDDA_FAULT_POINT(...) ((void)sizeof(edda_fault_point(__VA_ARGS__))) /* not evaluated */
#endif

#endif
