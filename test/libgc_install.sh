#!/bin/bash
# What make install puts there is what others build with: projects outside of the tree, by CMake and by
# Meson, with the shared libraries and with the static ones; programs of one file, by pkg-config, also
# without any shared library. The static libraries have no name that is not libgc's.
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD LD_LIBRARY_PATH
failed=0

fail() {
    echo "FAIL $*"
    failed=1
}

# quiet COMMAND...: says something only when it fails.
quiet() {
    "$@" >"$work/said" 2>&1 && return
    tail -n 20 "$work/said"
    fail "$*"
    return 1
}

# says WHAT PROGRAM...
says() {
    local expected=$1 said
    shift
    said=$(timeout 60 "$@" 2>&1 | tr '\n' ' ')
    [ "$said" = "$expected" ] || fail "$* said: $said"
}

# check_all FOLDER: the programs built there.
check_all() {
    says 'done 15 1 ' "$1/objects"
    says '1 1 100 ' "$1/classes"
    says '15000 a ' "$1/strings"
    [ ! -e "$1/throwing" ] || says 'caught 7 ' "$1/throwing"
}

# needs_gc PROGRAM: the shared library.
needs_gc() { objdump -p "$1" | grep -q 'NEEDED *libgc\.so\.1'; }

quiet make -s -C "$TITHE_BUILD" install DESTDIR="$work/root" || exit 1
lib=$(dirname "$(find "$work/root" -name libgc.so.1)")
include=$(dirname "$(find "$work/root" -name gc.h -path '*/include/gc.h')")
if [ ! -e "$lib/libgc.a" ]; then
    echo "skipped: configured without static libraries"
    exit 77
fi
sed -i "s,^libdir=.*,libdir=$lib,;s,^includedir=.*,includedir=$include," "$lib/pkgconfig/bdw-gc.pc"
export PKG_CONFIG_PATH=$lib/pkgconfig

# No name that is not libgc's, and none that is missing: with the shared library's, GC_dlopen aside.
globals() { nm -g --defined-only "$1" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u; }
for library in gc:GC_ cord:CORD_ gccpp:_Z gctba:_Z; do
    globals "$lib/lib${library%:*}.a" | grep -v "^${library#*:}" && fail "names of $library"
done
diff <(globals "$lib/libgc.a") \
    <(nm -D --defined-only "$lib/libgc.so.1" | awk '{ print $3 }' | grep '^GC_' | sort -u) ||
    fail "names of libgc.a and libgc.so.1"

# The first flags tell where headers and libraries are.
for kind in '' --static; do
    read -ra flags <<<"$(pkg-config $kind --cflags --libs bdw-gc)"
    rpath=-Wl,-rpath,$lib
    [ -z "$kind" ] || rpath=-static
    mkdir -p "$work/one$kind"
    quiet gcc "$here/install/objects.c" -o "$work/one$kind/objects" "$rpath" "${flags[@]}"
    quiet gcc "$here/install/strings.c" -o "$work/one$kind/strings" "$rpath" "${flags[@]:0:2}" -lcord "${flags[@]}"
    quiet g++ "$here/install/classes.cc" -o "$work/one$kind/classes" "$rpath" "${flags[@]:0:2}" -lgccpp "${flags[@]}"
    quiet gcc "$here/../examples/cache.c" -o "$work/one$kind/cache" "$rpath" "${flags[@]}"
    check_all "$work/one$kind"
    quiet timeout 60 "$work/one$kind/cache"
done
objdump -p "$work/one--static/objects" | grep -q NEEDED && fail "the static program needs shared libraries"
needs_gc "$work/one/objects" || fail "the program does not need libgc.so.1"

# A project can find out by itself, and is not told of a release that is not there.
if command -v cmake >/dev/null; then
    for static in OFF ON; do
        quiet cmake -S "$here/install" -B "$work/cmake-$static" -DBDWgc_DIR="$lib/cmake/bdwgc" \
            -DBDWgc_USE_STATIC_LIBS=$static -DCMAKE_BUILD_TYPE=Release &&
            quiet cmake --build "$work/cmake-$static" && check_all "$work/cmake-$static"
    done
    needs_gc "$work/cmake-OFF/objects" || fail "CMake did not link libgc.so.1"
    needs_gc "$work/cmake-ON/objects" && fail "CMake did not link libgc.a"
    sed 's/BDWgc 8.2 /BDWgc 9.0 /' "$here/install/CMakeLists.txt" >"$work/CMakeLists.txt"
    cp "$here"/install/*.c* "$work"
    cmake -S "$work" -B "$work/later" -DBDWgc_DIR="$lib/cmake/bdwgc" >/dev/null 2>&1 &&
        fail "CMake found a release that is not there"
else
    echo "cmake is missing"
    [ "${TITHE_REQUIRE_PROGRAMS-}" ] && exit 1
fi

if command -v meson >/dev/null; then
    for static in false true; do
        quiet meson setup -Dprefer_static=$static "$work/meson-$static" "$here/install" &&
            quiet ninja -C "$work/meson-$static" &&
            LD_LIBRARY_PATH=$lib check_all "$work/meson-$static"
    done
    needs_gc "$work/meson-false/objects" || fail "Meson did not link libgc.so.1"
    needs_gc "$work/meson-true/objects" && fail "Meson did not link libgc.a"
else
    echo "meson is missing"
    [ "${TITHE_REQUIRE_PROGRAMS-}" ] && exit 1
fi
[ $failed = 0 ] && echo "ok"
exit $failed
