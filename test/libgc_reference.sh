#!/bin/bash
# The suites of libgc's interface pass on Debian's library, too: what they expect is libgc's
# behaviour and not ours. test/libgc/differences.h lists where it is not. Skipped where Debian's
# library is not installed.
set -u
folder=/usr/lib/$(gcc -print-multiarch)
if [ ! -e "$folder/libgc.so.1" ]; then
    echo "skipped: Debian's libgc1 is not installed"
    exit 77
fi
export LD_LIBRARY_PATH=$folder LIBGC_REFERENCE=1
unset LD_PRELOAD

failed=0
count=0
for suite in "$TITHE_BUILD"/test/libgc/.libs/*_test; do
    [ -x "$suite" ] || continue
    if ! ldd "$suite" | grep -q "libgc.so.1 => $folder/"; then
        echo "FAIL: $suite is not run on Debian's library"
        exit 1
    fi
    count=$((count + 1))
    said=$(timeout 300 "$suite" 2>&1) && continue
    printf 'FAIL: %s\n%s\n' "$suite" "$said"
    failed=1
done
if [ $count = 0 ]; then
    echo "skipped: the suites are not built"
    exit 77
fi
[ $failed = 0 ] && echo "ok: $count suites on $folder/libgc.so.1"
exit $failed
