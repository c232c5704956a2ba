#!/bin/bash
# What libgc documents is the same on Debian's library and on ours: runs test/libgc/probes on both and
# checks doc/libgc-probes.md, which has every value, and a reason for each that differs. With --write
# the table is written anew. Where Debian's library is not installed only our values are checked.
set -u
table=$(dirname "$0")/../doc/libgc-probes.md
reference=/usr/lib/$(gcc -print-multiarch)
program=$TITHE_BUILD/test/libgc/.libs/probes
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD TITHE_OPTIONS

# run FOLDER OUTPUT
run() {
    LD_LIBRARY_PATH=$1 timeout 120 "$program" >"$2" 2>"$work/errors" && [ -s "$2" ] && return
    echo "FAIL: the probes did not run on $1:"
    cat "$work/errors"
    exit 1
}

run "$TITHE_BUILD/.libs" "$work/ours"
if [ -e "$reference/libgc.so.1" ]; then
    run "$reference" "$work/reference"
else
    echo "Debian's libgc1 is not installed: its values are taken from the table"
fi
python3 "$(dirname "$0")/libgc/probes.py" "${1---check}" "$table" "$work"
