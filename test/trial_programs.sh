#!/bin/bash
# Every program of the test suite in a trial, with a cycle each 4 MiB: Debian's programs, those that are
# linked to libgc, the storms and the stress. Each has to do what it does, and no block of theirs may come
# back but for a cause in the list below. Takes minutes; not part of make check.
# Usage: trial_programs.sh [--options TITHE_OPTIONS] [--keep DIRECTORY]
set -u
here=$(dirname "$0")
build=${TITHE_BUILD:-$(pwd)}
library=$build/.libs/libtithe.so
modes=(gc_every=4M) keep=''
while [ $# -gt 0 ]; do
    case $1 in
    --nightly) modes=(gc_every=4M stats=0 gc_every=1M:dirty=none) ;;
    --options) modes=("$2") && shift ;;
    --keep) keep=$2 && shift ;;
    *) echo "trial_programs.sh: unknown option $1" >&2 && exit 2 ;;
    esac
    shift
done
directory=${keep:-$(mktemp -d)}
mkdir -p "$directory"
[ -n "$keep" ] || trap 'rm -rf "$directory"' EXIT
failed=0

# What may come back: a pattern of the program's path, and one of a function in the report, for each cause
# that was looked into. SWI-Prolog finds its tables by addresses before their start.
known=(
    'swipl .'
)

for mode in "${modes[@]}"; do
    trial=trial=1:leaks=$directory:$mode
    echo "options $mode"
    "$here/programs/run" --library "$library" --options "$trial" --timeout 900 || failed=1
    "$here/libgc-programs/run" --libgc "$build/.libs" --library "$library" --options "$trial" --timeout 900 || failed=1
    "$here/storms.sh" --options "$trial" || failed=1
    TITHE_OPTIONS=$trial LD_PRELOAD=$library timeout 600 "$build/test/stress.preload" || failed=1
done

is_known() {
    local cause program=$1 report=$2
    for cause in "${known[@]}"; do
        [[ $program =~ ${cause%% *} ]] && grep -qE -- "${cause#* }" "$report" && return
    done
    return 1
}

processes=0 returned=0
for file in "$directory"/*.check; do
    processes=$((processes + 1))
    blocks=$(awk '$1 == "trial" { print $7 }' "$file")
    [ "${blocks:-0}" != 0 ] || continue
    program=$(awk '$1 == "program" { print $2 }' "$file")
    process=$(basename "$file")
    "$build/tithe" report --process="${process%%.*}" "$directory" >"$directory/report"
    if is_known "$program" "$directory/report"; then
        echo "known: $blocks blocks of $program"
    else
        sed -n '/DEAD/q;p' "$directory/report"
        returned=$((returned + 1))
    fi
done
awk '$1 == "trial" { cycles += $2; blocks += $3; bytes += $4 }
    END { printf "%d cycles found %d blocks dead, %d bytes\n", cycles, blocks, bytes }' "$directory"/*.check
echo "$processes processes, $returned of them with blocks that came back for no known cause"
[ "$failed" = 0 ] && [ "$returned" = 0 ]
