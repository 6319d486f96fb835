# cmake -DOUTPUT=schema.c -DSOURCES="a.sql|b.sql" -P embed.cmake: SQL files as C arrays of bytes.
string(REPLACE "|" ";" SOURCES "${SOURCES}")
set(arrays "")
set(names "")
set(count 0)
foreach(source ${SOURCES})
  file(READ "${source}" bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  math(EXPR count "${count} + 1")
  string(APPEND arrays "static const char step_${count}[] = {${bytes}0};\n")
  string(APPEND names "step_${count}, ")
endforeach()
file(WRITE "${OUTPUT}"
  "#include \"actors/store/schema/schema.h\"\n${arrays}"
  "const char *const edda_store_schema[] = {${names}};\n"
  "const size_t edda_store_schema_count = ${count};\n")
