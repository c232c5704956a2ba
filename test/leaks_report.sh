#!/bin/sh
# What tithe leaks and tithe report print, in every form (test/leaks/report.py).
here=$(dirname "$0")
exec /usr/bin/python3 "$here/leaks/report.py" --tithe "$TITHE_BUILD/tithe" \
    --program "$TITHE_BUILD/test/leaks/report" --schema "$here/../doc/leaks.schema.json"
