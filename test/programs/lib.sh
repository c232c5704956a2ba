# Shared by the program cases, which source it first and run in a fresh directory made by ./run.
# It guarantees that the first unexpected status ends the case with a line saying where, also inside
# functions, pipelines and subshells, and that only what goes through serve sees the library.
# shellcheck shell=bash

set -Eeuo pipefail
trap 'echo "${BASH_SOURCE[0]##*/}: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR

# shellcheck disable=SC2034 # for the cases
workloads=$(dirname "${BASH_SOURCE[0]}")/workloads
preload=()
if [[ ${LIBRARY:-} ]]; then
    preload=("LD_PRELOAD=$LIBRARY" "TITHE_OPTIONS=${OPTIONS:-}")
fi

# require PROGRAM...: ends the case as skipped unless every program is there.
# A file tells the runner, because any exit status could also come from a program under test.
require() {
    local program
    for program; do
        command -v "$program" >/dev/null && continue
        echo "$program is not installed" >"$SKIP_FILE"
        exit 0
    done
}

# serve COMMAND ARGUMENT...: runs the program under test, with the library if there is one.
serve() {
    env "${preload[@]}" "$@"
}

# expect WHAT EXPECTED ACTUAL: ends the case unless the two are equal.
expect() {
    [[ $2 == "$3" ]] && return
    printf '%s: expected\n%s\ngot\n%s\n' "$1" "$2" "$3" >&2
    exit 1
}

# expect_file EXPECTED ACTUAL: the same for the contents of two text files.
expect_file() {
    diff -u "$1" "$2" >difference && return
    head -n 40 difference >&2
    exit 1
}

# random_numbers COUNT SEED: prints that many numbers, one a line, the same on every machine.
# Park and Miller's generator: its products stay exact in awk's floating point.
random_numbers() {
    awk -v count="$1" -v seed="$2" 'BEGIN {
        for (number = seed; count > 0; count--) {
            number = (number * 16807) % 2147483647
            print number
        }
    }'
}
