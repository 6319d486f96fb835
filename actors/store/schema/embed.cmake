# cmake -DNAME=sqlite -DOUTPUT=schema.c -DSOURCES="a.sql|b.sql" -P embed.cmake: SQL files as C arrays
# of bytes, and edda_store_schema_NAME over them.
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
  "static const char *const steps[] = {${names}};\n"
  "const struct edda_store_schema edda_store_schema_${NAME} = {steps, ${count}};\n")
