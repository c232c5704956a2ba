# Static libraries, as Debian's libgc-dev has them. What is no interface stays inside: a library's objects
# become one, in which all other names are local. GC_dlopen is an object of its own, because the linker
# warns of dlopen in a static program. They are made of what the shared ones are made of.
static_libraries = libgc.a libgccpp.a libgctba.a libcord.a
static_objects = libgc/whole.o libgc/dlopen.o cord/whole.o cpp/new.o cpp/throw_bad_alloc.o
CLEANFILES += $(static_libraries) $(static_objects)
EXTRA_DIST += libgc/one-object

one_object = $(AM_V_GEN)$(SHELL) $(srcdir)/libgc/one-object $@
of_c = -- $(CC) $(CFLAGS) $(REAL_OBJECT)
of_cxx = -- $(CXX) $(CXXFLAGS) $(REAL_OBJECT)

libgc/whole.o: $(libgc_la_OBJECTS) libgc/libtithe_api.la libgc/libtithe_core.la
	$(one_object) 'GC_*' $(OBJCOPY) $^ $(of_c)
libgc/dlopen.o: libgc/libtithe_dlopen.la
	$(one_object) 'GC_*' $(OBJCOPY) $^ $(of_c)
cord/whole.o: $(libcord_la_OBJECTS)
	$(one_object) 'CORD_*' $(OBJCOPY) $^ $(of_c)
cpp/new.o: cpp/libgccpp_la-new.lo
	$(one_object) '_Z*' $(OBJCOPY) $^ $(of_cxx)
cpp/throw_bad_alloc.o: cpp/libgctba_la-throw_bad_alloc.lo
	$(one_object) '_Z*' $(OBJCOPY) $^ $(of_cxx)

archive = $(AM_V_AR)rm -f $@ && $(AR) rc $@ $^
libgc.a: libgc/whole.o libgc/dlopen.o
	$(archive)
libgccpp.a: cpp/new.o cpp/throw_bad_alloc.o
	$(archive)
libgctba.a: cpp/throw_bad_alloc.o
	$(archive)
libcord.a: cord/whole.o
	$(archive)

if STATIC_LIBRARIES
staticdir = $(libdir)
static_DATA = $(static_libraries)
endif
