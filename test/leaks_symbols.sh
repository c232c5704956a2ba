#!/bin/bash
# The same leak has the same frames, with file and line, whichever compiler built it and however its
# debug information is kept; local functions are named by where they stand.
set -u
sources=$(cd "$(dirname "$0")/leaks/symbols" && pwd)
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory" || exit 1
failed=0

# The frames of a program's leaks, one a line: "function  file:line".
frames() {
    "$TITHE_BUILD/tithe" leaks --exitcode=0 "$1" 2>&1 | sed -nE 's/^ {5}([^[].*  [^ ]+:[0-9]+)( \(inlined\))?$/\1/p'
}

# expect NAME PROGRAM FRAME...: these frames stand there, each right after the one before.
expect() {
    local name=$1 program=$2 said wanted
    shift 2
    said=$(frames "./$program")
    wanted=$(printf '%s\n' "$@")
    if [[ $'\n'$said$'\n' == *$'\n'$wanted$'\n'* ]]; then
        echo "ok $name"
    else
        echo "FAIL $name: wanted $(printf '%s, ' "$@") got:"
        "$TITHE_BUILD/tithe" leaks --exitcode=0 "./$program" 2>&1 | head -n 40
        failed=1
    fi
}

# A leak has one id, whatever was built anew or moved in the file.
id=''
chain() {
    local said
    said=$("$TITHE_BUILD/tithe" leaks --exitcode=0 ./chain 2>&1 | sed -nE 's/^#1 LOST .* id ([0-9a-f]{8})$/\1/p')
    [ -n "$id" ] || id=$said
    [ -n "$said" ] && [ "$said" = "$id" ] || { echo "FAIL $1: id $said, not $id"; failed=1; }
    expect "$1" chain 'inner  chain.c:6' 'middle  chain.c:12' 'outer  chain.c:20' 'main  chain.c:25'
}

command -v gcc g++ clang clang++ dwz objcopy >/dev/null || exit 77
for compiler in gcc clang; do
    for level in -O0 '-O2' '-O2 -flto' '-O2 -gsplit-dwarf' '-O2 -gdwarf-4' '-O2 -gz=zlib' '-O2 -ffunction-sections'; do
        # shellcheck disable=SC2086 # the level is several arguments
        "$compiler" -g $level "$sources/chain.c" -o chain && chain "$compiler $level"
    done
    rm -f ./*.dwo
    "$compiler" -g -O2 "$sources/chain.c" -o chain
    objcopy --only-keep-debug chain chain.debug && objcopy --strip-debug --add-gnu-debuglink=chain.debug chain
    chain "$compiler, a debug file beside it"
    rm chain.debug
    cat >assembled.c <<'C'
void *assembled(void);
int main(void) { return assembled() == 0; }
C
    "$compiler" -g assembled.c "$sources/assembled.S" -o assembled
    expect "$compiler, assembler" assembled 'assembled  assembled.S:10' 'main  assembled.c:2'
done
{ printf '%s\n' 'extern int other; int other;' '#line 1 "chain.c"'; cat "$sources/chain.c"; } >moved.c
gcc -g -O1 moved.c -o chain && chain "gcc, another build"
"$TITHE_BUILD/tithe" leaks --gen-suppressions ./chain >known 2>&1
clang -g -O2 "$sources/chain.c" -o chain
if "$TITHE_BUILD/tithe" leaks --suppressions=known ./chain >said 2>&1; then
    echo "ok suppressions hold for another compiler's build"
else
    echo "FAIL suppressions of another build: $(cat known said)"
    failed=1
fi
"$TITHE_BUILD/tithe" leaks --format=json --output=known.json ./chain >said 2>&1
gcc -g -O1 "$sources/chain.c" -o chain
"$TITHE_BUILD/tithe" leaks --baseline=known.json ./chain >said 2>&1 || { echo "FAIL baseline: $(cat said)"; failed=1; }
sed -i 's/outer(count + 2);/outer(count + 2) + (malloc(55) == 0);/' moved.c
gcc -g -O1 moved.c -o chain
"$TITHE_BUILD/tithe" leaks --baseline=known.json ./chain >said 2>&1
[ $? = 23 ] && grep -q 'lost 55 B in 1 block, 1 group' said && echo "ok a new leak beside a known one" ||
    { echo "FAIL a new leak beside a known one: $(cat said)"; failed=1; }
"$TITHE_BUILD/tithe" leaks --baseline=moved.c ./chain >said 2>&1
[ $? = 125 ] && grep -q 'no report of leaks' said || { echo "FAIL a baseline that is none: $(cat said)"; failed=1; }
gcc -g -O2 "$sources/chain.c" -o chain && cp chain other && dwz -m common chain other && chain "gcc, dwz"

for level in "g++ -O0" "g++ -O2" "clang++ -O0"; do
    $level -g "$sources/lambdas.cc" -o lambdas
    expect "$level, method" lambdas 'zoo::keeper::feed::{lambda lambdas.cc:13}::operator()  lambdas.cc:13'
    expect "$level, variable" lambdas '{lambda lambdas.cc:18}::operator()  lambdas.cc:18'
    expect "$level, main" lambdas 'main::{lambda lambdas.cc:31}::operator()  lambdas.cc:31'
    expect "$level, local class" lambdas 'main::local::run  lambdas.cc:28'
done
for level in "g++ -O0" "g++ -O2" "clang++ -O0" "clang++ -O2"; do
    $level -g "$sources/lambdas.cc" -o lambdas
    said=$(frames ./lambdas | grep -cE '^lose\(?.*  lambdas.cc:5$')
    [ "$said" = 5 ] && echo "ok $level, lines" || { echo "FAIL $level: $said of 5 lost in line 5"; failed=1; }
done

# The first frame that is told is the program's, without what its containers have done.
first_frames() { "$TITHE_BUILD/tithe" leaks --exitcode=0 "$@" ./containers 2>&1 | grep -A 1 'before the check' | grep -o '^     [a-z_]*' | sort -u | xargs; }
for level in "g++ -O0" "g++ -O2" "clang++ -O0" "clang++ -O2"; do
    $level -g "$sources/containers.cc" -o containers
    said=$(first_frames)
    [ "$said" = make_table ] || [ "$said" = "fill make_table" ] || { echo "FAIL $level, containers: $said"; failed=1; }
    said=$(first_frames '--fold=make_*' '--fold=fill*')
    [ "$said" = forget ] && echo "ok $level, containers" || { echo "FAIL $level, --fold: $said"; failed=1; }
done
exit $failed
