#!/bin/bash
# All that is long, after a build: ./check --nightly [STEP...]. Each step has a limit of time, and all of
# them together end within six hours on two processors; steps named are run alone, so what was broken
# off goes on where it was. Ends with a line a step, and for each that failed with what it said of
# failures: seeds, and how to do it again. What a step said whole stays in build/nightly/STEP.log.
set -u
build=${TITHE_BUILD:-$(pwd)}
tests=$(cd "$(dirname "$0")" && pwd)
logs=$build/nightly
mkdir -p "$logs"
export TITHE_BUILD=$build TITHE_REQUIRE_PROGRAMS=1
library=$build/.libs/libtithe.so

storms() { "$tests/storms.sh" --seconds 200; }
faults() { "$tests/faults.sh" --nightly; }
fuzz() { "$tests/fuzz.sh" --nightly; }
programs() { "$tests/programs/run" --library "$library" --runs 20; }
libgc_programs() { TITHE_TEST_RUNS=10 "$tests/libgc_programs.sh"; }

# What each of the collector's ways does alone and beside the others.
combinations() {
    local options failed=0
    for options in gc_every=256K gc_every=256K:assist=signal gc_every=256K:dirty=none \
        gc_every=256K:dirty=none:assist=signal assist=signal dirty=none dirty=none:assist=signal; do
        echo "options $options"
        "$tests/programs/run" --library "$library" --runs 3 --options "$options" --timeout 300 || failed=1
    done
    return $failed
}

# As the next release of Debian's has it.
debian13() { "$tests/debian13.sh"; }

# Nobody's block may come back that a trial would have freed.
trials() { "$tests/trial_programs.sh" --nightly; }

# Names, and the minutes after which each counts as hung.
declare -A minutes=([faults]=60 [fuzz]=60 [programs]=40 [libgc_programs]=30 [combinations]=80 [trials]=40 [storms]=110 [debian13]=20)
order=(faults fuzz programs libgc_programs trials debian13 combinations storms)
total_minutes=355

[ $# -gt 0 ] || set -- "${order[@]}"
for name; do
    [ -n "${minutes[$name]:-}" ] || {
        echo "there is no step $name; there are: ${order[*]}"
        exit 2
    }
done

# In a process group of its own, so that all of it can be ended. When time is short, the last steps get
# what is left.
run() {
    local name=$1 left=$((total_minutes * 60 - SECONDS)) limit status
    limit=$((minutes[$name] * 60 < left ? minutes[$name] * 60 : left))
    [ "$limit" -gt 0 ] || return 124
    export tests library
    timeout --kill-after=30 "$limit" bash -c "$(declare -f "$name"); $name" </dev/null >"$logs/$name.log" 2>&1
    status=$?
    [ "$status" != 124 ] || echo "not over after $limit s" >>"$logs/$name.log"
    return $status
}

summary='' failed=0
for name; do
    begun=$SECONDS
    if run "$name"; then
        line="ok $name ($((SECONDS - begun)) s): $(tail -n 1 "$logs/$name.log" 2>/dev/null)"
    else
        failed=$((failed + 1))
        line="FAIL $name ($((SECONDS - begun)) s), all of it in $logs/$name.log"
        line+=$'\n'$(grep -aE 'FAIL|seed|again|not over' "$logs/$name.log" 2>/dev/null | cut -c 1-300 | tail -n 20 | sed 's/^/    /')
    fi
    echo "$line"
    summary+=$line$'\n'
done
echo "nightly: $# steps, $failed failed, $((SECONDS / 60)) minutes"
printf '%s' "$summary" >"$logs/summary"
[ "$failed" = 0 ]
