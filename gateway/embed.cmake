# cmake -DINPUT=openapi.json -DOUTPUT=openapi.c -P embed.cmake: a file as a C array.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "#include \"gateway/openapi.h\"\n
static const uint8_t document[] = {\n${bytes}};\n
struct edda_bytes edda_openapi_document(void) {
    return (struct edda_bytes){document, sizeof document};
}\n")
