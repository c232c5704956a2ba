#!/usr/bin/env bash
# sort on two threads: a million lines in memory, then with a buffer so small that sorted pieces go through
# temporary files, compressed by children. The results must equal those of the native sort on one thread.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

random_numbers 1000000 99 | awk '{ print $1 % 100000, "name" $1 % 977, $1 }' >lines

LC_ALL=C sort --parallel=1 lines >native
LC_ALL=C serve sort --parallel=2 -S 64M lines >served
cmp native served

head -n 300000 lines >fewer
sort --parallel=1 -k 2,2 -k 1,1nr fewer >native
serve sort --parallel=2 -S 8M --batch-size=4 --compress-program=gzip -T . -k 2,2 -k 1,1nr fewer >served
cmp native served

cut -d ' ' -f 1 fewer | sort --parallel=1 -u -n >native
cut -d ' ' -f 1 fewer | serve sort --parallel=2 -S 4M -u -n >served
cmp native served
