#!/bin/bash
# Programs that are linked to libgc, unchanged: on our libgc.so.1 and under the preload they print what
# they print on Debian's. TITHE_TEST_RUNS repeats them.
set -eu
run=$(dirname "$0")/libgc-programs/run
"$run" --libgc "$TITHE_BUILD/.libs" --library "$TITHE_BUILD/.libs/libtithe.so" \
    --runs "${TITHE_TEST_RUNS:-1}"
"$run" --libgc "$TITHE_BUILD/.libs" --library "$TITHE_BUILD/.libs/libtithe.so" \
    --options gc_every=256K --timeout 300 guile guile-threads ecl nix w3m neko crystal
