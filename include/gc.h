/* gc.h: the place programs include by <gc.h>; the interface itself is <gc/gc.h>. */
#include <gc/gc.h>
