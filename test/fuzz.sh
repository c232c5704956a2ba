#!/bin/bash
# Fuzzes with libFuzzer: sequences of malloc's family and of GC_* against models, in several
# configurations of the collector, and the parsers of options, check files and suppressions under ASan
# and UBSan. Some seconds each with a fixed seed; with --nightly minutes each with a seed that is
# printed, and with the collector's own code telling what it covers. What makes one fail is kept.
# Usage: fuzz.sh [--nightly] [--seconds N] [--seed N] [NAME...]
set -u
build=${TITHE_BUILD:-$(pwd)}
source=$(cd "$(dirname "$0")/.." && pwd)
seconds=3 seed=1 nightly='' names=()
while [ $# -gt 0 ]; do
    case $1 in
    --nightly) nightly=1 seconds=120 seed=$((RANDOM * 32768 + RANDOM + 1)) ;;
    --seconds) seconds=$2 && shift ;;
    --seed) seed=$2 && shift ;;
    *) names+=("$1") ;;
    esac
    shift
done
[ ${#names[@]} -gt 0 ] || names=(options check_file suppressions blocks collector)
command -v clang >/dev/null || {
    echo "clang is not installed"
    [ "${TITHE_REQUIRE_PROGRAMS:-}" = 1 ] && exit 1
    exit 77
}
configurations=(gc_every=256K:verify=1)
[ -z "$nightly" ] || configurations+=(min_heap=1M:percent=30 gc_every=64K:verify=1:dirty=none:workers=0
    gc_every=256K:verify=1:assist=signal gc_every=256K:quarantine=fill)
work=$build/fuzz
[ -n "$nightly" ] || rm -rf "$work/corpus" # or what earlier runs have found would lead elsewhere
mkdir -p "$work"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0 ran=0

# Only with the library's own code instrumented does the fuzzer see what a sequence of calls reaches.
libraries=$build/.libs
if [ -n "$nightly" ]; then
    mkdir -p "$work/build"
    (cd "$work/build" && { [ -f Makefile ] || "$source/configure" --quiet CC=clang \
        CFLAGS='-g -O1 -fsanitize-coverage=inline-8bit-counters,pc-table'; } &&
        make -s -j2 libtithe.la libgc.la) >"$log" 2>&1 || { tail -n 40 "$log" && exit 1; }
    libraries=$work/build/.libs
fi

# compile NAME ARGUMENT...: the fuzzer's program.
compile() {
    local name=$1
    shift
    clang -g -O1 -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -fno-builtin -rdynamic -I"$source/libgc" \
        -I"$source/include" -iquote "$source/shim" -DTITHE_VERSION='"0"' -DPAGE_SOURCE='""' \
        -DPAGE_DIRECTORY='""' "$source/test/fuzz/$name.c" "$@" -o "$work/$name"
}

# What the fuzzer puts before memcmp and its like notes what these read, in the program's data: when the
# collector calls them in a stop, what they note there are roots that come too late for its mark.
plain() {
    compile "$@" -fsanitize=fuzzer-no-link "$(clang -print-runtime-dir)/libclang_rt.fuzzer-$(uname -m).a" -lstdc++
}

sanitized() {
    compile "$@" -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
}

# run NAME TITLE ENVIRONMENT...: libFuzzer looks at the time only when it has tried the whole corpus.
run() {
    local name=$1 title=$2 status=0
    shift 2
    mkdir -p "$work/corpus/$name"
    rm -f "$work/$name.log"
    (cd "$work" && timeout $((seconds * 2 + 400)) env "$@" "./$name" -seed="$seed" -max_total_time="$seconds" \
        -timeout=60 -close_fd_mask=2 -max_len=2000 -artifact_prefix="$work/$name-" \
        "$work/corpus/$name" "$source/test/fuzz/corpus/$name") >"$log" 2>&1 || status=$?
    ran=$((ran + 1))
    grep -a '^Done' "$log" | sed "s/^/$title: /"
    [ "$status" = 0 ] && return
    failed=$((failed + 1))
    tail -n 40 "$log"
    [ ! -f "$work/$name.log" ] || tail -n 5 "$work/$name.log"
    echo "FAIL $title, status $status; again: $* $work/$name INPUT, where INPUT is what was written to $work/$name-*"
}

fuzz() {
    local reports=() part options
    for part in check_file groups suppressions own_frames; do
        reports+=("$source/shim/report/$part.c")
    done
    case $1 in
    options) sanitized options "$source/libgc/os/options.c" "$source/libgc/os/faults.c" && run options options ;;
    suppressions)
        sanitized suppressions "$source/test/fuzz/no_names.c" "${reports[@]}" -lm && run suppressions suppressions
        ;;
    check_file)
        for part in chain dangling folded json pprof text trial; do
            reports+=("$source/shim/report/$part.c")
        done
        sanitized check_file "$source/test/fuzz/no_names.c" "${reports[@]}" -lz -lm && run check_file check_file
        ;;
    blocks)
        plain blocks -lpthread &&
            for options in "${configurations[@]}"; do
                run blocks "blocks $options" "TITHE_OPTIONS=$options:log=$work/$1.log" LD_PRELOAD="$libraries/libtithe.so"
            done
        ;;
    collector)
        plain collector -L"$libraries" -lgc &&
            for options in "${configurations[@]}"; do
                run collector "collector $options" "TITHE_OPTIONS=$options:log=$work/$1.log" LD_LIBRARY_PATH="$libraries"
                run collector "collector $options, preloaded" "TITHE_OPTIONS=$options:log=$work/$1.log" \
                    LD_LIBRARY_PATH="$libraries" LD_PRELOAD="$libraries/libtithe.so"
            done
        ;;
    *) echo "there is no fuzzer $1" && return 1 ;;
    esac
}

for name in "${names[@]}"; do
    fuzz "$name" || failed=$((failed + 1))
done
echo "$ran fuzzers, $failed failed; seed $seed"
[ "$failed" = 0 ]
