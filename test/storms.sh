#!/bin/bash
# Runs the storms under tithe in every configuration of the collector, for a short while each; with
# --nightly 5 minutes each. A storm that fails, crashes, hangs or makes the library speak is a failure,
# and the command that replays it is printed.
# Usage: storms.sh [--nightly | --seconds N] [--seed N] [--options TITHE_OPTIONS] [NAME...]
set -u
build=${TITHE_BUILD:-$(pwd)}
seconds=0.7 seed='' only='' names=()
while [ $# -gt 0 ]; do
    case $1 in
    --nightly) seconds=300 ;;
    --seconds) seconds=$2 && shift ;;
    --seed) seed=$2 && shift ;;
    --options) only=$2 && shift ;;
    *) names+=("$1") ;;
    esac
    shift
done
[ ${#names[@]} -gt 0 ] || names=(moving coming mapping slots)
configurations=(
    min_heap=1M:verify=1
    verify=1:gc_every=64K
    verify=1:gc_every=64K:dirty=none
    verify=1:gc_every=64K:assist=signal
    verify=1:gc_every=64K:assist=off
    verify=1:gc_every=64K:workers=0
    verify=1:gc_every=64K:workers=4
    verify=1:gc_every=64K:workers=3:dirty=none
    verify=1:gc_every=64K:workers=0:assist=signal:dirty=none
)
[ -z "$only" ] || configurations=("$only")
export STORM_LIBRARY=$build/test/storms/.libs/library.so
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0 ran=0

# What a hung process was doing.
explain_hang() {
    local pid
    for pid in $(pgrep -P "$1") $1; do
        gdb -p "$pid" -batch -ex 'thread apply all bt 12' 2>/dev/null | grep -E '^(#|Thread)'
    done
}

# The storm is given much more than its time before it counts as hung: the machine may be busy.
run() {
    local name=$1 options=$2 number=${seed:-$RANDOM} limit pid status waited=0
    limit=$(awk "BEGIN { print int($seconds) + 120 }")
    TITHE_OPTIONS=$options LD_PRELOAD=$build/.libs/libtithe.so \
        "$build/test/storms/$name" "$seconds" "$number" >"$log" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null && [ "$waited" -lt "$((limit * 10))" ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
    if kill -0 "$pid" 2>/dev/null; then
        explain_hang "$pid" >>"$log"
        kill -KILL "$pid"
        echo "hung" >>"$log"
    fi
    wait "$pid"
    status=$?
    ran=$((ran + 1))
    [ "$status" = 0 ] && ! grep -q 'tithe: ' "$log" && return
    failed=$((failed + 1))
    cat "$log"
    echo "FAIL $name, status $status; again: $0 --seed $number --options $options $name"
}

for options in "${configurations[@]}"; do
    for name in "${names[@]}"; do
        run "$name" "$options"
    done
done
echo "$ran storms, $failed failed"
[ "$failed" = 0 ]
