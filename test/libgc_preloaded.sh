#!/bin/bash
# libtithe.so has libgc's interface, too: under the preload the suites run on it. Left out are those
# about what is no root or nobody's heap, since there everything is. Small heaps, as libgc has them,
# so that collections start by themselves.
set -u
export TITHE_OPTIONS=min_heap=512K
failed=0
count=0
for name in allocation ends kinds typed finalization threads results stacks debugging collection statistics messages later environment storm; do
    suite=$TITHE_BUILD/test/libgc/.libs/${name}_test
    [ -x "$suite" ] || continue
    count=$((count + 1))
    said=$(timeout 300 "$TITHE_BUILD/tithe" run --quiet "$suite" 2>&1) && continue
    printf 'FAIL: %s\n%s\n' "$suite" "$said"
    failed=1
done
if [ $count = 0 ]; then
    echo "skipped: the suites are not built"
    exit 77
fi
[ $failed = 0 ] && echo "ok: $count suites under the preload"
exit $failed
