#!/bin/bash
# Every function that our libgc.so.1 exports is called by one of libgc's suites. Told from the
# undefined symbols of their objects, so that a name in a comment or a text does not count; that this
# can fail is shown on a library and a suite of its own.
set -u
library=$TITHE_BUILD/.libs/libgc.so.1

functions() { nm -D --defined-only "$1" | awk '$2 == "T" && $3 ~ /^GC_/ { print $3 }' | sort -u; }

# called OBJECT...
called() { nm --undefined-only "$@" | awk '$1 == "U" { print $2 }' | sort -u; }

# uncalled LIBRARY OBJECT...: functions of the library that no object refers to.
uncalled() { comm -23 <(functions "$1") <(called "${@:2}"); }

# must_miss EXPECTED LIBRARY-SOURCE SUITE-SOURCE
must_miss() {
    local missed
    echo "$2" | gcc -x c -shared -fPIC -o "$work/library.so" -
    echo "$3" | gcc -x c -c -o "$work/suite.o" -
    missed=$(uncalled "$work/library.so" "$work/suite.o" | tr '\n' ' ')
    [ "$missed" = "$1" ] && return
    echo "FAIL self-test: expected to miss '$1', missed '$missed'"
    exit 1
}

self_test() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    local two='void GC_one(void) {} void GC_two(void) {} int GC_data;'
    must_miss "" "$two" 'void GC_one(void), GC_two(void); void test(void) { GC_one(); GC_two(); }'
    must_miss "GC_two " "$two" 'void GC_one(void); void test(void) { GC_one(); /* GC_two(); */ }'
    must_miss "GC_one GC_two " "$two" 'const char *GC_names = "GC_one GC_two";'
}

shopt -s nullglob
objects=("$TITHE_BUILD"/test/libgc/*_test-*_test.o)
if [ ${#objects[@]} = 0 ]; then
    echo "skipped: the suites are not built"
    exit 77
fi
self_test
missed=$(uncalled "$library" "${objects[@]}")
if [ -n "$missed" ]; then
    echo "FAIL: no suite calls"
    echo "$missed"
    exit 1
fi
echo "ok: $(functions "$library" | wc -l) functions, called by ${#objects[@]} objects"
