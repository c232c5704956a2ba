#!/bin/bash
# A program that loses 10 GiB in linked structures stays under 400 MiB of memory when the collector
# serves it; without, a limit of 2 GiB of address space ends it.
set -eu
lost_gib=10
most_mib=400
limit_kib=$((2 * 1024 * 1024))

output=$("$TITHE_BUILD/tithe" run --quiet "$TITHE_BUILD/test/leaker" "$lost_gib")
echo "with tithe: $output"
mib=$(sed -n 's/.*most memory \([0-9]*\) MiB.*/\1/p' <<<"$output")
[ "$mib" -lt "$most_mib" ]

if (ulimit -v $limit_kib && "$TITHE_BUILD/test/leaker" "$lost_gib"); then
    echo "without tithe the leaker did not run out of memory: the test shows nothing"
    exit 1
fi
(ulimit -v $limit_kib && "$TITHE_BUILD/tithe" run --quiet "$TITHE_BUILD/test/leaker" 3)
