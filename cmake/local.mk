# The package that CMake's find_package(BDWgc) finds.
cmakedir = $(libdir)/cmake/bdwgc
cmake_DATA = cmake/BDWgcConfig.cmake cmake/BDWgcConfigVersion.cmake
EXTRA_DIST += cmake/BDWgcConfig.cmake.in cmake/BDWgcConfigVersion.cmake.in
CLEANFILES += $(cmake_DATA)

# The version is that of the headers, the way to which is found from the library's folder.
gc_version = sed -n 's/^.define GC_VERSION_[A-Z]* //p' $(srcdir)/include/gc/gc_version.h | paste -sd.
$(cmake_DATA): $(srcdir)/include/gc/gc_version.h Makefile
$(cmake_DATA): %: %.in
	$(AM_V_GEN)$(MKDIR_P) cmake && sed -e "s,@GC_VERSION@,$$($(gc_version))," \
		-e "s,@INCLUDE_FROM_LIB@,$$(realpath -ms --relative-to='$(libdir)' '$(includedir)')," $< >$@
