# libgccpp and libgctba. Release numbers and what they export are those of bdwgc 8.2.
lib_LTLIBRARIES += libgccpp.la libgctba.la

libgccpp_la_SOURCES = cpp/new.cc cpp/throw_bad_alloc.cc
libgccpp_la_CPPFLAGS = $(AM_CPPFLAGS) -DGC_BUILD
libgccpp_la_CXXFLAGS = -Wall -Wextra $(WERROR) -fvisibility=hidden
libgccpp_la_LDFLAGS = -no-undefined -version-info 6:0:5
libgccpp_la_LIBADD = libgc.la

libgctba_la_SOURCES = cpp/throw_bad_alloc.cc
libgctba_la_CPPFLAGS = $(AM_CPPFLAGS) -DGC_BUILD
libgctba_la_CXXFLAGS = -Wall -Wextra $(WERROR) -fvisibility=hidden
libgctba_la_LDFLAGS = -no-undefined -version-info 6:0:5

EXTRA_DIST += cpp/README.md
