/* Objects that tell where their pointers are: descriptors, and the gcj kind. */
#include "api/api.h"
#include "gc/gc_gcj.h"
#include "gc/gc_typed.h"

#include "alloc/alloc.h"
#include "heap/shape.h"
#include "mark/shaped.h"
#include "weak/table.h"

#include <stdlib.h>
#include <string.h>

enum {
    WORD = sizeof(GC_word),
    WORD_BITS = 64,
    SHORT_MAP_WORDS = 62,
    GCJ_DESCRIPTOR_OFFSET = 8, /* in the table that a gcj object's first word leads to */
    GCJ_BIAS = 16
};

int GC_gcj_kind, GC_gcj_debug_kind;

/* Kinds are numbered when first used. */
static volatile unsigned typed_kind, typed_array_kind;

static unsigned new_kind(GC_word descriptor) {
    return GC_new_kind_inner(GC_new_free_list_inner(), descriptor, 0, 1);
}

static void name_kinds(void) {
    api_start();
    if (AO_int_load_acquire(&typed_array_kind))
        return;
    lock_take(&weak_lock);
    if (typed_array_kind == 0) {
        typed_kind = new_kind(DESCRIPTOR_WHOLE);
        AO_int_store_release(&typed_array_kind, new_kind(DESCRIPTOR_WHOLE));
    }
    lock_give(&weak_lock);
}

static bool bit_of(const GC_word *bits, size_t index) {
    return bits[index / WORD_BITS] >> index % WORD_BITS & 1;
}

static size_t last_pointer_end(const GC_word *bits, size_t words) {
    while (words > 0 && !bit_of(bits, words - 1))
        words--;
    return words;
}

static size_t leading_pointers(const GC_word *bits, size_t words) {
    size_t count = 0;
    while (count < words && bit_of(bits, count))
        count++;
    return count;
}

GC_descr GC_make_descriptor(const GC_word *bits, size_t length) {
    size_t words = last_pointer_end(bits, length);
    name_kinds();
    if (leading_pointers(bits, words) == words)
        return words * WORD;
    if (words > SHORT_MAP_WORDS)
        return shaped_long_map(bits, words);
    GC_word map = 0;
    for (size_t i = 0; i < words; i++)
        map |= (GC_word)bit_of(bits, i) << (WORD_BITS - 1 - i);
    return map | DESCRIPTOR_BITMAP;
}

static void *malloc_shape(size_t bytes, struct shape shape) {
    struct object object;
    size_t whole = api_with_end(bytes);
    void *address = api_before_allocation(whole) ? alloc_cleared(whole, OBJECT_SHAPED) : NULL;
    if (address && object_find((uintptr_t)address, &object))
        object_set_shape(object, shape_number(shape));
    return api_allocated(address, bytes);
}

void *GC_malloc_explicitly_typed(size_t bytes, GC_descr descriptor) {
    name_kinds();
    return malloc_shape(bytes, (struct shape){descriptor, 0, typed_kind});
}

void *GC_malloc_explicitly_typed_ignore_off_page(size_t bytes, GC_descr descriptor) {
    return GC_malloc_explicitly_typed(bytes, descriptor);
}

void *GC_calloc_explicitly_typed(size_t count, size_t element_bytes, GC_descr descriptor) {
    size_t bytes;
    if (__builtin_mul_overflow(count, element_bytes, &bytes))
        bytes = SIZE_MAX;
    name_kinds();
    return malloc_shape(bytes, (struct shape){descriptor, element_bytes, typed_array_kind});
}

/* What an array takes and how it is scanned, found once. */
enum { LAYOUT_BYTES, LAYOUT_ELEMENT, LAYOUT_DESCRIPTOR };

int GC_calloc_prepare_explicitly_typed(struct GC_calloc_typed_descr_s *layout, size_t layout_bytes,
                                       size_t count, size_t element_bytes, GC_descr descriptor) {
    size_t bytes;
    if (layout_bytes < sizeof *layout || __builtin_mul_overflow(count, element_bytes, &bytes)) {
        memset(layout, 0, layout_bytes);
        return 0;
    }
    name_kinds();
    memset(layout, 0, sizeof *layout);
    layout->opaque[LAYOUT_BYTES] = bytes;
    layout->opaque[LAYOUT_ELEMENT] = element_bytes;
    layout->opaque[LAYOUT_DESCRIPTOR] = descriptor;
    layout->opaque_p[0] = layout; /* prepared */
    return 1;
}

void *GC_calloc_do_explicitly_typed(const struct GC_calloc_typed_descr_s *layout,
                                    size_t layout_bytes) {
    if (layout_bytes < sizeof *layout || layout->opaque_p[0] == NULL)
        return NULL;
    return malloc_shape(layout->opaque[LAYOUT_BYTES],
                        (struct shape){layout->opaque[LAYOUT_DESCRIPTOR],
                                       layout->opaque[LAYOUT_ELEMENT], typed_array_kind});
}

static void init_gcj(int index, void *procedure, size_t offset) {
    GC_word descriptor = -(GC_word)(offset + GCJ_BIAS) | DESCRIPTOR_PER_OBJECT;
    if (secure_getenv("GC_IGNORE_GCJ_INFO"))
        descriptor = DESCRIPTOR_WHOLE;
    api_start();
    lock_take(&weak_lock);
    if (GC_gcj_kind == 0) {
        shaped_set_procedure(index, (shaped_procedure)procedure);
        GC_gcj_kind = new_kind(descriptor);
        GC_gcj_debug_kind = new_kind(DESCRIPTOR_WHOLE);
    }
    lock_give(&weak_lock);
}

void GC_init_gcj_malloc(int index, void *procedure) {
    init_gcj(index, procedure, GCJ_DESCRIPTOR_OFFSET);
}

void GC_init_gcj_malloc_mp(unsigned index, GC_mark_proc procedure, size_t offset) {
    init_gcj(index, (void *)procedure, offset);
}

void *GC_gcj_malloc(size_t bytes, void *table) {
    void **object = GC_generic_malloc(bytes, GC_gcj_kind);
    if (object)
        *object = table;
    return object;
}

void *GC_gcj_malloc_ignore_off_page(size_t bytes, void *table) {
    return GC_gcj_malloc(bytes, table);
}
