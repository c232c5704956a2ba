# Tests. NAME_test are libcheck suites of one room each, linked with the collector; what ends in
# .preload is a program that tithe runs; what ends in .sh is a script. make check runs them all.
EXTRA_DIST += test/README.md test/suite.h test/witness.h test/leaker.sh test/command.sh test/storms.sh \
	test/programs.sh test/programs test/models.sh test/models/README.md test/models/assist.pml \
	test/models/stop.pml

TEST_EXTENSIONS = .preload .sh
PRELOAD_LOG_COMPILER = ./tithe
AM_PRELOAD_LOG_FLAGS = run --quiet
AM_TESTS_ENVIRONMENT = \
	ROOTS_LIBRARY=$(abs_builddir)/test/.libs/roots_library.so; export ROOTS_LIBRARY; \
	GOROUTINE_LIBRARY=$(abs_builddir)/test/.libs/goroutine_library.so; export GOROUTINE_LIBRARY; \
	HAZARDS_LIBRARY=$(abs_builddir)/test/.libs/shim_hazards_library.so; export HAZARDS_LIBRARY; \
	LIBGC_ROOTS_LIBRARY=$(abs_builddir)/test/libgc/.libs/roots_library.so; export LIBGC_ROOTS_LIBRARY; \
	TITHE_BUILD=$(abs_builddir); export TITHE_BUILD;

check_PROGRAMS += test/small_memory
test_small_memory_CFLAGS = $(AM_CFLAGS) -fno-builtin
test_small_memory_LDADD = -lpthread
EXTRA_DIST += test/small_memory.sh
TESTS += test/small_memory.sh

check_PROGRAMS += test/leaker test/stress.preload test/libgc_hidden.preload
test_libgc_hidden_preload_SOURCES = test/libgc_hidden.c
test_libgc_hidden_preload_LDADD = libgc.la
test_stress_preload_SOURCES = test/stress.c
test_stress_preload_LDADD = -lpthread
EXTRA_DIST += test/readme.sh test/readme.py test/headers.sh test/headers/compare.py test/headers/calls.c test/headers/classes.cc test/headers/cords.c
EXTRA_DIST += test/libgc_symbols.sh test/libgc_abi.sh test/libgc_install.sh test/install \
	test/libgc_programs.sh test/libgc-programs
TESTS += test/leaker.sh test/command.sh test/headers.sh test/libgc_symbols.sh test/libgc_abi.sh test/libgc_install.sh test/storms.sh test/faults.sh test/fuzz.sh test/documented.sh test/readme.sh test/stress.preload test/libgc_hidden.preload test/programs.sh test/libgc_programs.sh test/models.sh

if HAVE_SECCOMP
check_PROGRAMS += test/filtered
test_filtered_SOURCES = test/filtered.c
test_filtered_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)
test_filtered_LDADD = $(SECCOMP_LIBS)
endif
# Languages that keep addresses as their own integers: a library of blocks for each.
check_PROGRAMS += test/runtimes/plugin
test_runtimes_plugin_SOURCES = test/runtimes/plugin.c
test_runtimes_plugin_LDADD = -lpthread -ldl
runtimes_ldflags = -module -avoid-version -shared -rpath /nowhere
check_LTLIBRARIES += test/runtimes/blocks.la test/runtimes/lua.la test/runtimes/node.la \
	test/runtimes/python.la
test_runtimes_blocks_la_SOURCES = test/runtimes/blocks.c test/runtimes/blocks.h
test_runtimes_blocks_la_LDFLAGS = $(runtimes_ldflags)
test_runtimes_lua_la_SOURCES = test/runtimes/blocks.c test/runtimes/lua.c
test_runtimes_lua_la_LDFLAGS = $(runtimes_ldflags)
test_runtimes_node_la_SOURCES = test/runtimes/blocks.c test/runtimes/node.c
test_runtimes_node_la_LDFLAGS = $(runtimes_ldflags)
test_runtimes_python_la_SOURCES = test/runtimes/python.c
test_runtimes_python_la_LDFLAGS = $(runtimes_ldflags)
test_runtimes_python_la_LIBADD = -ldl
if HAVE_EMACS
check_LTLIBRARIES += test/runtimes/emacs.la
test_runtimes_emacs_la_SOURCES = test/runtimes/blocks.c test/runtimes/emacs.c
test_runtimes_emacs_la_LDFLAGS = $(runtimes_ldflags)
endif
EXTRA_DIST += test/runtimes.sh test/runtimes/blocks.py test/runtimes/blocks.rb test/runtimes/blocks.lua \
	test/runtimes/blocks.scm test/runtimes/blocks.cjs test/runtimes/blocks.el
