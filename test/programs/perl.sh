#!/usr/bin/env bash
# Perl: hashes, closures, regular expressions, sorting, weak references and destructors, interpreter threads,
# forks, pipes, sockets. Every section's result is exact.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
require perl

serve perl "$workloads/perl.pl" >answers
expect_file "$workloads/perl.expected" answers
