#!/bin/sh
# ops/check_includes.sh [ROOT]: the rules of the house that a compiler does not check.
#
# Includes go one way, libraries stay in the folders that own them, files stay short, and some calls
# are not made at all. Prints each offence as file:line and exits 1 when there is one.
set -eu
cd "${1:-$(dirname "$0")/..}"

files=$(find proto actors broker gateway ops tests \
    \( -name '*.c' -o -name '*.h' -o -name '*.def' -o -name '*.sh' -o -name '*.sql' \) | sort)

# shellcheck disable=SC2086 # no file of ours has a blank in its name
awk '
function folder_of(path,    parts, count) {
    count = split(path, parts, "/")
    if (count < 2) return ""
    return parts[1] == "actors" ? parts[1] "/" parts[2] : parts[1]
}
function is_between(folder) { return folder == "actors/text" || folder == "actors/provider" }
function is_stage(folder) {
    return folder ~ /^actors\// && folder != "actors/runtime" && !is_between(folder)
}
# Whether a file of `from` may include a header of `to`: proto <- actors/runtime <- the others <- ops.
function may_include(from, to) {
    if (from == to || to == "proto" || from == "tests" || from == "ops" && to != "tests") return 1
    if (from == "proto" || to == "tests") return 0
    if (to == "actors/runtime") return 1
    return to == "actors/text" && from == "gateway" || is_between(to) && is_stage(from)
}
# Whether a file may include the header of a library.
function may_use(file, library) {
    if (file ~ /^tests\//) return 1
    if (library ~ /^microhttpd/) return file ~ /^gateway\/http/
    if (library ~ /^sqlite3/) return file ~ /^actors\/store\/sqlite\//
    if (library ~ /^libpq/) return file ~ /^actors\/store\/postgres\//
    if (library ~ /^curl\//) return file ~ /^actors\/provider\// || file ~ /^ops\/fetch\./
    if (library ~ /^msgpack/) return file ~ /^proto\//
    if (library ~ /^czmq\.h/) return 0
    if (library ~ /^zmq\.h/)
        return file ~ /^actors\/runtime\// || file == "broker/broker.c" || file ~ /^ops\/launch\./
    return 1
}
function complain(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; offences++ }
FNR == 501 { complain("more than 500 lines") }
FILENAME !~ /\.[ch]$/ { next }
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    to = folder_of(quoted[2])
    if (quoted[2] !~ /^(proto|actors|broker|gateway|ops|tests)\//)
        complain("\"" quoted[2] "\" does not begin at the top of the repository")
    else if (!may_include(folder_of(FILENAME), to))
        complain(folder_of(FILENAME) " may not include " to)
}
/^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, angled, /[<>]/)
    if (!may_use(FILENAME, angled[2])) complain("<" angled[2] "> does not belong here")
}
# Words of a call: the character before must not be part of a longer name. Comments may name them.
/(^|[^A-Za-z0-9_"])(v?sprintf|strcpy|strcat|strtok|atoi|atol|atof|gets|alloca|system)[ \t]*\(/ {
    if ($0 !~ /^[ \t]*(\/?\*|\/\/)/) complain("banned call")
}
/(^|[^A-Za-z0-9_"])(signal|sigaction)[ \t]*\(/ && FILENAME !~ /^(tests\/|ops\/launch\.[ch]$)/ {
    complain("signals are the launcher\047s")
}
/(^|[^A-Za-z])(TODO|FIXME|XXX)([^A-Za-z]|$)/ { complain("unfinished") }
END { exit offences > 0 }
' $files
