# What every folder's CMakeLists.txt stands on: flags, edda_library() and edda_test().
find_package(PkgConfig REQUIRED)
pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq>=4.3.4)
pkg_check_modules(CZMQ REQUIRED IMPORTED_TARGET libczmq>=4.2.1)
pkg_check_modules(MHD REQUIRED IMPORTED_TARGET libmicrohttpd>=0.9.75)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.40)
pkg_check_modules(PQ REQUIRED IMPORTED_TARGET libpq>=15)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.14)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(UUID REQUIRED IMPORTED_TARGET uuid)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
find_package(Threads REQUIRED)

# libzmq's file names Kerberos's headers with -isystem, which CMake takes for a folder the first time and for a
# flag when it configures again: everything would be compiled twice. Nobody includes them.
foreach(library ZMQ CZMQ)
  get_target_property(folders PkgConfig::${library} INTERFACE_INCLUDE_DIRECTORIES)
  list(FILTER folders EXCLUDE REGEX "krb5|NOTFOUND")
  set_target_properties(PkgConfig::${library} PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${folders}" INTERFACE_COMPILE_OPTIONS "")
endforeach()

# Debian's libstemmer and, before 13, msgpack-c ship no pkg-config file.
find_path(STEMMER_INCLUDE libstemmer.h REQUIRED)
find_library(STEMMER_LIBRARY stemmer REQUIRED)
find_path(MSGPACK_INCLUDE msgpack.h REQUIRED)
find_library(MSGPACK_LIBRARY NAMES msgpack-c msgpackc REQUIRED)

set(EDDA_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
    -Wpointer-arith -Wundef -Wvla)
# Of a compiler that nobody has tried a new warning ends no user's build.
if(CMAKE_C_COMPILER_ID STREQUAL "Clang" OR CMAKE_C_COMPILER_VERSION VERSION_LESS 15)
  list(APPEND EDDA_WARNINGS -Werror)
endif()
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
  list(APPEND EDDA_WARNINGS -Wno-sign-conversion)
endif()

add_library(edda_flags INTERFACE)
target_include_directories(edda_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
target_compile_options(edda_flags INTERFACE ${EDDA_WARNINGS} -fno-omit-frame-pointer -fno-strict-aliasing)
target_compile_definitions(edda_flags INTERFACE _GNU_SOURCE EDDA_VERSION="${PROJECT_VERSION}")
if(EDDA_SANITIZE)
  target_compile_options(edda_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_link_options(edda_flags INTERFACE -fsanitize=address,undefined)
elseif(EDDA_TSAN)
  target_compile_options(edda_flags INTERFACE -fsanitize=thread)
  target_link_options(edda_flags INTERFACE -fsanitize=thread)
endif()
if(EDDA_FUZZ)
  # The libraries report what they cover, or the fuzzers would search blindly.
  target_compile_options(edda_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# edda_library(NAME SOURCES a.c b.c [LINKS edda_proto PkgConfig::ZMQ ...])
function(edda_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC edda_flags ${arg_LINKS})
endfunction()

# edda_test(NAME SOURCES test_x.c [LINKS edda_proto ...]): a cmocka program run by ctest.
function(edda_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE edda_flags ${arg_LINKS} cmocka)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120)
endfunction()

# edda_postgres_server(FIXTURE): a server of ops/postgres, started before the first test that needs it and
# stopped after the last; its folder is FIXTURE in the build tree.
function(edda_postgres_server fixture)
  add_test(NAME ${fixture}_start COMMAND ${CMAKE_SOURCE_DIR}/ops/postgres start ${CMAKE_BINARY_DIR}/${fixture})
  add_test(NAME ${fixture}_stop COMMAND ${CMAKE_SOURCE_DIR}/ops/postgres stop ${CMAKE_BINARY_DIR}/${fixture})
  set_tests_properties(${fixture}_start PROPERTIES FIXTURES_SETUP ${fixture} TIMEOUT 600)
  set_tests_properties(${fixture}_stop PROPERTIES FIXTURES_CLEANUP ${fixture} TIMEOUT 120)
endfunction()

# edda_uses_postgres(TEST FIXTURE [VARIABLE=VALUE]...): a test that needs that server; EDDA_TEST_POSTGRES
# names its folder.
function(edda_uses_postgres name fixture)
  set(environment EDDA_TEST_POSTGRES=${CMAKE_BINARY_DIR}/${fixture} ${ARGN})
  set_tests_properties(${name} PROPERTIES FIXTURES_REQUIRED ${fixture} TIMEOUT 120 ENVIRONMENT "${environment}")
endfunction()

# edda_postgres_test(NAME SOURCES test_x.c [LINKS ...]): a test of tests/actors/store/postgres, one at a time:
# some restart the server.
function(edda_postgres_test name)
  edda_test(${name} ${ARGN})
  edda_uses_postgres(${name} postgres)
  set_tests_properties(${name} PROPERTIES RESOURCE_LOCK postgres)
endfunction()

# edda_fuzzer(NAME SOURCES fuzz_x.c [LINKS ...]): a libFuzzer target, only with EDDA_FUZZ.
function(edda_fuzzer name)
  if(NOT EDDA_FUZZ)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE edda_flags ${arg_LINKS})
  target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()

# Adds a folder that has a CMakeLists.txt; lets a checkout build while a folder is being written.
function(edda_subdirectory_if_present folder)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/CMakeLists.txt)
    add_subdirectory(${folder})
  endif()
endfunction()
