#!/bin/bash
# The public headers: each compiles by itself and without a warning in C and C++, old and new; and where
# Debian's libgc-dev is installed, a program may use of ours all it may use of those, with the same
# effect; libcord exports what they declare. That what the comparison guards is noticed when it breaks is
# tested, too.
set -u
here=$(cd "$(dirname "$0")" && pwd)
ours=$here/../include
reference=/usr/include
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
built=$TITHE_BUILD/.libs
failed=0

fail() {
    echo "FAIL $*"
    failed=1
}

echo 'extern int nothing;' >"$work/empty"
warnings=(-Wall -Wextra -Wundef -pedantic -Werror)

# quiet COMMAND...: says something only when it fails.
quiet() {
    "$@" >"$work/said" 2>&1 || {
        head -n 20 "$work/said"
        fail "$*"
    }
}

# alone LANGUAGE COMPILER STANDARDS HEADERS: included twice and before anything else.
alone() {
    local language=$1 compiler=$2 standards=$3 headers=$4 standard header options
    command -v "$compiler" >/dev/null || return 0
    for header in $headers; do
        printf '#include <%s>\n#include <%s>\nextern int nothing;\n' "$header" "$header" >"$work/alone"
        for standard in $standards; do
            for options in '' '-DGC_DEBUG -DGC_THREADS -DGC_REQUIRE_WCSDUP'; do
                # shellcheck disable=SC2086 # lists of words
                quiet "$compiler" -std="$standard" "${warnings[@]}" $options -I "$ours" -x "$language" \
                    -fsyntax-only -include "$header" "$work/alone"
            done
        done
    done
}

# used LANGUAGE COMPILER STANDARDS PROGRAM OPTIONS...: with all macros expanded.
used() {
    local language=$1 compiler=$2 standards=$3 program=$4 standard options
    shift 4
    command -v "$compiler" >/dev/null || return 0
    for standard in $standards; do
        for options in "$@"; do
            # shellcheck disable=SC2086 # lists of words
            quiet "$compiler" -std="$standard" "${warnings[@]}" $options -I "$ours" -x "$language" \
                -fsyntax-only "$here/headers/$program"
        done
    done
}

c_headers=gc.h
for header in "$ours"/gc/*.h; do
    case ${header##*/} in
    gc_cpp.h | gc_allocator.h) ;;
    *) c_headers="$c_headers gc/${header##*/}" ;;
    esac
done
cxx_headers='gc_cpp.h gc/gc_cpp.h gc/gc_allocator.h'
for compiler in gcc clang; do
    alone c $compiler 'c89 c11' "$c_headers"
    used c $compiler 'c89 c99 c11 c17' calls.c '' -DGC_DEBUG
    used c $compiler gnu11 calls.c -DNDEBUG
    used c $compiler 'c89 c99 c11 c17' cords.c '' -DCORD_NO_IO '-DCORD_BUFSZ=64 -DCORD_BUILD'
done
for compiler in g++ clang++; do
    alone c++ $compiler 'c++98 c++17' "$cxx_headers gc.h gc/cord.h gc/ec.h"
    used c++ $compiler 'c++98 c++11 c++14 c++17 c++20' cords.c ''
    used c++ $compiler 'c++98 c++11 c++14 c++17 c++20' classes.cc ''
    used c++ $compiler 'c++98 c++17' classes.cc '-DGC_NAMESPACE -DGC_INCLUDE_NEW -DGC_DEBUG' \
        '-DGC_NEW_ABORTS_ON_OOM -DGC_NO_FINALIZATION -DGC_NAME_CONFLICT -DGC_ATOMIC_UNCOLLECTABLE'
done
for header in $c_headers; do
    quiet gcc "${warnings[@]}" -I "$ours" -DGC_BUILD -x c -fsyntax-only -include "$header" "$work/empty"
    quiet g++ "${warnings[@]}" -I "$ours" -DGC_THREADS -x c++ -fsyntax-only -include "$header" "$work/empty"
done
quiet g++ -fno-exceptions "${warnings[@]}" -I "$ours" -x c++ -fsyntax-only -include gc/gc_cpp.h \
    -include gc/gc_allocator.h "$work/empty"
[ $failed = 0 ] && echo "ok each alone"

