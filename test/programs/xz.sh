#!/usr/bin/env bash
# xz on two threads, 30 MB in many small blocks, both ways. What one side compresses the other must
# decompress, and the compressed files must be the same too.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
require xz

{
    seq 1 7 14000000
    random_numbers 1000000 4242
} >data

xz -T2 -1 --block-size=512KiB --stdout data >native.xz
serve xz -T2 -1 --block-size=512KiB --stdout data >served.xz
cmp native.xz served.xz
serve xz -T2 --decompress --stdout native.xz | cmp - data
serve xz --test served.xz
head -c 4000000 data | serve xz -T2 -6e --block-size=256KiB | serve xz -T1 --decompress | cmp - <(head -c 4000000 data)
