#!/bin/bash
# The command tithe: what it runs keeps its output, status and arguments; what cannot be served is
# refused with a reason; options reach the library and wrong ones are told.
set -u
tithe=$TITHE_BUILD/tithe
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# check NAME STATUS PATTERN COMMAND...: the command ends with the status and says the pattern.
check() {
    local name=$1 status=$2 pattern=$3 said
    shift 3
    said=$("$@" 2>&1)
    local got=$?
    if [ "$got" != "$status" ] || ! grep -qE -- "$pattern" <<<"$said"; then
        echo "FAIL $name: status $got, said: $said"
        failed=1
    else
        echo "ok $name"
    fi
}

check output 0 '^a b  c$' "$tithe" run --quiet printf '%s\n' 'a b  c'
check status 7 '' "$tithe" run --quiet sh -c 'exit 7'
check summary 0 '^tithe: true\[[0-9]+\]: allocated .* in 0 cycles' "$tithe" run true
check one-summary 0 '^1$' sh -c "'$tithe' run sh -c 'true; (true); sh -c true' 2>&1 | grep -c ^tithe:"
check statistics 0 'cycle 1 \(paced\): trigger' "$tithe" run -s -o gc_every=64K \
    bash -c 'for i in {1..100000}; do x=$i; done' # long enough for a whole cycle
# Which programs: only the one that is meant says its line.
lines() { TITHE_OPTIONS=stats=1:$1 LD_PRELOAD=$TITHE_BUILD/.libs/libtithe.so bash -c 'ls / >/dev/null; true' 2>&1 | sed -n 's/^tithe: \([a-z]*\)\[.*allocated.*/\1/p' | sort | tr '\n' ' '; }
check all-programs 0 '^bash ls $' lines 'log='
check only-one 0 '^ls $' lines only=ls
check only-several 0 '^bash ls $' lines 'only=bash,l?'
check only-path 0 '^ls $' lines "only=$(realpath "$(command -v ls)")"
check only-other-path 0 '^$' lines 'only=/nowhere/ls'
check never-one 0 '^bash $' lines never=ls
check never-wins 0 '^bash $' lines 'only=*:never=ls'
check unknown-option 0 "unknown option 'nosuch' ignored" "$tithe" run -q -o nosuch=1 true
check bad-value 0 'has no valid value' "$tithe" run -q -o percent=x true
check not-found 127 'command not found' "$tithe" run nosuchprogram
check no-file 127 'No such file' "$tithe" run ./nosuchprogram
check no-program 125 'no program given' "$tithe" run
check bad-flag 125 'unknown option --nosuch' "$tithe" run --nosuch true
check no-value 125 'needs a value' "$tithe" run -o
check usage 125 '^usage: ' "$tithe"
check help 0 '^usage: ' "$tithe" --help
check run-help 0 '^usage: ' "$tithe" run --help
check run-version 0 '^tithe [0-9]' "$tithe" run --version
check report-version 0 '^tithe [0-9]' "$tithe" report --version
check value-apart 0 'nothing lost' "$tithe" leaks --top 3 --depth 20 --exitcode 9 true
check value-apart-missing 125 '^tithe: --top needs a value' "$tithe" leaks --top
check leaks-version 0 '^tithe [0-9]' "$tithe" leaks --version
check no-process 125 'process 4194999: there is no such process' "$tithe" leaks --pid=4194999
check version 0 '^tithe [0-9]' "$tithe" --version
check no-library 125 'TITHE_LIBRARY=/nowhere' env TITHE_LIBRARY=/nowhere "$tithe" run true

echo 'int main(void) { return 0; }' >"$work/main.c"
gcc -static -o "$work/static" "$work/main.c"
check static 125 'statically linked' "$tithe" run "$work/static"
printf '#!%s\n' "$work/static" >"$work/script"
chmod +x "$work/script"
check static-interpreter 125 'statically linked' "$tithe" run "$work/script"
gcc -o "$work/dynamic" "$work/main.c"
if [ "$(id -u)" = 0 ]; then
    cp "$work/dynamic" "$work/privileged"
    chown nobody "$work/privileged"
    chmod 4755 "$work/privileged"
    check set-user-id 125 'set-user-ID' "$tithe" run "$work/privileged"
fi
echo 'echo "said $1"' >"$work/plain"
chmod +x "$work/plain"
check no-interpreter 0 '^said this$' "$tithe" run -q "$work/plain" this
printf 'int main(void) { return 0; }' | gcc -x c - -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1 -o "$work/musl"
check other-libc 125 'another C library than glibc' "$tithe" run "$work/musl"
mkdir "$work/a b"
ln -s "$TITHE_BUILD/.libs/libtithe.so" "$work/a b/libtithe.so"
check space 125 'space or a colon in its name' env TITHE_LIBRARY="$work/a b/libtithe.so" "$tithe" run true

# A command that stands elsewhere takes no page from where it was built.
"$tithe" leaks --keep="$work/checks" true 2>/dev/null
cp "$tithe" "$work/tithe"
check built-page 0 '<html' "$tithe" report --format=html "$work/checks"
[ -e /usr/local/share/tithe/page.html ] ||
    check installed-page 125 'share/tithe/page.html: No such file' "$work/tithe" report --format=html "$work/checks"
printf '\x28' | dd of="$work/dynamic" bs=1 seek=18 conv=notrunc status=none
check doctor 0 '^mode +(uffd|none \(.+\))$' "$tithe" doctor
check doctor-stops 0 '^stop at 4096 MiB live +[0-9.]+ ms' "$tithe" doctor true
check doctor-reason 0 '^mode +none \(by option\)$' env TITHE_OPTIONS=dirty=none "$tithe" doctor
check doctor-memory 1 '256 MiB did not end well' sh -c "ulimit -v 200000; exec '$tithe' doctor"
check doctor-program 125 'statically linked' "$tithe" doctor "$work/static"
[ ! -x "$TITHE_BUILD/test/filtered" ] ||
    check doctor-filtered 0 'default.json' "$TITHE_BUILD/test/filtered" docker "$tithe" doctor
check architecture 125 'another architecture' "$tithe" run "$work/dynamic"
exit $failed
