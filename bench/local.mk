# The allocator benchmarks. Not part of "make all": "make bench" builds them and compares the
# allocators, "make bench-pause" the latencies, "make bench-stops" stops by threads and maps, "make
# bench-overshoot" the heap with its goal, "make bench-leaks" what hunting leaks costs, "make
# bench-libgc" libgc's programs on ours, "make bench-server" much live memory with gc.h;
# BENCH_OPTIONS goes to the script that compares.

bench_programs = \
	bench/crossfree \
	bench/larson \
	bench/measure \
	bench/overshoot \
	bench/pause \
	bench/realloc \
	bench/smallobjects \
	bench/stops \
	bench/tree

# With our headers, linked to the system's libgc: the loader finds one library or the other.
bench_libgc_programs = \
	bench/allocation \
	bench/binary-trees \
	bench/gcbench \
	bench/server

# By its file, because -lgc makes libtool take the libgc.la that it finds in the build's folder.
system_libgc = -l:libgc.so.1

EXTRA_PROGRAMS += $(bench_programs) $(bench_libgc_programs) bench/pause-libgc bench/stops-libgc
CLEANFILES += $(bench_programs) $(bench_libgc_programs) bench/pause-libgc bench/stops-libgc
EXTRA_DIST += bench/README.md bench/leaks.md bench/leaks-cost.md bench/leaks-programs.md bench/overshoot.md bench/libgc.md bench/results.md bench/leaks-side-by-side bench/leaks-workloads/objects.py bench/leaks-workloads/words.pl bench/comparison.py bench/side-by-side \
	bench/pause-side-by-side bench/overshoot-side-by-side bench/libgc-side-by-side bench/server-side-by-side bench/server.md bench/stops-side-by-side bench/stops.md

bench_allocation_SOURCES = bench/allocation.c bench/arguments.h bench/check.h bench/clock.h \
	bench/random.h
bench_allocation_LDADD = $(system_libgc) -lpthread

bench_binary_trees_SOURCES = bench/binary-trees.c bench/arguments.h bench/check.h bench/clock.h
bench_binary_trees_LDADD = $(system_libgc) -lpthread

bench_crossfree_SOURCES = bench/crossfree.c bench/arguments.h bench/check.h bench/clock.h \
	bench/random.h bench/tagged_block.h
bench_crossfree_LDADD = -lpthread

bench_gcbench_SOURCES = bench/gcbench.c bench/arguments.h bench/check.h bench/clock.h
bench_gcbench_LDADD = $(system_libgc)

bench_larson_SOURCES = bench/larson.c bench/arguments.h bench/check.h bench/clock.h \
	bench/random.h bench/tagged_block.h
bench_larson_LDADD = -lpthread

bench_measure_SOURCES = bench/measure.c bench/check.h bench/clock.h
bench_overshoot_SOURCES = bench/overshoot.c bench/arguments.h bench/check.h bench/clock.h \
	bench/random.h bench/tagged_block.h
bench_overshoot_LDADD = -lpthread
bench_pause_SOURCES = bench/pause.c bench/arguments.h bench/check.h bench/clock.h \
	bench/latency.h bench/object_memory.h bench/random.h
bench_pause_LDADD = -lpthread

# With the headers and the library of the system's libgc, never with ours; needs libgc-dev.
bench_pause_libgc_SOURCES = $(bench_pause_SOURCES)
bench_pause_libgc_CPPFLAGS = -D_GNU_SOURCE -DBENCH_LIBGC
bench_pause_libgc_LDADD = $(system_libgc) -lpthread

bench_stops_SOURCES = bench/stops.c bench/arguments.h bench/check.h bench/clock.h bench/object_memory.h
bench_stops_LDADD = -lpthread
bench_stops_libgc_SOURCES = $(bench_stops_SOURCES)
bench_stops_libgc_CPPFLAGS = -D_GNU_SOURCE -DBENCH_LIBGC
bench_stops_libgc_LDADD = $(system_libgc) -lpthread

bench_realloc_SOURCES = bench/realloc.c bench/arguments.h bench/check.h bench/clock.h \
	bench/random.h
bench_server_SOURCES = bench/server.c bench/arguments.h bench/check.h bench/clock.h \
	bench/latency.h bench/random.h
bench_server_LDADD = $(system_libgc) -lpthread
bench_smallobjects_SOURCES = bench/smallobjects.c bench/arguments.h bench/check.h bench/clock.h
bench_tree_SOURCES = bench/tree.c bench/arguments.h bench/check.h bench/clock.h

.PHONY: bench-programs
bench-programs: $(bench_programs)

# The library comes with "all"; without it the comparison would quietly leave tithe out.
.PHONY: bench
bench: all $(bench_programs)
	$(srcdir)/bench/side-by-side --binaries bench --library .libs/libtithe.so \
		$(BENCH_OPTIONS)

.PHONY: bench-pause
bench-pause: all bench/measure bench/pause bench/pause-libgc
	$(srcdir)/bench/pause-side-by-side --binaries bench --library .libs/libtithe.so \
		$(BENCH_OPTIONS)

.PHONY: bench-leaks
bench-leaks: all
	$(srcdir)/bench/leaks-side-by-side --build . $(BENCH_OPTIONS)

.PHONY: bench-libgc
bench-libgc: all bench/measure $(bench_libgc_programs)
	$(srcdir)/bench/libgc-side-by-side --binaries bench --libgc .libs $(BENCH_OPTIONS)

.PHONY: bench-stops
bench-stops: all bench/measure bench/stops bench/stops-libgc
	$(srcdir)/bench/stops-side-by-side --binaries bench --library .libs/libtithe.so \
		$(BENCH_OPTIONS)

.PHONY: bench-overshoot
bench-overshoot: all bench/measure bench/overshoot
	$(srcdir)/bench/overshoot-side-by-side --binaries bench --library .libs/libtithe.so \
		$(BENCH_OPTIONS)

.PHONY: bench-server
bench-server: all bench/measure bench/server
	$(srcdir)/bench/server-side-by-side --binaries bench --libgc .libs $(BENCH_OPTIONS)
