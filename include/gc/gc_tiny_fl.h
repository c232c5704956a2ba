/* gc_tiny_fl.h: sizes of the smallest objects, as programs with free lists of their own
 * (gc_inline.h) have compiled them in. */
#ifndef GC_TINY_FL_H
#define GC_TINY_FL_H

/* Objects are multiples of this and aligned to it. */
#define GC_GRANULE_BYTES 16
#define GC_GRANULE_WORDS 2

/* Rounded down. */
#define GC_WORDS_TO_GRANULES(n) ((n) / GC_GRANULE_WORDS)

/* A program's lists: that of index i holds objects of GC_RAW_BYTES_FROM_INDEX(i) bytes; the first
 * serves requests of 0 bytes. */
#define GC_TINY_FREELISTS 25
#define GC_RAW_BYTES_FROM_INDEX(i) ((i)*GC_GRANULE_BYTES)

#endif
