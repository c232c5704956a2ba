#!/bin/bash
# System calls of the collector's fail, one at a time, and the programs above it must not notice: a part
# of the sweep for some seconds, or with --nightly all of it. The seed that chooses is printed.
# Usage: faults.sh [--nightly] [--seed N] [--only PROGRAM] [--fault FAULT] [--runs N]
set -u
build=${TITHE_BUILD:-$(pwd)}
limit=(--seconds 35)
given=()
for argument; do
    case $argument in
    --nightly | --fault) limit=() ;;
    esac
    [ "$argument" = --nightly ] || given+=("$argument")
done
exec /usr/bin/python3 "$(dirname "$0")/faults/sweep.py" --build "$build" "${limit[@]}" "${given[@]}"
