#!/usr/bin/env bash
# g++ on template-heavy C++ (ranges, variants, coroutines, lists of types), then the program it made, which lives
# from the standard library's containers, exceptions and threads. Every section's result is exact.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
require g++

serve g++ -std=c++20 -O1 -Wall -pthread "$workloads/templates.cc" -o templates
serve ./templates >answers
expect_file "$workloads/templates.expected" answers
