# The collector: one convenience library, hidden symbols, built once for everything that contains it.
noinst_LTLIBRARIES += libgc/libtithe_core.la
libgc_libtithe_core_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden -ftls-model=initial-exec \
	-fno-builtin-malloc -fno-stack-protector
libgc_libtithe_core_la_SOURCES = \
	libgc/os/altstack.S libgc/os/altstack.h \
	libgc/os/clock.h \
	libgc/os/descriptor.c libgc/os/descriptor.h \
	libgc/os/dirty.c libgc/os/dirty.h \
	libgc/os/exports.c libgc/os/exports.h \
	libgc/os/faults.c libgc/os/faults.h \
	libgc/os/file.c libgc/os/file.h \
	libgc/os/groups.c libgc/os/groups.h \
	libgc/os/goroutine.c libgc/os/goroutine.h \
	libgc/os/handler.c libgc/os/handler.h \
	libgc/os/handler_entries.S \
	libgc/os/handler_entry.c libgc/os/handler_entry.h \
	libgc/os/handled.c libgc/os/handled.h libgc/os/seventh.h \
	libgc/os/limits.c libgc/os/limits.h \
	libgc/os/log.c libgc/os/log.h \
	libgc/os/maps.c libgc/os/maps.h \
	libgc/os/memory.c libgc/os/memory.h \
	libgc/os/options.c libgc/os/options.h \
	libgc/os/pagemap.c libgc/os/pagemap.h \
	libgc/os/recovery.c libgc/os/recovery.h \
	libgc/os/park.c libgc/os/park.h \
	libgc/os/permitted.c libgc/os/permitted.h \
	libgc/os/processors.c libgc/os/processors.h \
	libgc/os/ranks.c libgc/os/ranks.h \
	libgc/os/registers.c libgc/os/registers.h \
	libgc/os/resident.c libgc/os/resident.h \
	libgc/os/section.c libgc/os/section.h \
	libgc/os/signal.c libgc/os/signal.h \
	libgc/os/signal_stack.c libgc/os/signal_stack.h \
	libgc/os/syscall.h \
	libgc/os/tasks.c libgc/os/tasks.h \
	libgc/os/vm.c libgc/os/vm.h \
	libgc/os/worker_thread.c libgc/os/worker_thread.h \
	libgc/heap/cache.c libgc/heap/cache.h \
	libgc/heap/closed.c libgc/heap/closed.h \
	libgc/heap/large.c libgc/heap/large.h \
	libgc/heap/layout.c libgc/heap/layout.h \
	libgc/heap/metadata.c libgc/heap/metadata.h \
	libgc/heap/move.c libgc/heap/move.h \
	libgc/heap/notes.c libgc/heap/notes.h \
	libgc/heap/object.c libgc/heap/object.h \
	libgc/heap/pages.c libgc/heap/pages.h \
	libgc/heap/quarantine.c libgc/heap/quarantine.h \
	libgc/heap/runs.c libgc/heap/runs.h \
	libgc/heap/shape.c libgc/heap/shape.h \
	libgc/heap/sizes.c libgc/heap/sizes.h \
	libgc/heap/span.c libgc/heap/span.h \
	libgc/heap/sweep.c libgc/heap/sweep.h \
	libgc/thread/thread.c libgc/thread/thread.h \
	libgc/thread/adopt.c libgc/thread/adopt.h \
	libgc/thread/reach.c libgc/thread/reach.h \
	libgc/thread/world.c libgc/thread/world.h \
	libgc/mark/drain.c libgc/mark/drain.h \
	libgc/mark/evidence.c libgc/mark/evidence.h \
	libgc/mark/jobs.c libgc/mark/jobs.h \
	libgc/mark/queue.c libgc/mark/queue.h \
	libgc/mark/rescan.c libgc/mark/rescan.h \
	libgc/mark/scan.c libgc/mark/scan.h \
	libgc/mark/words.c libgc/mark/words.h libgc/mark/vectors.h \
	libgc/mark/shaped.c libgc/mark/shaped.h \
	libgc/roots/added.c libgc/roots/added.h \
	libgc/roots/heap_pages.c libgc/roots/heap_pages.h \
	libgc/roots/opened.c libgc/roots/opened.h \
	libgc/roots/exceptions.c libgc/roots/exceptions.h \
	libgc/roots/plan.c libgc/roots/plan.h \
	libgc/roots/ranges.c libgc/roots/ranges.h \
	libgc/roots/roots.h \
	libgc/roots/sorting.c libgc/roots/sorting.h \
	libgc/roots/stacks.c libgc/roots/stacks.h \
	libgc/roots/tracked.c libgc/roots/tracked.h \
	libgc/roots/unknown.c libgc/roots/unknown.h \
	libgc/roots/walk.c \
	libgc/cycle/assist.c libgc/cycle/assist.h \
	libgc/cycle/conduct.c libgc/cycle/conduct.h \
	libgc/cycle/credit.c libgc/cycle/credit.h \
	libgc/cycle/cycle.c libgc/cycle/cycle.h libgc/cycle/demand.c libgc/cycle/hold.c \
	libgc/cycle/steps.c libgc/cycle/steps.h libgc/cycle/turns.c libgc/cycle/turns.h \
	libgc/cycle/pace.c libgc/cycle/pace.h \
	libgc/cycle/phase.c libgc/cycle/phase.h \
	libgc/cycle/colours.c libgc/cycle/colours.h \
	libgc/cycle/stop.c libgc/cycle/stop.h \
	libgc/cycle/patience.c libgc/cycle/patience.h \
	libgc/cycle/relax.c libgc/cycle/relax.h \
	libgc/cycle/report.c libgc/cycle/report.h \
	libgc/cycle/verify.c libgc/cycle/verify.h \
	libgc/cycle/worker.c libgc/cycle/worker.h \
	libgc/weak/finalize.c libgc/weak/finalize.h \
	libgc/weak/links.c libgc/weak/links.h \
	libgc/weak/table.c libgc/weak/table.h \
	libgc/alloc/alloc.c libgc/alloc/alloc.h \
	libgc/alloc/free.c libgc/alloc/resize.c