TESTS += test/runtimes.sh

EXTRA_DIST += test/filters.sh test/protocols.sh
check_PROGRAMS += test/swapped_maps.preload
test_swapped_maps_preload_SOURCES = test/swapped_maps.c
TESTS += test/swapped_maps.preload
TESTS += test/filters.sh test/protocols.sh

check_PROGRAMS += test/core/aborting
test_core_aborting_SOURCES = test/core/aborting.c
test_core_aborting_CFLAGS = $(AM_CFLAGS) -g -fno-builtin
EXTRA_DIST += test/core.sh
TESTS += test/core.sh

check_PROGRAMS += test/storms/moving test/storms/coming test/storms/mapping test/storms/slots
test_storms_slots_SOURCES = test/storms/slots.c test/storms/storm.h
test_storms_slots_LDADD = -lpthread
test_storms_moving_SOURCES = test/storms/moving.c test/storms/storm.h
test_storms_moving_LDADD = -lpthread
test_storms_coming_SOURCES = test/storms/coming.c test/storms/storm.h
test_storms_coming_LDADD = -lpthread -ldl
test_storms_mapping_SOURCES = test/storms/mapping.c test/storms/storm.h
test_storms_mapping_LDADD = -lpthread

check_LTLIBRARIES += test/storms/library.la
test_storms_library_la_SOURCES = test/storms/library.c
test_storms_library_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere

# System calls of ours that fail, and what they must not spoil.
check_PROGRAMS += test/faults/cases
test_faults_cases_SOURCES = test/faults/cases.c test/storms/storm.h
test_faults_cases_LDADD = -lpthread -ldl
EXTRA_DIST += test/faults.sh test/faults/sweep.py

# Fuzzers, which the script compiles.
EXTRA_DIST += test/fuzz.sh test/fuzz test/nightly.sh test/debian13.sh test/documented.sh

# Leak hunting: a corpus of programs that lose memory and programs that do not.
check_PROGRAMS += test/leaks/corpus/corpus
test_leaks_corpus_corpus_SOURCES = test/leaks/corpus/corpus.h test/leaks/corpus/main.c \
	test/leaks/corpus/blocks.c test/leaks/corpus/threads.c test/leaks/corpus/memory.c \
	test/leaks/corpus/processes.c test/leaks/corpus/clean.c test/leaks/corpus/classes.cc
