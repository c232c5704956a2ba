/* Kinds: libgc's numbers for what objects may hold, the client's own among them, and chains of
 * objects for clients that keep free lists themselves.
 *
 * Kinds 0 to 3 are libgc's: atomic, normal, uncollectable, atomic uncollectable. The first two are
 * kinds of spans; all others are shapes. Under the preload all are shapes, because the plain kind
 * is malloc's: an atomic object may hold the only pointer to a block of malloc's, which libgc would
 * never free (mark/shaped.h). Numbers are given out in order, 16 in all.
 */
#include "api/api.h"

#include "alloc/alloc.h"
#include "heap/metadata.h"
#include "heap/shape.h"
#include "mark/shaped.h"
#include "weak/table.h"

#include <string.h>

enum {
    KINDS_MOST = 16,
    KINDS_BUILT_IN = 4,
    FIRST_CLIENT_PROCEDURE = 10,
    CHAIN_BYTES = 4096,
    CHAIN_MOST = 256
};
enum { KIND_ATOMIC, KIND_NORMAL, KIND_HELD, KIND_ATOMIC_HELD };

/* GC_new_free_list's lists are the client's to keep; ours are never filled. */
enum { FREE_LIST_HEADS = 129 };
static void *atomic_list[FREE_LIST_HEADS], *normal_list[FREE_LIST_HEADS];
static void *held_list[FREE_LIST_HEADS], *atomic_held_list[FREE_LIST_HEADS];
void **const GC_aobjfreelist_ptr = atomic_list;
void **const GC_objfreelist_ptr = normal_list;
void **const GC_uobjfreelist_ptr = held_list;
void **const GC_auobjfreelist_ptr = atomic_held_list;

struct kind {
    GC_word descriptor;
    bool adds_size, clears, held;
    /* The number of its objects' shape, if that is the same for all of them; 0 until somebody has
     * asked. Who did writes it, release; readers acquire, so the shape is there. */
    volatile unsigned short shape;
};

/* Entries are complete before the number is handed out. */
static struct kind kinds[KINDS_MOST] = {
    [KIND_ATOMIC] = {0, false, false, false, 0},
    [KIND_NORMAL] = {0, true, true, false, 0},
    [KIND_HELD] = {DESCRIPTOR_WHOLE, false, true, true, 0},
    [KIND_ATOMIC_HELD] = {0, false, false, true, 0},
};
static unsigned kind_count = KINDS_BUILT_IN;
static unsigned procedure_count = FIRST_CLIENT_PROCEDURE;

static unsigned shape_of(struct object object, unsigned number) {
    struct kind *kind = &kinds[number % KINDS_MOST];
    if (kind->adds_size) {
        GC_word descriptor = kind->descriptor + object.span->object_bytes;
        return shape_number((struct shape){descriptor, 0, number});
    }
    unsigned shape = AO_short_load_acquire(&kind->shape);
    if (shape == 0) {
        shape = shape_number((struct shape){kind->descriptor, 0, number});
        AO_short_store_release(&kind->shape, shape);
    }
    return shape;
}

void kinds_name(struct object object, unsigned number) {
    object_set_shape(object, shape_of(object, number));
}

static void *allocate_shaped(size_t bytes, const struct kind *kind, unsigned number) {
    struct object object;
    void *address = alloc_cleared(bytes, kind->held ? OBJECT_HELD : OBJECT_SHAPED);
    if (address == NULL || !object_find((uintptr_t)address, &object))
        return NULL;
    kinds_name(object, number);
    return address;
}

/* From the calling thread's cache, or NULL: what else an allocation has to see to waits for the
 * next one that finds the cache empty. */
static void *take_held(size_t bytes, unsigned number) {
    struct object object;
    if (bytes > SIZES_LARGEST_SMALL)
        return NULL;
    unsigned size_class = sizes_class(bytes);
    unsigned span_class = sizes_span_class_of(size_class, OBJECT_HELD);
    void *address = cache_pop(&thread_self->cache.bins[span_class]);
    if (address == NULL || !object_find((uintptr_t)address, &object))
        return NULL;
    alloc_clear(address, sizes_bytes(size_class));
    kinds_name(object, number);
    return address;
}

void *GC_malloc_uncollectable(size_t bytes) {
    void *object = take_held(bytes, KIND_HELD);
    return object ? object : GC_generic_malloc(bytes, KIND_HELD);
}

void *GC_malloc_atomic_uncollectable(size_t bytes) {
    void *object = take_held(bytes, KIND_ATOMIC_HELD);
    return object ? object : GC_generic_malloc(bytes, KIND_ATOMIC_HELD);
}

void *kinds_allocate(size_t bytes, unsigned number) {
    if (number == KIND_ATOMIC && api_stands_alone)
        return alloc_slow(bytes, OBJECT_ATOMIC);
    if (number == KIND_NORMAL && api_stands_alone)
        return alloc_cleared(bytes, OBJECT_SCANNED);
    return allocate_shaped(bytes, &kinds[number % KINDS_MOST], number);
}

