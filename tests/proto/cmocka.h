/* tests/proto/cmocka.h: cmocka with the headers it asks for, in the order it asks for them. */
#ifndef EDDA_TESTS_PROTO_CMOCKA_H
#define EDDA_TESTS_PROTO_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
