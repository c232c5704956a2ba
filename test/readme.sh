#!/bin/sh
# The examples of README.md print what stands there (test/readme.py).
source=$(cd "$(dirname "$0")/.." && pwd)
exec /usr/bin/python3 "$source/test/readme.py" --readme "$source/README.md" --build "$TITHE_BUILD" \
    --source "$source"
