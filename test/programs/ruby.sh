#!/usr/bin/env bash
# Ruby: hashes, strings, threads, thousands of fibers, generators, its own collector, classes made at run time,
# forks, sockets. Every section's result is exact.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
require ruby

serve ruby "$workloads/ruby.rb" >answers
expect_file "$workloads/ruby.expected" answers
