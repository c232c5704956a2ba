#!/bin/bash
# Languages whose integers, numbers or handles are the only addresses of blocks: all blocks are kept
# while those are, and hardly one once they are not. In every configuration of the collector.
# With --runs N each N times.
set -u
runs=1
[ "${1-}" = --runs ] && runs=$2
here=$(cd "$(dirname "$0")" && pwd)/runtimes
libraries=$TITHE_BUILD/test/runtimes/.libs
configurations=('' gc_every=64K gc_every=64K:workers=0 gc_every=64K:dirty=none)
few=20 # kept by chance: in dead frames, in free memory of the language's own
failed=0
export BLOCKS=$libraries/blocks.so BLOCKS_LUA=$libraries/lua.so BLOCKS_NODE=$libraries/node.so
export BLOCKS_EMACS=$libraries/emacs.so BLOCKS_PYTHON=$here/blocks.py GUILE_AUTO_COMPILE=0
[ -e "$BLOCKS" ] || exit 77

# holds WHAT COUNT OPTIONS COMMAND...: the command says that it kept COUNT blocks, and that few are left.
holds() {
    local what=$1 count=$2 options=$3 said kept left
    shift 3
    said=$(timeout 300 "$TITHE_BUILD/tithe" run --quiet ${options:+-o "$options"} "$@" 2>&1)
    kept=$(sed -n 's/^kept[ \t]*//p' <<<"$said")
    left=$(sed -n 's/^left[ \t]*//p' <<<"$said")
    if [ "$kept" = "$count" ] && [ "${left:-$count}" -le "$few" ]; then
        return
    fi
    echo "FAIL $what, $options: of $count blocks '$kept' kept, then '$left' left: $(tail -n 3 <<<"$said")"
    failed=1
}

# try WHAT COUNT PROGRAM ARGUMENTS...: if the program is there, in every configuration.
try() {
    local options run
    if ! command -v "$3" >/dev/null; then
        echo "skipped: $3 is not installed"
        [ -z "${TITHE_REQUIRE_PROGRAMS:-}" ] || failed=1
        return
    fi
    for options in "${configurations[@]}"; do
        for ((run = 0; run < runs; run++)); do
            holds "$1" "$2" "$options" "${@:3}"
        done
    done
    echo "tried $1"
}

try python 1000 /usr/bin/python3 "$here/blocks.py"
try 'python, allocated by malloc' 1000 env PYTHONMALLOC=malloc /usr/bin/python3 "$here/blocks.py"
try 'python as a plugin' 1000 "$TITHE_BUILD/test/runtimes/plugin" "$libraries/python.so"
try ruby 1000 ruby "$here/blocks.rb"
try 'numbers of lua' 500 lua5.4 "$here/blocks.lua" number
try 'handles of lua' 500 lua5.4 "$here/blocks.lua" light
try 'numbers of luajit' 500 luajit "$here/blocks.lua" number
try 'handles of luajit' 500 luajit "$here/blocks.lua" light
try guile 1000 guile "$here/blocks.scm"
try node 1000 node --expose-gc "$here/blocks.cjs"
[ ! -e "$BLOCKS_EMACS" ] || try emacs 1000 emacs --batch -Q -l "$here/blocks.el"

# What they keep is told, and keeps nothing when it does not count. To a few an old word leads as well.
said=$("$TITHE_BUILD/tithe" run -s /usr/bin/python3 "$here/blocks.py" 2>&1)
most=$(grep -oE ' digits 1[0-9]{3}:[0-9]+' <<<"$said" | cut -d : -f 2 | sort -n | tail -n 1)
[ "${most:-0}" -ge $((1000 - few)) ] || {
    echo "FAIL the statistics do not tell of about 1000 blocks kept by digits: $(tail -n 4 <<<"$said")"
    failed=1
}
said=$("$TITHE_BUILD/tithe" run --quiet -o digits=off /usr/bin/python3 "$here/blocks.py" 2>&1)
[ "$(sed -n 's/^kept //p' <<<"$said")" -le "$few" ] || {
    echo "FAIL digits=off: $said"
    failed=1
}
exit $failed
