// throw_bad_alloc.cc: how the inline functions of gc_cpp.h say that memory is wanting, for programs
// that include it without <new>. In libgccpp, and alone in libgctba for programs that want new to
// stay the C++ library's.
#include <gc/gc_cpp.h>

#include <new>

void GC_throw_bad_alloc() { throw std::bad_alloc(); }
