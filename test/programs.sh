#!/bin/bash
# Debian's programs, unchanged, under the collector: as users would run them, and with a collection
# forced every 256 KiB of allocation, which is where wrong roots show, and with freed blocks
# reused only when nothing points to them, which is where use after free shows. TITHE_TEST_RUNS
# repeats them.
set -eu
run=$(dirname "$0")/programs/run
library=$TITHE_BUILD/.libs/libtithe.so
runs=${TITHE_TEST_RUNS:-1}

"$run" --library "$library" --runs "$runs"
"$run" --library "$library" --runs "$runs" --options gc_every=256K --timeout 300
"$run" --library "$library" --runs "$runs" --options quarantine=on --timeout 300
