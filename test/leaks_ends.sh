#!/bin/sh
# Whatever ends a program, tithe leaks tells what it lost (test/leaks/ends.py).
here=$(dirname "$0")
exec /usr/bin/python3 "$here/leaks/ends.py" --tithe "$TITHE_BUILD/tithe" \
    --program "$TITHE_BUILD/test/leaks/ends"
