#!/bin/bash
# abidiff finds nothing of Debian's libgc.so.1 missing or changed in ours; that it would is shown on small
# libraries. Sizes are compared by libgc_symbols.sh, types by headers.sh: Debian's library has no debugging
# information that would tell abidiff of them. Skipped where either is not installed. LIBGC_REFERENCE_LIBRARY names another
# one to compare with, a later release's.
set -u
reference=${LIBGC_REFERENCE_LIBRARY-/usr/lib/$(gcc -print-multiarch)/libgc.so.1}
if ! command -v abidiff >/dev/null || [ ! -e "$reference" ]; then
    echo "skipped: abidiff or Debian's libgc1 is not installed"
    [ "${TITHE_REQUIRE_PROGRAMS-}" ] && exit 1
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Without what only one of the two has of debugging information.
bare() { objcopy --strip-debug "$1" "$work/$2.so"; }

# is_kept REFERENCE OURS: the bits of abidiff's status that tell of a change; added symbols are none.
is_kept() { abidiff --no-added-syms "$1" "$2" >"$work/said" 2>&1; }

# must_differ REFERENCE-SOURCE OURS-SOURCE
must_differ() {
    echo "$1" | gcc -x c -shared -fPIC -o "$work/one.so" -
    echo "$2" | gcc -x c -shared -fPIC -o "$work/other.so" -
    is_kept "$work/one.so" "$work/other.so" || return
    echo "FAIL self-test: no difference between $1 and $2"
    exit 1
}

must_differ 'int GC_one, GC_two;' 'int GC_one;'
must_differ 'void GC_f(void) {}' 'void GC_g(void) {}'
bare "$reference" reference
bare "$TITHE_BUILD/.libs/libgc.so.1" ours
if ! is_kept "$work/reference.so" "$work/ours.so"; then
    cat "$work/said"
    echo "FAIL: not what $reference has"
    exit 1
fi
echo "ok: all of $reference"
