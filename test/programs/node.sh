#!/usr/bin/env bash
# Node.js: worker threads with messages and shared memory, buffers, compression and cryptography on the thread
# pool, JSON, promises, a web server, children. Every section's result is exact.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
require node

serve node --expose-gc "$workloads/node.cjs" >answers
expect_file "$workloads/node.expected" answers
