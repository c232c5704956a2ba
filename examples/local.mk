# Small complete programs that show what tithe does.
EXTRA_PROGRAMS += examples/forgetful
CLEANFILES += examples/forgetful
examples_forgetful_SOURCES = examples/forgetful.c
EXTRA_DIST += examples/README.md

.PHONY: examples
examples: examples/forgetful
