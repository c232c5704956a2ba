#!/bin/bash
# Every row of doc/hazards.md names a test, and every test that it names is there.
set -u
tests=$(cd "$(dirname "$0")" && pwd)
page=$tests/../doc/hazards.md
failed=0 rows=0 named=0

complain() {
    echo "FAIL $1"
    failed=$((failed + 1))
}

# is_there NAME: true for a test, 1 for one that is missing, 2 for what names no test.
is_there() {
    case $1 in
    roots/*) grep -qF "{\"${1#roots/}\"" "$tests/roots.c" ;;
    *.sh) [ -x "$tests/$1" ] ;;
    *[!a-z0-9_/]* | */*/* | /* | */) return 2 ;;
    */*) grep -qE "START_TEST\(${1#*/}\)" "$tests/${1%/*}.c" 2>/dev/null ;;
    *) return 2 ;;
    esac
}

while IFS= read -r row; do
    rows=$((rows + 1))
    last=${row%|*}
    last=${last##*|} some=0
    while IFS= read -r name; do
        is_there "$name"
        case $? in
        0) some=$((some + 1)) ;;
        1) complain "there is no test $name" ;;
        esac
    done < <(grep -oE '`[^`]+`' <<<"$last" | tr -d '`')
    [ "$some" -gt 0 ] || complain "a row names no test: $row"
    named=$((named + some))
done < <(grep -E '^\| ' "$page" | grep -vE '^\| (hazard|finding) |^\|-')
echo "$rows rows, $named tests named, $failed failed"
[ "$failed" = 0 ] && [ "$rows" -gt 0 ]