test_leaks_corpus_corpus_CFLAGS = $(AM_CFLAGS) -fno-builtin
test_leaks_corpus_corpus_CXXFLAGS = -Wall -Wextra $(WERROR) -fno-builtin
test_leaks_corpus_corpus_LDADD = -lpthread -ldl -lrt
check_PROGRAMS += test/leaks/corpus/frames
test_leaks_corpus_frames_SOURCES = test/leaks/corpus/frames.c test/leaks/corpus/corpus.h
test_leaks_corpus_frames_CFLAGS = $(AM_CFLAGS) -O0 -fno-builtin -Wno-unused-but-set-variable
check_LTLIBRARIES += test/leaks/corpus/library.la
test_leaks_corpus_library_la_SOURCES = test/leaks/corpus/library.c
test_leaks_corpus_library_la_CFLAGS = $(AM_CFLAGS) -fno-builtin
test_leaks_corpus_library_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
check_PROGRAMS += test/leaks/report
test_leaks_report_SOURCES = test/leaks/report.c
test_leaks_report_CFLAGS = $(AM_CFLAGS) -g -fno-optimize-sibling-calls
check_PROGRAMS += test/leaks/server test/leaks/dangling test/leaks/churn test/leaks/naps test/leaks/ends
test_leaks_ends_SOURCES = test/leaks/ends.c
test_leaks_ends_CFLAGS = $(AM_CFLAGS) -g -fno-builtin -Wno-infinite-recursion
test_leaks_ends_LDFLAGS = -Wl,-z,now # binding a name leaves registers on the stack
test_leaks_ends_LDADD = -lpthread
test_leaks_server_SOURCES = test/leaks/server.c
test_leaks_server_LDADD = -lpthread
test_leaks_server_CFLAGS = $(AM_CFLAGS) -g -fno-builtin -fno-optimize-sibling-calls
test_leaks_churn_SOURCES = test/leaks/churn.c
test_leaks_churn_LDADD = -lpthread
test_leaks_churn_CFLAGS = $(AM_CFLAGS) -g -fno-builtin
test_leaks_naps_SOURCES = test/leaks/naps.c
test_leaks_dangling_SOURCES = test/leaks/dangling.c
test_leaks_dangling_CFLAGS = $(AM_CFLAGS) -g -fno-builtin -fno-optimize-sibling-calls
EXTRA_DIST += test/leaks.sh test/leaks_symbols.sh test/leaks/symbols/chain.c test/leaks/symbols/lambdas.cc test/leaks/symbols/containers.cc \
	test/leaks/symbols/assembled.S test/leaks_report.sh test/leaks_ends.sh test/leaks/ends.py test/leaks/README.md test/leaks/corpus.py \
	test/leaks/report.py test/leaks_page.sh test/leaks/page.py test/leaks_programs.sh test/leaks/programs.py doc/leaks.schema.json doc/leaks-page.png
TESTS += test/leaks.sh test/leaks_symbols.sh test/leaks_report.sh test/leaks_ends.sh test/leaks_page.sh test/leaks_programs.sh

# Trials: programs that hide their pointers, and programs that do not.
check_PROGRAMS += test/trial/hidden
test_trial_hidden_SOURCES = test/trial/hidden.c
test_trial_hidden_CFLAGS = $(AM_CFLAGS) -g -fno-builtin -fno-optimize-sibling-calls -Wno-unused-result
test_trial_hidden_LDADD = -lpthread
EXTRA_DIST += test/trial.sh test/trial_programs.sh
TESTS += test/trial.sh

if HAVE_CHECK
room_suites = test/os_test test/sizes_test test/heap_test test/thread_test test/cycle_test test/assist_test \
	test/cord_test test/quarantine_test test/faults_test test/limits_test test/evidence_test \
	test/scale_test test/stretches_test
preload_suites = test/roots.preload test/shim_test.preload test/shim_hazards_test.preload \
	test/rings_test.preload test/kernel_held_test.preload \
	test/workers_test.preload test/fork_test.preload test/closed_memory_test.preload \
	test/recovery_test.preload
preload_suites += test/double_free_test.preload test/section_test.preload test/bare_waits_test.preload
preload_suites += test/identity_test.preload test/hazards_test.preload
preload_suites += test/lookalikes.preload test/filter_threads_test.preload
if HAVE_RANKS
room_suites += test/ranks_test
endif
check_PROGRAMS += $(room_suites) $(preload_suites)
TESTS += $(room_suites) $(preload_suites)

suite_cflags = $(AM_CFLAGS) $(CHECK_CFLAGS)
suite_libs = libgc/libtithe_core.la $(CHECK_LIBS) -lpthread
test_cord_test_SOURCES = test/cord_test.c test/cord/texts.h test/cord/files.c test/cord/printing.c \
	test/cord/random.c
