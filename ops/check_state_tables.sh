#!/bin/sh
# ops/check_state_tables.sh [ROOT]: every row of the state tables in proto/README.md names its test,
# and each named test is a function somewhere under tests/; so is each that ops/threat-model.md and
# tests/fault/FAULTS.md name, whose guards' patches must apply (tests/fault/guards.py --check).
#
# Prints what lacks one and exits 1 when there is any.
set -eu
cd "${1:-$(dirname "$0")/..}"

rows=$(mktemp)
trap 'rm -f "$rows"' EXIT

# "TABLE NAME" per row below the heading of a table; NAME is the last cell without its backticks.
awk '
/^### Table [0-9]/ { table = $3; sub(/:.*/, "", table); next }
/^#/ { table = "" }
table == "" || !/^\|/ || /^\|[- |]*$/ || /\| *test *\|$/ { next }
{
    cells = split($0, cell, "|")
    name = cell[cells - 1]
    gsub(/[ `]/, "", name)
    print table, (name ~ /^[a-z0-9_]+$/ ? name : "-")
}' proto/README.md > "$rows"

tests=$(find tests -name '*.c' -exec sed -n 's/^static void \([a-z0-9_]*\)(void \*\*.*/\1/p' {} +)

missing=0
total=0
while read -r table name; do
    total=$((total + 1))
    if [ "$name" = - ]; then
        echo "table $table: a row names no test"
        missing=$((missing + 1))
    elif ! printf '%s\n' "$tests" | grep -qx "$name"; then
        echo "table $table: no test $name"
        missing=$((missing + 1))
    fi
done < "$rows"

# A cell of the rows of these pages may name several: functions of C or Python, fuzzers.
python_tests=$(find tests -name '*.py' -exec sed -n 's/^ *def \(test_[a-z0-9_]*\)(.*/\1/p' {} +)
fuzzers=$(find tests -name 'fuzz_*.c' -exec basename {} .c ';')
named=0
for cell in ops/threat-model.md:last tests/fault/FAULTS.md:5; do
    page=${cell%:*}
    [ -f "$page" ] || continue
    for name in $(awk -F'|' -v cell="${cell#*:}" '/^\|/ && NF > 3 { print $(cell == "last" ? NF - 1 : cell) }' "$page" |
        grep -oE '`[a-z0-9]+(_[a-z0-9]+)+`' | tr -d '`'); do
        named=$((named + 1))
        if ! printf '%s\n' "$tests" "$python_tests" "$fuzzers" | grep -qx "$name"; then
            echo "$page: no test $name"
            missing=$((missing + 1))
        fi
    done
done

if [ -f tests/fault/guards.py ] && ! python3 tests/fault/guards.py --check; then
    missing=$((missing + 1))
fi

echo "state tables: $total rows, threat model and faults: $named tests, $missing missing"
[ "$total" -gt 0 ] && [ "$missing" -eq 0 ]
