#!/usr/bin/env bash
# CPython with its own allocator: threads, children, JSON, SQLite, generators, cycles, dictionaries, regular
# expressions, asyncio. Every section's result is exact.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
require /usr/bin/python3

serve /usr/bin/python3 "$workloads/python.py" >answers
expect_file "$workloads/python.expected" answers
