#!/bin/sh
# What tithe leaks and tithe report print, in every form (test/leaks/report.py).
here=$(dirname "$0")
exec /usr/bin/python3 "$here/leaks/report.py" --tithe "$TITHE_BUILD/tithe" \
    --programs "$TITHE_BUILD/test/leaks" --schema "$here/../doc/leaks.schema.json"