test_cord_test_CFLAGS = $(suite_cflags) -I$(srcdir)/test
test_cord_test_LDADD = libcord.la libgc.la $(CHECK_LIBS) -lpthread -lm
test_os_test_CFLAGS = $(suite_cflags)
test_os_test_LDADD = $(suite_libs)
test_sizes_test_CFLAGS = $(suite_cflags)
test_sizes_test_LDADD = $(suite_libs)
test_heap_test_CFLAGS = $(suite_cflags)
test_heap_test_LDADD = $(suite_libs)
test_thread_test_CFLAGS = $(suite_cflags)
test_thread_test_LDADD = $(suite_libs)
test_cycle_test_CFLAGS = $(suite_cflags)
test_cycle_test_LDADD = $(suite_libs)
test_assist_test_CFLAGS = $(suite_cflags)
test_assist_test_LDADD = $(suite_libs)
test_faults_test_CFLAGS = $(suite_cflags)
test_faults_test_LDADD = $(suite_libs)
test_evidence_test_CFLAGS = $(suite_cflags)
test_evidence_test_LDADD = $(suite_libs)
test_quarantine_test_CFLAGS = $(suite_cflags)
test_quarantine_test_LDADD = $(suite_libs)
test_stretches_test_CFLAGS = $(suite_cflags)
test_stretches_test_LDADD = $(suite_libs)
test_scale_test_CFLAGS = $(suite_cflags)
test_scale_test_LDADD = $(suite_libs)
test_limits_test_CFLAGS = $(suite_cflags)
test_limits_test_LDADD = $(suite_libs)

test_roots_preload_SOURCES = test/roots.c test/witness.c
test_roots_preload_CFLAGS = $(suite_cflags) -Wno-address
test_roots_preload_LDADD = $(CHECK_LIBS) -ldl -lpthread -lrt
test_lookalikes_preload_SOURCES = test/lookalikes.c test/witness.c
test_lookalikes_preload_CFLAGS = $(suite_cflags) -Wno-address
test_lookalikes_preload_LDADD = $(CHECK_LIBS) -ldl -lpthread
test_shim_test_preload_SOURCES = test/shim_test.c
test_shim_test_preload_CFLAGS = $(suite_cflags) -Wno-address
test_shim_test_preload_LDADD = $(CHECK_LIBS) -ldl -lpthread -lrt

test_ranks_test_CFLAGS = $(suite_cflags)
test_ranks_test_LDADD = $(suite_libs)
test_bare_waits_test_preload_SOURCES = test/bare_waits_test.c
test_bare_waits_test_preload_CFLAGS = $(suite_cflags)
test_bare_waits_test_preload_LDADD = $(CHECK_LIBS) -lpthread
test_section_test_preload_SOURCES = test/section_test.c
test_section_test_preload_CFLAGS = $(suite_cflags) -fno-builtin
test_section_test_preload_LDADD = $(CHECK_LIBS) -lpthread -lrt

test_double_free_test_preload_SOURCES = test/double_free_test.c
test_double_free_test_preload_CFLAGS = $(suite_cflags) -fno-builtin
test_double_free_test_preload_LDADD = $(CHECK_LIBS) -lpthread -lrt

preload_suites += test/sparse_test.preload
test_sparse_test_preload_SOURCES = test/sparse_test.c
test_sparse_test_preload_CFLAGS = $(suite_cflags) -fno-builtin
test_sparse_test_preload_LDADD = $(CHECK_LIBS) -lpthread -lrt

test_filter_threads_test_preload_SOURCES = test/filter_threads_test.c
test_filter_threads_test_preload_CFLAGS = $(suite_cflags)
test_filter_threads_test_preload_LDADD = $(CHECK_LIBS) -lpthread
test_shim_hazards_test_preload_SOURCES = test/shim_hazards_test.c
test_shim_hazards_test_preload_CFLAGS = $(suite_cflags) -Wno-address
test_shim_hazards_test_preload_LDADD = $(CHECK_LIBS) -ldl -lpthread -lrt

test_fork_test_preload_SOURCES = test/fork_test.c
test_fork_test_preload_CFLAGS = $(suite_cflags)
test_fork_test_preload_LDADD = $(CHECK_LIBS) -lpthread

