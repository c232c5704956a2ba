#!/bin/bash
# The protocols of marking and stopping, searched exhaustively by Spin: what models/README.md states
# holds, and each broken variant is rejected for the reason given. A search that was cut short counts
# as a failure.
set -u
models=$(cd "$(dirname "$0")/models" && pwd)
if ! command -v spin >/dev/null; then
    echo "spin is missing"
    [ "${TITHE_REQUIRE_PROGRAMS-}" ] || exit 77
    exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0

# search PROPERTY FLAGS MODEL MACRO...: the output of the search goes to the file output. The property
# is "safety" (assertions and invalid end states) or the name of a formula, under weak fairness.
search() {
    local property=$1 flags=$2 model=$3 define='-DSAFETY -DNOCLAIM' options=''
    shift 3
    if [ "$property" != safety ]; then
        define='' options="-a -f -N $property"
    fi
    rm -f pan
    # shellcheck disable=SC2086 # lists of words
    spin -a "${@/#/-D}" "$models/$model.pml" >output 2>&1 &&
        gcc $flags $define -DMEMLIM=900 -o pan pan.c >>output 2>&1 &&
        timeout 300 ./pan -m10000 -w22 $options >>output 2>&1
}

# report NAME: the status before it decides.
report() {
    if [ $? = 0 ]; then
        echo "ok $1 ($(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' output) states)"
    else
        echo "FAIL $1"
        grep -v '^ *$' output | head -n 40
        failed=1
    fi
}

# holds PROPERTY MODEL MACRO...: exhaustively.
holds() {
    search "$1" -O1 "${@:2}" && grep -q 'errors: 0$' output &&
        ! grep -qE 'not completed|depth too small|out of memory|MEMLIM bound|approximat' output
    report "holds: $*"
}

# rejects REASON PROPERTY MODEL MACRO...
rejects() {
    search "$2" -O0 "${@:3}" && grep -qE "^pan:1: $1" output
    report "rejects: ${*:2}"
}

wrong='assertion violated'
stuck='invalid end state'
endless='acceptance cycle'

two_workers='MUTATORS=1 WORKERS=2'
one_worker='MUTATORS=2 WORKERS=1 SCANS=0'
small_debts='MUTATORS=2 WORKERS=1 CHARGE=1 QUANTUM=1'
no_worker='MUTATORS=2 WORKERS=0'
no_worker_crowd='MUTATORS=3 WORKERS=0 SCANS=0 CHARGE=1 QUANTUM=1'

# shellcheck disable=SC2086 # lists of macros
{
    holds safety assist $two_workers
    holds safety assist $two_workers SCANS=0 WAKE_ONE
    holds safety assist $one_worker
    holds safety assist $small_debts
    holds safety assist $no_worker GROWTH=3 ALLOCATIONS=2
    holds safety assist $no_worker_crowd
    holds cycle_ends assist $two_workers SCANS=0
    holds cycle_ends assist $one_worker CHARGE=1
    holds sleeper_wakes assist $two_workers SCANS=0
    holds sleeper_wakes assist $one_worker
    holds sleeper_wakes assist $no_worker
    holds sleeper_wakes assist $no_worker_crowd

    rejects "$wrong" safety assist $no_worker SEPARATE_COUNT
    rejects "$wrong" safety assist $no_worker COMPARE_WITHOUT_VERSION
    rejects "$wrong" safety assist $no_worker ENTRY_UNCHECKED
    rejects "$stuck" safety assist $one_worker QUEUE_BEFORE_LEAVING
    rejects "$wrong" safety assist $one_worker ROUND_BEFORE_JOBS
    rejects "$wrong" safety assist $one_worker CLAIM_UNCHECKED
    rejects "$wrong" safety assist $one_worker PARAM_KEPT
    rejects "$wrong" safety assist $one_worker PARTIAL_PAYMENT_LOST
    rejects "$stuck" safety assist $one_worker SLEEP_WITHOUT_RECHECK
    rejects "$stuck" safety assist $one_worker PARK_WITHOUT_PHASE
    rejects "$stuck" safety assist $one_worker END_WAKES_FIRST
    rejects "$stuck" safety assist $one_worker LOCK_ON_OWN_STACK
    rejects "$stuck" safety assist $no_worker PARK_WITHOUT_WORKERS
    rejects "$stuck" safety assist $no_worker SCAN_DOES_NOT_WAKE
    rejects "$stuck" safety assist $no_worker_crowd WAKE_ONE
    rejects "$endless" cycle_ends assist $one_worker SLEEP_WITHOUT_RECHECK
    rejects "$endless" sleeper_wakes assist $one_worker PARK_WITHOUT_PHASE
    rejects "$endless" sleeper_wakes assist $no_worker PARK_WITHOUT_WORKERS

    holds safety stop
    holds safety stop THREADS=3 STOPS=1 FREEZES=1 CANCELS=0
    holds collector_finishes stop
    holds sleeper_wakes stop
    holds safety stop QUEUE_FILLS STOPS=1 FREEZES=1
    holds safety stop QUEUE_FILLS THREADS=3 STOPS=1 FREEZES=0 CANCELS=0
    holds collector_finishes stop QUEUE_FILLS STOPS=1 FREEZES=1

    rejects "$wrong" safety stop LEAVE_UNCHECKED
    rejects "$wrong" safety stop HANDLER_IGNORES_EPOCH
    rejects "$wrong" safety stop ENTRY_IGNORES_STOPPING
    rejects "$wrong" safety stop HELD_TO_RUNNING
    rejects "$wrong" safety stop CANCEL_BY_STORE
    rejects "$stuck" safety stop ENTRY_DOES_NOT_STIR
    rejects "$stuck" safety stop QUEUE_FILLS PLAIN_SENT_ONCE
    rejects "$endless" collector_finishes stop ENTRY_DOES_NOT_STIR
    rejects "$endless" sleeper_wakes stop ENTRY_DOES_NOT_STIR
}
exit $failed
