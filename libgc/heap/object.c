/* The colours; see object.h. */
#include "heap/object.h"

volatile unsigned char object_black = OBJECT_COLOUR_LOW;

void object_swap_colours(void) { AO_char_store_release(&object_black, object_white()); }
