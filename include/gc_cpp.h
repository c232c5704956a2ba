/* gc_cpp.h: the place programs include by <gc_cpp.h>; the classes themselves are in <gc/gc_cpp.h>.
 */
#include <gc/gc_cpp.h>
