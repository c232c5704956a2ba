/* Names that libgc exports and that mean nothing here but to programs which compare symbols, or
 * that a header declares otherwise than the library defines them.
 */
#include <stddef.h>

enum { PRIVATE_STATE_BYTES = 182768, DEBUG_HEADER_BYTES = 32 };

/* libgc's own state, whose layout is nobody's business. */
char GC_arrays[PRIVATE_STATE_BYTES];

/* Read-only, although gc_mark.h does not say so; debug.c checks that it is right. */
extern const size_t GC_debug_header_size;
const size_t GC_debug_header_size = DEBUG_HEADER_BYTES;
