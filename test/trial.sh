#!/bin/bash
# tithe run --trial: what comes back is told, with its stack and by how it came back, in every way of
# hiding a pointer; programs that hide none are told of nothing, and what they lose is counted right.
set -u
tithe=$TITHE_BUILD/tithe
program=$TITHE_BUILD/test/trial/hidden
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

fail() {
    echo "FAIL $1"
    sed 's/^/    /' "$work/said" | head -n 60
    failed=1
}

# trial NAME STATUS [OPTION...] -- CASE: runs it; what is said is in $work/said.
trial() {
    name=$1 status=$2
    shift 2
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    timeout 120 "$tithe" run --trial "${options[@]}" "$program" "$@" >"$work/said" 2>&1
    local got=$?
    if [ "$got" = "$status" ]; then
        echo "ok $name: status $got"
    else
        fail "$name: status $got instead of $status"
    fi
}

# said PATTERN: that is so.
said() { grep -qE -- "$1" "$work/said" || fail "$name: does not say $1"; }
silent() { ! grep -qE -- "$1" "$work/said" || fail "$name: says $1"; }

# returned CASE BLOCKS WORDS [OPTION...]: so many blocks of make_hidden_node's are told, in these words.
returned() {
    local case=$1 blocks=$2 words=$3
    shift 3
    trial "$case $*" 23 "$@" -- "$case"
    said "trial: would have collected [0-9]+ bytes in [0-9]+ blocks.*; $blocks blocks came back \(wrong\)"
    said "CAME BACK .* found dead and (then )?$words"
    said '^ *make_hidden_node  hidden.c:'
}

modes=('' gc_every=64K 'gc_every=64K:verify=1' 'workers=0:gc_every=256K' 'dirty=none:gc_every=256K')
for mode in "${modes[@]}"; do
    options=(-o "stats=0${mode:+:$mode}")
    returned freed 100 'freed by the program' "${options[@]}"
    said 'free_found  hidden.c:'
    said '4.7 KiB in 100 blocks, found dead'
    returned held 100 'found again' "${options[@]}"
    said '4.7 KiB in 100 blocks, found dead and then found again; one'
    said 'held by: table\+[0-9]+ \(hidden\) -> here'
    returned storm 100 'freed by the program' "${options[@]}"
    trial "clean $mode" 0 "${options[@]}" -- clean
    said 'trial: would have collected 0 bytes in 0 blocks; 0 blocks came back$'
    silent 'CAME BACK'
done
returned large 100 'freed by the program'
returned written 100 'its contents have changed since'
returned resized 100 'resized by the program'
said 'resized  hidden.c:'
returned asked 100 'the program asked for its size'
returned file 100 'freed by the program'
returned pipe 100 'found again'
returned _exit 1 'freed by the program'
returned stack 1 'found again'
said 'held by: the stack of thread'
returned chained 100 'found again; one'
said 'only through another block that came back'
said 'held by: table\+[0-9]+ \(hidden\) -> 48 B from make_hidden_node \+0'

# What is not hidden does not come back.
trial old-stack 0 -- old-stack
said '; 0 blocks came back$'
trial leaky 0 -- leaky
said 'trial: would have collected 100000 bytes in 1000 blocks; 0 blocks came back$'
said 'DEAD  97.7 KiB in 1,000 blocks'
said '^ *lose  hidden.c:'
trial late 0 -- late
said 'trial: would have collected 100000 bytes in 1000 blocks, 100000 bytes in 1000 blocks of these only at its end'

# Children, and programs that take a process over.
trial child 23 -- child
said 'TRIAL  hidden pid [0-9]+  \(exit\)'
said '1 block came back, 48 B: to collect it would have been wrong'
trial exec 23 -- exec
said 'TRIAL  hidden pid [0-9]+  \(exec\)'
said 'CAME BACK  48 B in 1 block'

# A handler may end the program in the middle of an allocation: then no lock may be waited for.
for i in 1 2 3 4 5 6 7 8 9 10; do
    trial "interrupted $i" 0 -- interrupted
    timeout 60 "$tithe" leaks --exitcode=0 "$program" interrupted >"$work/said" 2>&1
    status=$?
    [ "$status" = 0 ] || [ "$status" = 125 ] || fail "interrupted leaks $i: status $status"
done

# Nothing but the statistics.
name=statistics
TITHE_OPTIONS=trial=1:summary=1:stats=1 LD_PRELOAD=$TITHE_BUILD/.libs/libtithe.so \
    "$program" freed >"$work/said" 2>&1 || fail "$name: status $?"
said '^tithe: trial: 4800 bytes in 100 blocks found dead'
said 'trial: would have collected 4800 bytes in 100 blocks; 100 blocks came back \(wrong\)'

trial exitcode 3 --exitcode=3 -- freed
trial quiet 23 -q --output="$work/report" -- freed
[ ! -s "$work/said" ] || fail "quiet: something was said"
grep -q 'CAME BACK' "$work/report" || fail "quiet: nothing in the file"
trial json 23 -q --format=json -- held
python3 - "$work/said" "$(dirname "$0")/../doc/leaks.schema.json" <<'END' || fail json
import json, sys
check = json.load(open(sys.argv[1]))
assert check["trial"]["returned"] == {"blocks": 100, "bytes": 4800}, check["trial"]
assert sum(group["blocks"] for group in check["returned"]) == 100
assert {group["how"] for group in check["returned"]} == {"held"}
assert all(group["held_by"][0]["root"] == "data" for group in check["returned"]), check["returned"][0]
try:
    import jsonschema
except ImportError:
    sys.exit()
jsonschema.validate(check, json.load(open(sys.argv[2])))
END
exit $failed
