# Small complete programs that show what tithe does.
EXTRA_PROGRAMS += examples/forgetful examples/cache examples/guestbook
CLEANFILES += examples/forgetful examples/cache examples/guestbook
examples_forgetful_SOURCES = examples/forgetful.c
examples_cache_SOURCES = examples/cache.c
examples_cache_LDADD = libgc.la
examples_guestbook_SOURCES = examples/guestbook.c
EXTRA_DIST += examples/README.md

.PHONY: examples
examples: examples/forgetful examples/cache examples/guestbook
