#!/bin/bash
# Programs that lose memory live in control groups of 8 to 64 MiB, where natively they are killed.
# Skipped where no group can be made, as without root.
set -eu
program="$TITHE_BUILD/test/small_memory"
runs=${TITHE_TEST_RUNS:-2}

if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    top=/sys/fs/cgroup limit=memory.max swap=memory.swap.max
else
    top=/sys/fs/cgroup/memory limit=memory.limit_in_bytes swap=memory.swappiness
fi
group=$top/tithe-test-$$
mkdir "$group" 2>/dev/null && [ -e "$group/$limit" ] || {
    rmdir "$group" 2>/dev/null || true
    echo "no memory group can be made here: skipped"
    exit 77
}
trap 'for i in 1 2 3 4 5; do rmdir "$group" 2>/dev/null && break; sleep 0.2; done' EXIT
echo 0 >"$group/$swap" 2>/dev/null || true

# within MIB COMMAND...: runs it in the group.
within() {
    echo $(($1 << 20)) >"$group/$limit"
    shift
    (echo $BASHPID >"$group/cgroup.procs" && exec "$@")
}

# lives WAY LOST MIB...: in each of these sizes, beside a part of it where that has a meaning.
lives() {
    local way=$1 lost=$2 mib
    shift 2
    for mib in "$@"; do
        for ((i = 0; i < runs; i++)); do
            within "$mib" "$TITHE_BUILD/tithe" run --quiet "$program" "$way" "$lost" $((mib * 2 / 5)) || {
                echo "$way in $mib MiB: ended with $?"
                exit 1
            }
        done
        echo "$way in $mib MiB: lives"
    done
}

if within 64 "$program" small 128 2>/dev/null; then
    echo "natively it was not killed: the test shows nothing"
    exit 1
fi
lives small 128 8 16 24 32 64
lives threads 128 16 64
lives large 256 16 64
lives beside 128 16 64
lives another 256 16 64
lives sparse 128 16 64
