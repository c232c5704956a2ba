#!/bin/sh
# Every case of the corpus of leaks is reported with just what it loses (test/leaks/corpus.py).
exec python3 "$(dirname "$0")/leaks/corpus.py" --tithe "$TITHE_BUILD/tithe" \
    --corpus "$TITHE_BUILD/test/leaks/corpus/corpus" --corpus "$TITHE_BUILD/test/leaks/corpus/frames" \
    --library "$TITHE_BUILD/test/leaks/corpus/.libs/library.so"
