# libgc's interface: a suite for each theme of gc.h, which must pass on Debian's library as well, and
# probes, whose values on both libraries are in doc/libgc-probes.md.
EXTRA_DIST += test/libgc_coverage.sh test/libgc_preloaded.sh test/libgc_reference.sh test/libgc_probes.sh \
	test/libgc/README.md test/libgc/probes.py test/libgc/captured.h test/libgc/differences.h \
	test/libgc/herd.h test/libgc/later-names doc/libgc-probes.md
TESTS += test/libgc_coverage.sh test/libgc_preloaded.sh test/libgc_reference.sh test/libgc_probes.sh

check_PROGRAMS += test/libgc/probes
test_libgc_probes_SOURCES = test/libgc/probes.h test/libgc/probes.c test/libgc/probes_values.c \
	test/libgc/probes_marking.c test/libgc/probes_life.c test/libgc/probes_threads.c
test_libgc_probes_CFLAGS = $(libgc_suite_cflags)
test_libgc_probes_LDADD = libgc.la -lpthread

# Rewrites the table from what both libraries do; reasons that it has are kept.
.PHONY: libgc-probes-table
libgc-probes-table: test/libgc/probes
	TITHE_BUILD=$(abs_builddir) $(srcdir)/test/libgc_probes.sh --write

# Deprecated functions are called like all others; some are told to do what compilers warn of.
libgc_suite_cflags = $(AM_CFLAGS) $(CHECK_CFLAGS) -I$(srcdir)/test -Wno-deprecated-declarations \
	-Wno-unknown-warning-option \
	-Wno-alloc-size-larger-than
libgc_suite_libs = libgc.la $(CHECK_LIBS) -lpthread -ldl

if HAVE_CHECK
libgc_suites = \
	test/libgc/allocation_test \
	test/libgc/ends_test \
	test/libgc/objects_test \
	test/libgc/collection_test \
	test/libgc/settings_test \
	test/libgc/finalization_test \
	test/libgc/threads_test \
	test/libgc/results_test \
	test/libgc/stacks_test \
	test/libgc/roots_test \
	test/libgc/kinds_test \
	test/libgc/typed_test \
	test/libgc/debugging_test \
	test/libgc/statistics_test \
	test/libgc/messages_test \
	test/libgc/later_test \
	test/libgc/environment_test \
	test/libgc/storm_test \
	test/libgc/variables_test \
	test/libgc/variables_copied_test
check_PROGRAMS += $(libgc_suites)
TESTS += $(libgc_suites)

test_libgc_allocation_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_allocation_test_LDADD = $(libgc_suite_libs)
test_libgc_ends_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_ends_test_LDADD = $(libgc_suite_libs)
test_libgc_objects_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_objects_test_LDADD = $(libgc_suite_libs)
test_libgc_collection_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_collection_test_LDADD = $(libgc_suite_libs)
test_libgc_settings_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_settings_test_LDADD = $(libgc_suite_libs)
test_libgc_finalization_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_finalization_test_LDADD = $(libgc_suite_libs)
test_libgc_threads_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_threads_test_LDADD = $(libgc_suite_libs)
test_libgc_results_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_results_test_LDADD = $(libgc_suite_libs)
test_libgc_stacks_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_stacks_test_LDADD = $(libgc_suite_libs)
test_libgc_roots_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_roots_test_LDADD = $(libgc_suite_libs)
test_libgc_kinds_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_kinds_test_LDADD = $(libgc_suite_libs)
test_libgc_typed_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_typed_test_LDADD = $(libgc_suite_libs)
test_libgc_debugging_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_debugging_test_LDADD = $(libgc_suite_libs)
test_libgc_statistics_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_statistics_test_LDADD = $(libgc_suite_libs)
test_libgc_messages_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_messages_test_LDADD = $(libgc_suite_libs)
test_libgc_later_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_later_test_LDADD = $(libgc_suite_libs)
test_libgc_environment_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_environment_test_LDADD = $(libgc_suite_libs)
test_libgc_storm_test_CFLAGS = $(libgc_suite_cflags)
test_libgc_storm_test_LDADD = $(libgc_suite_libs)

# The same source as position-independent code and as code whose executable copies the variables.
test_libgc_variables_test_CFLAGS = $(libgc_suite_cflags) -fPIC
test_libgc_variables_test_LDADD = $(libgc_suite_libs)
test_libgc_variables_copied_test_SOURCES = test/libgc/variables_test.c
test_libgc_variables_copied_test_CFLAGS = $(libgc_suite_cflags) -fno-pie -DCOPY_RELOCATIONS
test_libgc_variables_copied_test_LDFLAGS = -no-pie
test_libgc_variables_copied_test_LDADD = $(libgc_suite_libs)

# To be loaded by test/libgc/roots_test.
check_LTLIBRARIES += test/libgc/roots_library.la
test_libgc_roots_library_la_SOURCES = test/libgc/roots_library.c
test_libgc_roots_library_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
endif
