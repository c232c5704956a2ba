#!/bin/bash
# Under seccomp filters: nothing is killed that was not killed before, collections take place, and
# what a filter permits is used.
set -u
tithe=$TITHE_BUILD/tithe
filtered=$TITHE_BUILD/test/filtered
failed=0
[ -x "$filtered" ] || exit 77

# under PATTERN PROGRAM FILTERED-ARGUMENTS...: the program ends well, and its statistics tell of the pattern.
under() {
    local pattern=$1 program=$2 said got
    shift 2
    said=$("$filtered" "$@" "$tithe" run -s -o gc_every=256K:verify=1 bash -c "$program" 2>&1)
    got=$?
    if [ "$got" != 0 ] || ! grep -qE "cycle [0-9]+ \(paced\): .* $pattern\$" <<<"$said"; then
        echo "FAIL $*: status $got, said: $(tail -n 3 <<<"$said")"
        failed=1
    else
        echo "ok $*"
    fi
}

threads="exec $TITHE_BUILD/test/stress.preload 2 3"
alone='for i in {1..100000}; do x=$i; done'
some='[1-9][0-9]*'

under "of $some dirty none" "$threads" docker
under "of $some dirty none" "$alone" docker
under "of $some dirty none" "$threads" --exec docker
under 'of 0 dirty none' "$alone" --exec docker # nothing proves that a process may be made
under "of $some dirty .*" "$threads" process_vm_readv
under "of $some dirty (soft|none)" "$threads" userfaultfd
under 'of 0 dirty .*' "$threads" sched_setaffinity
under 'of 0 dirty .*' "$alone" setpriority
under "of $some dirty .*" "$alone" socket
under 'of 0 dirty .*' "$alone" --exec clone,clone3,fork,vfork

said=$("$filtered" docker "$tithe" leaks "$TITHE_BUILD/test/leaks/corpus/corpus" many 2>&1)
got=$?
if [ "$got" = 23 ] && grep -q '1,000 blocks' <<<"$said"; then
    echo "ok leaks docker"
else
    echo "FAIL leaks docker: status $got, said: $said"
    failed=1
fi
exit $failed
