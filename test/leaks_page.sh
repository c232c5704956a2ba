#!/bin/sh
# The page of a leak report works in a real browser (test/leaks/page.py).
exec /usr/bin/python3 "$(dirname "$0")/leaks/page.py" --tithe "$TITHE_BUILD/tithe" \
    --screenshot "$TITHE_BUILD/test/leaks_page.png"
