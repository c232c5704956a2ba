# libtithe.so, to be preloaded, and the command that preloads it.
lib_LTLIBRARIES += libtithe.la
libtithe_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden -ftls-model=initial-exec \
	-fno-builtin-malloc -fno-stack-protector -fexceptions
libtithe_la_LDFLAGS = -module -avoid-version -shared -no-undefined -Wl,-z,now -Wl,-z,nodelete
libtithe_la_LIBADD = libgc/libtithe_api.la libgc/libtithe_dlopen.la libgc/libtithe_core.la
libtithe_la_SOURCES = \
	shim/aio.c shim/linux_aio.h \
	shim/altstack.c shim/altstack.h \
	shim/api.c \
	shim/bare_calls.c shim/bare_calls.h \
	shim/beyond.c shim/beyond.h \
	shim/blocking.c \
	shim/chosen.c shim/chosen.h \
	shim/connect.c \
	shim/deadly.c shim/deadly.h \
	shim/dismiss.c shim/dismiss.h \
	shim/exec.c \
	shim/fork.c shim/fork.h \
	shim/identity.c \
	shim/introspection.c \
	shim/ioctl.c shim/ioctl.h \
	shim/kernel_held.c shim/kernel_held.h \
	shim/leak/chains.c shim/leak/chains.h \
	shim/leak/check.c shim/leak/check.h \
	shim/leak/dead_stacks.c shim/leak/dead_stacks.h \
	shim/leak/collect.c shim/leak/collect.h \
	shim/leak/dangling.c shim/leak/dangling.h \
	shim/leak/depot.c shim/leak/depot.h \
	shim/leak/edges.c shim/leak/edges.h \
	shim/leak/exit.c shim/leak/exit.h \
	shim/leak/head.c shim/leak/head.h \
	shim/leak/links.c shim/leak/links.h \
	shim/leak/listener.c shim/leak/listener.h \
	shim/leak/lost.c shim/leak/lost.h \
	shim/leak/mark_here.c shim/leak/mark_here.h \
	shim/leak/modules.c shim/leak/modules.h \
	shim/leak/fingerprint.c shim/leak/fingerprint.h \
	shim/leak/recall.c shim/leak/recall.h \
	shim/leak/record.c shim/leak/record.h \
	shim/leak/returned.c shim/leak/returned.h \
	shim/leak/rules.c shim/leak/rules.h \
	shim/leak/sanitizer.c \
	shim/leak/search.c shim/leak/search.h \
	shim/leak/stopped.c shim/leak/stopped.h \
	shim/leak/sums.c shim/leak/sums.h \
	shim/leak/trial.c shim/leak/trial.h \
	shim/leak/unwind.c shim/leak/unwind.h \
	shim/leak/writer.c shim/leak/writer.h \
	shim/libc_names.c shim/libc_names.h \
	shim/limits.c \
	shim/malloc.c \
	shim/namespaces.c \
	shim/protect.c shim/protect.h \
	shim/queued.c shim/queued.h \
	shim/real.c shim/real.h \
	shim/remap.c \
	shim/requests.c shim/requests.h \
	shim/ring_registrations.c shim/ring_requests.c shim/ring_walk.c \
	shim/rings.c shim/rings.h \
	shim/sandbox.c shim/sandbox.h \
	shim/signals.c shim/signals.h \
	shim/sleep.c \
	shim/start.c shim/start.h \
	shim/syscall.c \
	shim/transfer.c \
	shim/threads.c shim/threads.h \
	shim/unbroken.c shim/unbroken.h

bin_PROGRAMS += tithe
tithe_SOURCES = shim/tithe.c \
	shim/doctor.c shim/doctor.h \
	shim/leaks.c shim/leaks.h \
	shim/program.c shim/program.h \
	shim/watched.c shim/watched.h \
	shim/report/chain.c shim/report/chain.h \
	shim/report/check_file.c shim/report/check_file.h \
	shim/report/command.c \
	shim/report/dangling.c shim/report/dangling.h \
	shim/report/folded.c \
	shim/report/groups.c shim/report/groups.h \
	shim/report/html.c \
	shim/report/json.c \
	shim/report/options.c \
	shim/report/output.c shim/report/output.h \
	shim/report/pprof.c \
	shim/report/render.h \
	shim/report/report.c shim/report/report.h \
	shim/report/suppressions.c shim/report/suppressions.h \
	shim/report/symbols.c shim/report/symbols.h shim/report/units.c shim/report/units.h \
	shim/report/function_name.c shim/report/function_name.h \
	shim/report/baseline.c shim/report/baseline.h \
	shim/report/own_frames.c shim/report/own_frames.h \
	shim/report/text.c shim/report/text.h \
	shim/report/trial.c
tithe_LDADD = -ldw -lelf -liberty -lz -lm
tithe_CPPFLAGS = $(AM_CPPFLAGS) -DLIBRARY_DIRECTORY='"$(libdir)"' -DTITHE_VERSION='"$(VERSION)"' \
	-DPAGE_DIRECTORY='"$(pkgdatadir)"' -DPAGE_SOURCE='"$(abs_srcdir)/shim/report/page"'
EXTRA_DIST += shim/README.md

pagedir = $(pkgdatadir)
dist_page_DATA = shim/report/page/page.html shim/report/page/flame-graph.js \
	shim/report/page/flame-graph.LICENSE
EXTRA_DIST += shim/report/page/README.md shim/report/README.md shim/leak/README.md
