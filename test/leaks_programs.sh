#!/bin/sh
# Programs of Debian's lose what valgrind says they lose (test/leaks/programs.py).
exec /usr/bin/python3 "$(dirname "$0")/leaks/programs.py" --tithe "$TITHE_BUILD/tithe"
