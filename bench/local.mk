# The allocator benchmarks. Not part of "make all": "make bench" builds them and compares the
# allocators; BENCH_OPTIONS goes to bench/side-by-side.

bench_programs = \
	bench/crossfree \
	bench/larson \
	bench/measure \
	bench/realloc \
	bench/smallobjects \
	bench/tree

EXTRA_PROGRAMS += $(bench_programs)
CLEANFILES += $(bench_programs)
EXTRA_DIST += bench/README.md bench/comparison.py bench/results.md bench/side-by-side

bench_crossfree_SOURCES = bench/crossfree.c bench/arguments.h bench/check.h bench/clock.h \
	bench/random.h bench/tagged_block.h
bench_crossfree_LDADD = -lpthread

bench_larson_SOURCES = bench/larson.c bench/arguments.h bench/check.h bench/clock.h \
	bench/random.h bench/tagged_block.h
bench_larson_LDADD = -lpthread

bench_measure_SOURCES = bench/measure.c bench/check.h bench/clock.h
bench_realloc_SOURCES = bench/realloc.c bench/arguments.h bench/check.h bench/clock.h \
	bench/random.h
bench_smallobjects_SOURCES = bench/smallobjects.c bench/arguments.h bench/check.h bench/clock.h
bench_tree_SOURCES = bench/tree.c bench/arguments.h bench/check.h bench/clock.h

.PHONY: bench-programs
bench-programs: $(bench_programs)

# The library comes with "all"; without it the comparison would quietly leave tithe out.
.PHONY: bench
bench: all $(bench_programs)
	$(srcdir)/bench/side-by-side --binaries bench --library .libs/libtithe.so \
		$(BENCH_OPTIONS)
