#!/bin/bash
# Under seccomp filters: nothing is killed that was not killed before, collections take place, and
# what a filter permits is used.
set -u
export HOME=/ SHELL=/bin/bash # bash asks for what is not set, by a socket
tithe=$TITHE_BUILD/tithe
filtered=$TITHE_BUILD/test/filtered
failed=0
[ -x "$filtered" ] || exit 77

# under WORKERS DIRTY PROGRAM FILTERED-ARGUMENTS...: the program ends well, and a cycle had so many workers
# and that way to know written pages.
under() {
    local workers=$1 dirty=$2 program=$3 said got
    shift 3
    said=$("$filtered" "$@" "$tithe" run -s -o gc_every=256K:verify=1 bash -c "$program" 2>&1)
    got=$?
    if [ "$got" != 0 ] || ! grep -qE "cycle [0-9]+ \(paced\): .* of $workers( .*)? dirty $dirty( \(.*\))?\$" <<<"$said"; then
        echo "FAIL $*: status $got, said: $(tail -n 3 <<<"$said")"
        failed=1
    else
        echo "ok $*"
    fi
}

threads="exec $TITHE_BUILD/test/stress.preload 2 3"
alone='for i in {1..100000}; do x=$i; done'
some='[1-9][0-9]*'

under "$some" "none" "$threads" docker
under "$some" "none" "$alone" docker
under "$some" "none" "$threads" --exec docker
under "0" "none" "$alone" --exec docker # nothing proves that a process may be made
under "$some" ".*" "$threads" process_vm_readv
under "$some" "none" "$threads" userfaultfd
under "0" ".*" "$threads" sched_setaffinity
under "0" ".*" "$alone" setpriority
under "$some" ".*" "$alone" socket
under "0" ".*" "$alone" --exec clone,clone3,fork,vfork

said=$("$filtered" docker "$tithe" leaks "$TITHE_BUILD/test/leaks/corpus/corpus" many 2>&1)
got=$?
if [ "$got" = 23 ] && grep -q '1,000 blocks' <<<"$said"; then
    echo "ok leaks docker"
else
    echo "FAIL leaks docker: status $got, said: $said"
    failed=1
fi
exit $failed