test_hazards_test_preload_SOURCES = test/hazards_test.c
test_hazards_test_preload_CFLAGS = $(suite_cflags) -Wno-address
test_hazards_test_preload_LDADD = $(CHECK_LIBS) -ldl -lpthread
test_identity_test_preload_SOURCES = test/identity_test.c
test_identity_test_preload_CFLAGS = $(suite_cflags)
test_identity_test_preload_LDADD = $(CHECK_LIBS) -lpthread
test_workers_test_preload_SOURCES = test/workers_test.c
test_workers_test_preload_CFLAGS = $(suite_cflags)
test_workers_test_preload_LDADD = $(CHECK_LIBS) -lpthread

test_recovery_test_preload_SOURCES = test/recovery_test.c
test_recovery_test_preload_CFLAGS = $(suite_cflags)
test_recovery_test_preload_LDADD = $(CHECK_LIBS) -lpthread
test_closed_memory_test_preload_SOURCES = test/closed_memory_test.c test/witness.c
test_closed_memory_test_preload_CFLAGS = $(suite_cflags) -Wno-address
test_closed_memory_test_preload_LDADD = $(CHECK_LIBS) -lpthread

test_rings_test_preload_SOURCES = test/rings_test.c test/ring.h test/witness.c
test_rings_test_preload_CFLAGS = $(suite_cflags) -Wno-address
test_rings_test_preload_LDADD = $(CHECK_LIBS) -lpthread

test_kernel_held_test_preload_SOURCES = test/kernel_held_test.c test/ring.h test/witness.c
test_kernel_held_test_preload_CFLAGS = $(suite_cflags) -Wno-address
test_kernel_held_test_preload_LDADD = $(CHECK_LIBS) -lpthread -lrt

# To be dlopened by test/roots.preload and test/shim_hazards_test.preload.
check_LTLIBRARIES += test/roots_library.la test/shim_hazards_library.la
test_shim_hazards_library_la_SOURCES = test/shim_hazards_library.c
test_shim_hazards_library_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
test_roots_library_la_SOURCES = test/roots_library.c
test_roots_library_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
endif

if HAVE_CHECK
signal_suites = test/signal_stacks_test.preload test/signal_frames_test.preload \
	test/stop_signal_test.preload test/full_queue_test.preload \
	test/reach_test.preload
check_PROGRAMS += $(signal_suites)
TESTS += $(signal_suites)
test_signal_stacks_test_preload_SOURCES = test/signal_stacks_test.c
test_signal_stacks_test_preload_CFLAGS = $(suite_cflags) -Wno-address
test_signal_stacks_test_preload_LDADD = $(CHECK_LIBS) -ldl -lpthread
test_stop_signal_test_preload_SOURCES = test/stop_signal_test.c
test_stop_signal_test_preload_CFLAGS = $(suite_cflags) -Wno-address
test_stop_signal_test_preload_LDADD = $(CHECK_LIBS) -lpthread -lrt
test_reach_test_preload_SOURCES = test/reach_test.c
test_reach_test_preload_CFLAGS = $(suite_cflags) -Wno-address
test_reach_test_preload_LDADD = $(CHECK_LIBS) -lpthread
test_full_queue_test_preload_SOURCES = test/full_queue_test.c
test_full_queue_test_preload_CFLAGS = $(suite_cflags) -Wno-address
test_full_queue_test_preload_LDADD = $(CHECK_LIBS) -lpthread
test_signal_frames_test_preload_SOURCES = test/signal_frames_test.c
test_signal_frames_test_preload_CFLAGS = $(suite_cflags) -Wno-address
test_signal_frames_test_preload_LDADD = $(CHECK_LIBS) -lpthread

# To be dlopened by test/signal_stacks_test.preload.
check_LTLIBRARIES += test/goroutine_library.la
test_goroutine_library_la_SOURCES = test/goroutine_library.c
test_goroutine_library_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
endif

include test/libgc/local.mk

if HAVE_CHECK
check-suites:
	$(MAKE) check TESTS="$(room_suites) $(preload_suites) $(signal_suites) $(libgc_suites) test/storms.sh test/stress.preload"
endif
.PHONY: check-suites

CLEANFILES += test/leaks_page.png
