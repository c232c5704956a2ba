#!/usr/bin/env bash
# CPython with every object straight from malloc, so that all it holds is the collector's: the same work and
# the same exact results as python.sh.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
require /usr/bin/python3

serve env PYTHONMALLOC=malloc /usr/bin/python3 "$workloads/python.py" >answers
expect_file "$workloads/python.expected" answers