if ! [ -f $reference/gc/gc.h ] || ! command -v python3 >/dev/null; then
    echo "libgc-dev or python3 is missing: nothing to compare with"
    [ "${TITHE_REQUIRE_PROGRAMS-}" ] && exit 1
    exit $failed
fi

# same COMPILER PROGRAM OURS OPTIONS...: what it prints, compiled with either and run with the library
# that is installed; cords.c with the one that was built, there being no other.
same() {
    local compiler=$1 program=$2 include=$3 root libraries=(-lgc)
    shift 3
    [ "$compiler" = g++ ] && libraries=(-lgccpp -lgc)
    [ "$program" = cords.c ] && libraries=("-L$built" "-Wl,-rpath,$built" -lcord -lgc)
    for root in "$include" $reference; do
        [ -f "$work/now" ] && mv "$work/now" "$work/before"
        "$compiler" -w "$@" -I "$root" "$here/headers/$program" -o "$work/program" "${libraries[@]}" &&
            (ulimit -f 1000 && timeout 60 "$work/program" >"$work/now" 2>/dev/null) || return 1
    done
    diff "$work/before" "$work/now"
}

python3 "$here/headers/compare.py" "$ours" $reference || fail "names and types"
for options in -DPLAIN -DGC_DEBUG -DNDEBUG; do
    same gcc calls.c "$ours" $options || fail "calls.c $options"
done
for options in -DPLAIN -DGC_DEBUG -DGC_NAMESPACE -DGC_INCLUDE_NEW; do
    same g++ classes.cc "$ours" $options || fail "classes.cc $options"
done
for options in -DPLAIN -DCORD_BUFSZ=64; do
    same gcc cords.c "$ours" $options || fail "cords.c $options"
done

# libcord exports what the reference declares, under the name that programs look for.
declared=$(printf '#include <gc/cord.h>\n#include <gc/ec.h>\n' | gcc -E -P -I $reference - |
    grep -oE '\bCORD_\w+ *\(|\bCORD_oom_fn' | tr -d ' (' | sort)
exported=$(nm -D --defined-only "$built/libcord.so.1" | awk '{ print $3 }' | sort)
later=$(sed -n 's/^\(CORD_[^ ]*\) [^ ]*$/\1/p' "$here/libgc/later-names")
diff <(printf '%s\n' "$declared" "$later" | sort) <(echo "$exported") || fail "exports of libcord"
objdump -p "$built/libcord.so.1" | grep -q 'SONAME *libcord\.so\.1$' || fail "soname of libcord"

# What the comparison must notice: a file, how it is broken, and what is said of it.
broken=$work/broken
cp -r "$ours" "$broken"
breaks() {
    sed -i "$2" "$broken/gc/$1"
    cmp -s "$broken/gc/$1" "$ours/gc/$1" && fail "nothing broken by $2"
    printf '%s\n' "$3" >>"$work/expected"
}
breaks gc.h 's/GC_size(const void \*)/GC_size(void *)/' "conflicting types for .GC_size"
breaks gc_settings.h '/int GC_get_rate/d' 'object GC_get_rate is missing'
breaks gc_settings.h 's/GC_API int GC_get_full_freq(void)/& GC_ATTR_DEPRECATED/' \
    'GC_get_full_freq has attributes'
breaks gc_settings.h 's/GC_TIME_UNLIMITED 999999/GC_TIME_UNLIMITED 999998/' 'GC_TIME_UNLIMITED is 999998'
breaks gc_settings.h 's/unsigned long tv_nsec/unsigned tv_nsec/' 'GC_timeval_s.tv_nsec'
breaks gc_settings.h 's/set_full_freq(GC_FULL_FREQ)/set_rate(GC_FULL_FREQ)/' \
    'GC_INIT_CONF_FULL_FREQ is GC_set_rate'
breaks gc_disclaim.h 's/    void \*cd;/    long cd;/' 'GC_finalizer_closure.cd'
breaks gc_finalization.h 's/enum { GC_TOGGLE_REF_DROP/& = 3/' 'GC_TOGGLE_REF_DROP'
breaks gc_debugging.h 's/GC_API char \*GC_debug_strdup/GC_API void *GC_debug_strdup/' \
    "conflicting types for .GC_debug_strdup"