unsigned kinds_of(struct object object) {
    switch (object.span->kind) {
    case OBJECT_SCANNED:
        return KIND_NORMAL;
    case OBJECT_ATOMIC:
        return KIND_ATOMIC;
    default:
        return object_shape(object).kind;
    }
}

/* With the allocation lock, so it must not begin a collection, which takes that. */
void **GC_new_free_list_inner(void) {
    size_t bytes = FREE_LIST_HEADS * sizeof(void *);
    lock_take(&thread_registry_lock);
    void *list = metadata_take(bytes);
    lock_give(&thread_registry_lock);
    if (list == NULL)
        api_abort("no memory for free lists");
    return memset(list, 0, bytes);
}

void **GC_new_free_list(void) {
    api_start();
    return GC_new_free_list_inner();
}

unsigned GC_new_kind_inner(void **free_list, GC_word descriptor, int adds_size, int clears) {
    (void)free_list;
    if (kind_count == KINDS_MOST)
        api_abort("too many kinds of objects");
    kinds[kind_count] = (struct kind){descriptor, adds_size != 0, clears != 0, false, 0};
    return kind_count++;
}

unsigned GC_new_kind(void **free_list, GC_word descriptor, int adds_size, int clears) {
    api_start();
    lock_take(&weak_lock);
    unsigned number = GC_new_kind_inner(free_list, descriptor, adds_size, clears);
    lock_give(&weak_lock);
    return number;
}

unsigned GC_new_proc_inner(GC_mark_proc procedure) {
    if (procedure_count == SHAPED_PROCEDURES)
        api_abort("too many mark procedures");
    shaped_set_procedure(procedure_count, (shaped_procedure)procedure);
    return procedure_count++;
}

unsigned GC_new_proc(GC_mark_proc procedure) {
    api_start();
    lock_take(&weak_lock);
    unsigned index = GC_new_proc_inner(procedure);
    lock_give(&weak_lock);
    return index;
}

/* What nobody collects needs no pointer to be kept. */
static size_t whole_bytes(size_t bytes, unsigned kind) {
    return kinds[kind % KINDS_MOST].held ? bytes : api_with_end(bytes);
}

void *GC_generic_malloc(size_t bytes, int kind) {
    size_t whole = whole_bytes(bytes, kind);
    void *object = api_before_allocation(whole) ? kinds_allocate(whole, kind) : NULL;
    return api_allocated(object, bytes);
}

void *GC_generic_malloc_ignore_off_page(size_t bytes, int kind) {
    return GC_generic_malloc(bytes, kind);
}

void *GC_generic_malloc_uncollectable(size_t bytes, int kind) {
    if (kind == KIND_ATOMIC || kind == KIND_NORMAL)
        kind = kind == KIND_ATOMIC ? KIND_ATOMIC_HELD : KIND_HELD;
    return GC_generic_malloc(bytes, kind);
}

void *GC_generic_or_special_malloc(size_t bytes, int kind) {
    return GC_generic_malloc(bytes, kind);
}

void *GC_malloc_kind(size_t bytes, int kind) { return GC_generic_malloc(bytes, kind); }
void *GC_malloc_kind_global(size_t bytes, int kind) { return GC_generic_malloc(bytes, kind); }

/* The chain goes through the first words. Until it is whole, this frame keeps the objects: links in
 * atomic ones keep nothing. */
static void *chain_of_any(size_t bytes, int kind) {
    void **objects[CHAIN_MOST];
    size_t room = CHAIN_BYTES / (bytes < SIZES_GRANULE ? SIZES_GRANULE : bytes), count = 0;
    do
        objects[count] =
            api_allocated(api_before_allocation(bytes) ? kinds_allocate(bytes, kind) : NULL, bytes);
    while (objects[count] && ++count < room);
    void *next = NULL;
    while (count-- > 0) {
        *objects[count] = next;
        next = objects[count];
    }
    return next;
}

/* Of so many bytes and no more: who keeps lists of its own adds what it wants. */
void GC_generic_malloc_many(size_t bytes, int kind, void **result) {
    if (kind > KIND_NORMAL || bytes > CHAIN_BYTES / 2 || !api_stands_alone) {
        *result = chain_of_any(bytes, kind);
        return;
    }
    enum object_kind spans = kind == KIND_ATOMIC ? OBJECT_ATOMIC : OBJECT_SCANNED;
    void *chain = api_before_allocation(bytes) ? alloc_chain(bytes, spans, CHAIN_MOST) : NULL;
    *result = api_allocated(chain, bytes);
}

void *GC_malloc_many(size_t bytes) {
    void *chain;
    GC_generic_malloc_many(api_with_end(bytes), KIND_NORMAL, &chain);
    return chain;
}

int GC_get_kind_and_size(const void *address, size_t *bytes) {
    struct object object;
    if (!api_find(address, &object))
        return -1;
    if (bytes)
        *bytes = GC_size(address);
    return kinds_of(object);
}
