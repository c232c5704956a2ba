# libcord. The release number is that of bdwgc 8.2's other libraries.
lib_LTLIBRARIES += libcord.la

libcord_la_SOURCES = \
	cord/append.c cord/append.h \
	cord/arguments.c cord/arguments.h \
	cord/characters.c \
	cord/compare.c \
	cord/concatenate.c \
	cord/dump.c \
	cord/file.c cord/file.h \
	cord/format.c cord/format.h \
	cord/function.c \
	cord/iterate.c \
	cord/join.c cord/join.h \
	cord/position.c cord/position.h \
	cord/print.c \
	cord/search.c \
	cord/substring.c \
	cord/tree.c cord/tree.h
libcord_la_CPPFLAGS = -I$(srcdir) $(AM_CPPFLAGS) -DCORD_BUILD
libcord_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden
libcord_la_LDFLAGS = -no-undefined -version-info 6:0:5
libcord_la_LIBADD = libgc.la

EXTRA_DIST += cord/README.md
