# ops/lib.sh: what the scripts of this folder share. Sourced by bash, with `set -eu` in force.

ops_directory=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$ops_directory/.." && pwd)

say() {
    printf '\n== %s\n' "$*" >&2
}

fail() {
    printf 'edda: %s\n' "$*" >&2
    exit 1
}

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        return 126
    fi
}

# How many compilations may run at once: one a processor, and 1 GiB of memory for each.
jobs_wanted() {
    local processors memory_kib most
    processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
    memory_kib=$(awk '/MemAvailable/ {print $2}' /proc/meminfo 2>/dev/null || echo 1048576)
    most=$((memory_kib / 1048576))
    [ "$most" -ge 1 ] || most=1
    [ "$processors" -le "$most" ] && echo "$processors" || echo "$most"
}

# Configures and builds a kind of build into its own directory, and prints where:
# release (build), sanitized (build-sanitized), tsan (build-tsan).
build_directory() {
    case "$1" in
    release) echo "$root/build" ;;
    sanitized) echo "$root/build-sanitized" ;;
    tsan) echo "$root/build-tsan" ;;
    *) fail "there is no build $1: release, sanitized or tsan" ;;
    esac
}
