#!/usr/bin/env bash
# Lua: tables, coroutines, strings, closures, its own collector in both modes, finalizers and weak tables, deep
# recursion, children. Every section's result is exact.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
require lua5.4

serve lua5.4 "$workloads/lua.lua" >answers
expect_file "$workloads/lua.expected" answers
