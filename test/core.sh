#!/bin/bash
# Cores hold what natively they would and the live heap, and not what is only reserved: gdb's core of
# a running program and, where the system writes such to the program's folder, the kernel's of an
# aborted one. The program's functions and its memory are found in both.
set -u
tithe=$TITHE_BUILD/tithe
program=$TITHE_BUILD/test/core/aborting
most_kib=$((400 * 1024)) # of a heap of some 60 MiB; a file that grows larger ends the writer
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
command -v gdb >/dev/null || exit 77

# look CORE: the core tells the functions and the text.
look() {
    said=$(gdb -nx -q -batch -ex backtrace -ex 'printf "%s\n", text' "$program" "$1" 2>&1)
    for what in inner_function outer_function main 'the live heap is in the core'; do
        grep -q "$what" <<<"$said" || { echo "FAIL $1 does not tell '$what': $said"; exit 1; }
    done
    echo "ok $1: $(du -k "$1" | cut -f1) KiB"
}

mkfifo ready
"$tithe" run --quiet "$program" >ready &
child=$!
read -r _ <ready
(ulimit -f $most_kib && timeout 100 gdb -nx -q -batch -p $child -ex 'gcore gdb.core' -ex detach) >gdb.log 2>&1
kill $child
wait $child 2>/dev/null
grep -q 'Saved corefile' gdb.log || { cat gdb.log; echo "FAIL gdb writes no core"; exit 1; }
look gdb.core

[ "$(cat /proc/sys/kernel/core_pattern)" = core ] || exit 0
(ulimit -c $most_kib && exec "$tithe" run --quiet "$program" abort) >/dev/null 2>&1
written=$(ls core* 2>/dev/null | head -1)
[ -n "$written" ] || exit 0 # the limit for cores may be lower
look "$written"
