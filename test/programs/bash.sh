#!/usr/bin/env bash
# Bash, and every command it forks: traps that run in the middle of other work, substitutions, arrays, here
# documents, pipelines, jobs waited for one by one. Every section's result is exact.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

serve bash "$workloads/shell.bash" >answers
expect_file "$workloads/shell.expected" answers
