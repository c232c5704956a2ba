#!/bin/bash
# libgc.so.1 exports what Debian's does: the same names, with the same types, data of the same
# sizes, the same soname, and nothing needed but libc and the loader. Beyond those there are only the
# functions of later releases that test/libgc/later-names lists. A symbol may be zeroed data in one
# and initialised data in the other. Each of these checks is shown to be able to fail, on small
# libraries of its own. Skipped where Debian's library is not installed.
set -u
library=$TITHE_BUILD/.libs/libgc.so.1
failed=0

# Lines "name type size"; the size only of data, because that of code is of no interest, and not of
# GC_arrays, which is each release's own state.
symbols() {
    nm -D --defined-only --print-size "$1" | awk '
        $NF == "_end" { next }
        { type = $(NF - 1); if (type == "B") type = "D" }
        { print $NF, type, type == "T" || $NF == "GC_arrays" ? "-" : NF == 4 ? $2 : "none" }' | sort
}

# without_later OURS REFERENCE: without what is listed, which must be there, and the reference, a later
# release's, may have.
without_later() {
    local names
    names=$(sed -n 's/^\(GC_[^ ]*\) [^ ]*$/\1 T -/p' "$(dirname "$0")/libgc/later-names" | sort)
    comm -13 <(echo "$1") <(echo "$names") | sed 's/^/FAIL missing /' >&2
    comm -23 <(echo "$1") <(comm -23 <(echo "$names") <(echo "$2"))
}

soname() { objdump -p "$1" | awk '$1 == "SONAME" { print $2 }'; }

strangers() {
    objdump -p "$1" | awk '$1 == "NEEDED" && $2 !~ /^(libc\.so\.6|ld-linux.*)$/ { print $2 }'
}

# compare NAME REFERENCE OURS: complains, line by line, about what differs.
compare() {
    local difference
    difference=$(diff <(echo "$2") <(echo "$3") | sed -n 's/^</  only in the reference:/p; s/^>/  only in ours:/p')
    [ -z "$difference" ] && return
    printf 'FAIL %s\n%s\n' "$1" "$difference"
    failed=1
}

# compare_libraries REFERENCE OURS
compare_libraries() {
    compare symbols "$(symbols "$1")" "$(symbols "$2")"
    compare soname "$(soname "$1")" "$(soname "$2")"
    compare needed "" "$(strangers "$2")"
}

# must_differ CHECK REFERENCE-SOURCE OURS-SOURCE [LINKER-FLAG...]
must_differ() {
    local check=$1 said
    echo "$2" | gcc -x c -shared -fPIC -o "$work/reference.so" -Wl,-soname,same.so -
    echo "$3" | gcc -x c -shared -fPIC -o "$work/ours.so" -Wl,-soname,same.so - "${@:4}"
    said=$(compare_libraries "$work/reference.so" "$work/ours.so")
    if [ "$check" = nothing ] && [ -n "$said" ] ||
        [ "$check" != nothing ] && ! grep -q "^FAIL $check" <<<"$said"; then
        echo "FAIL self-test, $check: $2 against $3 said: $said"
        failed=1
    fi
}

self_test() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    local function='void GC_f(void) {}'
    must_differ nothing "$function int GC_d;" "$function int GC_d = 1;"
    must_differ symbols "$function" "$function int GC_more;"
    must_differ symbols "$function int GC_less;" "$function"
    must_differ symbols "$function" "void (*GC_f)(void);"
    must_differ symbols "int GC_d;" "long GC_d;"
    must_differ symbols "int GC_d;" "const int GC_d = 1;"
    must_differ soname "$function" "$function" -Wl,-soname,other.so
    must_differ needed "$function" "$function" -Wl,--no-as-needed -lm
}

reference=/usr/lib/$(gcc -print-multiarch)/libgc.so.1
if [ ! -e "$reference" ]; then
    echo "skipped: Debian's libgc1 is not installed"
    exit 77
fi
self_test
compare symbols "$(symbols "$reference")" "$(without_later "$(symbols "$library")" "$(symbols "$reference")" 2>&1)"
compare soname "$(soname "$reference")" "$(soname "$library")"
compare needed "" "$(strangers "$library")"
[ "$failed" = 0 ] && echo "ok: $(symbols "$library" | wc -l) symbols, all of $reference among them"
exit $failed