EXTRA_DIST += libgc/os/README.md libgc/heap/README.md libgc/thread/README.md \
	libgc/mark/README.md libgc/roots/README.md libgc/cycle/README.md libgc/alloc/README.md \
	libgc/weak/README.md libgc/api/README.md

# libgc's interface over it. Names that are not GC_* stay inside.
noinst_LTLIBRARIES += libgc/libtithe_api.la
libgc_libtithe_api_la_CFLAGS = $(AM_CFLAGS) -ftls-model=initial-exec -fno-builtin-malloc \
	-fno-stack-protector -fexceptions
libgc_libtithe_api_la_CPPFLAGS = $(AM_CPPFLAGS) -DGC_BUILD -DGC_THREADS -DGC_NO_THREAD_REDIRECTS
libgc_libtithe_api_la_SOURCES = \
	libgc/api/api.h \
	libgc/api/collect.c \
	libgc/api/complain.c \
	libgc/api/damage.c \
	libgc/api/debug.c libgc/api/debug.h \
	libgc/api/disclaim.c \
	libgc/api/dump.c \
	libgc/api/ended.c \
	libgc/api/environment.c \
	libgc/api/events.c \
	libgc/api/exported.c \
	libgc/api/finalization.c \
	libgc/api/init.c \
	libgc/api/kinds.c \
	libgc/api/leak.c \
	libgc/api/malloc.c \
	libgc/api/objects.c \
	libgc/api/pushing.c \
	libgc/api/readers.c \
	libgc/api/libraries.c \
	libgc/api/roots.c \
	libgc/api/sections.c \
	libgc/api/statistics.c \
	libgc/api/threads.c \
	libgc/api/tunables.c \
	libgc/api/typed.c

noinst_LTLIBRARIES += libgc/libtithe_dlopen.la
libgc_libtithe_dlopen_la_CFLAGS = $(libgc_libtithe_api_la_CFLAGS)
libgc_libtithe_dlopen_la_CPPFLAGS = $(libgc_libtithe_api_la_CPPFLAGS)
libgc_libtithe_dlopen_la_SOURCES = libgc/api/dlopen.c

lib_LTLIBRARIES += libgc.la
libgc_la_CFLAGS = $(libgc_libtithe_api_la_CFLAGS)
libgc_la_CPPFLAGS = $(libgc_libtithe_api_la_CPPFLAGS)
libgc_la_SOURCES = libgc/api/library.c
libgc_la_LIBADD = libgc/libtithe_api.la libgc/libtithe_dlopen.la libgc/libtithe_core.la
libgc_la_LDFLAGS = -version-info 6:1:5 -no-undefined -export-symbols-regex '^GC_' \
	-Wl,-z,now -Wl,-z,nodelete
