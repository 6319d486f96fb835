#!/bin/sh
# tests/proto/test_checks.sh ROOT: the checks of ops/ refuse what they are there to refuse.
set -eu
root=$1
tree=$(mktemp -d)
trap 'rm -r "$tree"' EXIT
mkdir -p "$tree/proto" "$tree/actors/runtime" "$tree/actors/chunker" "$tree/broker" \
    "$tree/gateway" "$tree/ops" "$tree/tests"

failed=0
expect() { # expect WORDS: the include check says so about the tree
    if ! sh "$root/ops/check_includes.sh" "$tree" 2>&1 | grep -qF "$1"; then
        echo "FAILED: nothing said \"$1\""
        failed=1
    fi
}

printf '#include "proto/frame.h"\n#include <zmq.h>\n' > "$tree/broker/broker.c"
printf '#include "broker/core.h"\n#include <curl/curl.h>\n' > "$tree/ops/fetch.c"
printf '/* strcpy(a, b) is banned */\nsnprintf(a);\nedda_system(a);\n' > "$tree/gateway/fine.c"
sh "$root/ops/check_includes.sh" "$tree" || { echo "FAILED: a good tree is refused"; failed=1; }

printf '#include "broker/core.h"\n#include <sqlite3.h>\n' > "$tree/proto/a.c"
printf '#include "gateway/http.h"\n#include "b.h"\n#include <microhttpd.h>\n' > "$tree/actors/chunker/b.c"
printf '    strcpy(a, b);\n' > "$tree/broker/c.c"
printf '/* TODO later */\n' > "$tree/gateway/d.h"
printf '#include <microhttpd.h>\n' > "$tree/gateway/chat.c"
printf '    signal(SIGTERM, stop);\n' > "$tree/ops/main.c"
seq 501 > "$tree/ops/long.sh"
expect 'proto/a.c:1: proto may not include broker'
expect 'proto/a.c:2: <sqlite3.h> does not belong here'
expect 'actors/chunker/b.c:1: actors/chunker may not include gateway'
expect 'actors/chunker/b.c:2: "b.h" does not begin at the top'
expect 'actors/chunker/b.c:3: <microhttpd.h> does not belong here'
expect 'broker/c.c:1: banned call'
expect 'gateway/d.h:1: unfinished'
expect 'gateway/chat.c:1: <microhttpd.h> does not belong here'
expect "ops/main.c:1: signals are the launcher's"
expect 'ops/long.sh:501: more than 500 lines'

cat > "$tree/proto/README.md" <<'TABLES'
### Table 1: things

| state | test |
|---|---|
| up | `up_is_up` |
TABLES
printf 'static void up_is_up(void **state) {\n' > "$tree/tests/test_a.c"
sh "$root/ops/check_state_tables.sh" "$tree" > /dev/null || { echo "FAILED: a tested row"; failed=1; }
echo '| down | `down_is_down` |' >> "$tree/proto/README.md"
sh "$root/ops/check_state_tables.sh" "$tree" > /dev/null && { echo "FAILED: a row without test"; failed=1; }
sed -i '$d' "$tree/proto/README.md"
printf '| a thief | a lock | `up_is_up`, `test_b` |\n' > "$tree/ops/threat-model.md"
sh "$root/ops/check_state_tables.sh" "$tree" > /dev/null && { echo "FAILED: a guard without test"; failed=1; }
printf '    def test_b(self):\n' > "$tree/tests/test_b.py"
sh "$root/ops/check_state_tables.sh" "$tree" > /dev/null || { echo "FAILED: a guard with its test"; failed=1; }
exit $failed