breaks cord.h 's/CORD_str(CORD x, size_t start/CORD_str(CORD x, int start/' "conflicting types for .CORD_str"
breaks cord.h '/ CORD_catn(/d' 'object CORD_catn is missing'
breaks cord.h 's/CORD_NOT_FOUND ((size_t)(-1))/CORD_NOT_FOUND ((size_t)(-2))/' 'CORD_NOT_FOUND is'
breaks cord.h 's/^#define CORD_nul(i) CORD_chars/#define CORD_nul(i) CORD_fetch/' 'CORD_nul is'
breaks cord_pos.h 's/size_t cur_end;/int cur_end;/' 'CORD_Pos.cur_end'
breaks cord_pos.h 's/^#define MAX_DEPTH 48/#define MAX_DEPTH 47/' 'MAX_DEPTH is 47'
breaks ec.h 's/^} CORD_ec\[1\]/} CORD_ec[2]/' 'conflicting types for .CORD_ec'
breaks gc_mark.h 's/^#define GC_DS_PROC 2/#define GC_DS_PROC 3/' 'GC_DS_PROC is 3'
breaks gc_mark.h 's/(\*GC_mark_proc)(GC_word \*/(*GC_mark_proc)(void */' \
    "conflicting types for .GC_mark_proc"
breaks gc_typed.h 's/^#define GC_WORD_LEN(t).*//' 'macro GC_WORD_LEN is missing'
breaks gc_typed.h 's/^#define GC_BITMAP_SIZE(t)/#define GC_BITMAP_SIZE(t, u)/' 'GC_BITMAP_SIZE takes other'
breaks gc_tiny_fl.h 's/^#define GC_TINY_FREELISTS/#define FREE_LISTS\n&/' 'FREE_LISTS is not ours'
breaks leak_detector.h 's/^#define free(p) .*/#define free(p) GC_free(p)/' 'macro free is GC_free'
breaks gc_pthread_redirects.h 's/^#define pthread_join GC_.*//' 'macro pthread_join is missing'

python3 "$here/headers/compare.py" "$broken" $reference >"$work/said" && fail "breaks are not noticed"
while read -r said; do
    grep -q "$said" "$work/said" || fail "not noticed: $said"
done <"$work/expected"
[ $failed = 0 ] && echo "ok $(wc -l <"$work/expected") breaks are noticed"

# misbehaves COMPILER PROGRAM FILE HOW: the program tells.
misbehaves() {
    rm -rf "$broken"
    cp -r "$ours" "$broken"
    sed -i "$4" "$broken/gc/$3"
    cmp -s "$broken/gc/$3" "$ours/gc/$3" && fail "nothing broken by $4"
    same "$1" "$2" "$broken" -DPLAIN >/dev/null 2>&1 && fail "not noticed: $4"
}
misbehaves gcc calls.c gc_inline.h 's/gc_head + (granules) + 1/gc_head + 1/'
misbehaves gcc calls.c gc_inline.h 's/(GC_word)GC_TINY_FREELISTS + 1,/(GC_word)GC_TINY_FREELISTS,/'
misbehaves gcc calls.c gc_inline.h 's/GC_I_NORMAL, GC_NEXT(result) = NULL/GC_I_NORMAL, (void)0/'
misbehaves gcc calls.c gc_tiny_fl.h 's/GC_GRANULE_WORDS 2/GC_GRANULE_WORDS 1/'
misbehaves gcc cords.c cord_pos.h 's/(p)->cur_end > (p)->cur_pos + 1/(p)->cur_end > (p)->cur_pos/'
misbehaves gcc cords.c cord_pos.h 's/(p)->cur_pos <= (p)->cur_start/(p)->cur_pos < (p)->cur_start/'
misbehaves gcc cords.c cord_pos.h 's/(p)->cur_leaf + /(p)->cur_leaf + 1 + /'
misbehaves gcc cords.c ec.h 's/ec_bufptr = (x)->ec_buf))/ec_bufptr = (x)->ec_buf + 1))/'
misbehaves g++ classes.cc gc_cpp.h 's/(void \*)((GC_word)this - (GC_word)start)/0/'
misbehaves g++ classes.cc gc_allocator.h 's/GC_n \* sizeof/GC_n + sizeof/'
exit $failed
