/* gc_typed.h: objects whose pointers are known by position, so that nothing else in them keeps
 * anything alive.
 *
 * Bitmaps are arrays of words, one bit for each word of the object, the lowest first: set if that
 * word may be a pointer.
 *
 *     GC_word map[GC_BITMAP_SIZE(struct node)] = {0};
 *     GC_set_bit(map, GC_WORD_OFFSET(struct node, next));
 *     GC_descr descr = GC_make_descriptor(map, GC_WORD_LEN(struct node));
 */
#ifndef GC_TYPED_H
#define GC_TYPED_H

#include "gc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef GC_word *GC_bitmap;

#define GC_WORDSZ (8 * sizeof(GC_word))
#define GC_get_bit(bm, index) (((bm)[(index) / GC_WORDSZ] >> ((index) % GC_WORDSZ)) & 1)
#define GC_set_bit(bm, index) ((bm)[(index) / GC_WORDSZ] |= (GC_word)1 << ((index) % GC_WORDSZ))

/* In words: the position of field f in type t, the type's size, and the size of its bitmap. */
#define GC_WORD_OFFSET(t, f) (offsetof(t, f) / sizeof(GC_word))
#define GC_WORD_LEN(t) (sizeof(t) / sizeof(GC_word))
#define GC_BITMAP_SIZE(t) ((GC_WORD_LEN(t) + GC_WORDSZ - 1) / GC_WORDSZ)

/* What a bitmap becomes; encoded as in gc_mark.h. */
typedef GC_word GC_descr;

/* A descriptor for objects of this many words. They are kept for ever: make one a type. Where
 * memory is wanting, one by which everything may be a pointer. */
GC_API GC_descr GC_make_descriptor(const GC_word * /* bitmap */, size_t /* words */);

/* As GC_malloc and GC_malloc_ignore_off_page, scanned as the descriptor says. What GC_realloc makes
 * of the object is scanned whole. */
GC_API void *GC_malloc_explicitly_typed(size_t, GC_descr) GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);
GC_API void *GC_malloc_explicitly_typed_ignore_off_page(size_t, GC_descr)
    GC_ATTR_MALLOC GC_ATTR_ALLOC_SIZE(1);

/* An array of elements of this size, each as the descriptor says; NULL where the product is too
 * large. */
GC_API void *GC_calloc_explicitly_typed(size_t /* elements */, size_t /* bytes */, GC_descr)
    GC_ATTR_MALLOC GC_ATTR_CALLOC_SIZE(1, 2);

/* The same in two steps, the first of which is done once for all arrays of that many such elements.
 * It returns 0 where there can be none, and then the second NULL. (8.3) */
#define GC_CALLOC_TYPED_DESCR_WORDS 8
#define GC_CALLOC_TYPED_DESCR_PTRS 1
struct GC_calloc_typed_descr_s {
    GC_word opaque[GC_CALLOC_TYPED_DESCR_WORDS - GC_CALLOC_TYPED_DESCR_PTRS];
    void *opaque_p[GC_CALLOC_TYPED_DESCR_PTRS];
};
GC_API int GC_calloc_prepare_explicitly_typed(struct GC_calloc_typed_descr_s *,
                                              size_t /* sizeof *it */, size_t /* elements */,
                                              size_t /* bytes */, GC_descr);
GC_API void *GC_calloc_do_explicitly_typed(const struct GC_calloc_typed_descr_s *,
                                           size_t /* sizeof *it */) GC_ATTR_MALLOC;

/* Under GC_DEBUG call sites are remembered and descriptors are not. */
#ifdef GC_DEBUG
#define GC_MALLOC_EXPLICITLY_TYPED(bytes, d) ((void)(d), GC_MALLOC(bytes))
#define GC_CALLOC_EXPLICITLY_TYPED(n, bytes, d) ((void)(d), GC_MALLOC((n) * (bytes)))
#else
#define GC_MALLOC_EXPLICITLY_TYPED(bytes, d) GC_malloc_explicitly_typed(bytes, d)
#define GC_CALLOC_EXPLICITLY_TYPED(n, bytes, d) GC_calloc_explicitly_typed(n, bytes, d)
#endif

#ifdef __cplusplus
}
#endif

#endif
