/* What gc.h tells about addresses and objects, and the checks it offers to debugging code. */
#include "api/api.h"
#include "gc/gc_inline.h"

#include "alloc/alloc.h"
#include "os/maps.h"
#include "roots/ranges.h"
#include "thread/thread.h"
#include "weak/table.h"

#include <stdio.h>
#include <string.h>

enum { LARGEST_DISPLACEMENT = 4096, CLEARED_STACK_BYTES = 4096 };

static unsigned char displacements[LARGEST_DISPLACEMENT]; /* 1: registered */

bool api_find(const void *address, struct object *object) {
    return object_find((uintptr_t)address, object) && object_is_allocated(*object_state(*object));
}

void *GC_base(void *address) {
    struct object object;
    return api_find(address, &object) ? (void *)object_address(object) : NULL;
}

int GC_is_heap_ptr(const void *address) { return heap_span_of((uintptr_t)address) != NULL; }

/* Who asks may use all of it. */
size_t GC_size(const void *address) {
    struct object object;
    if (!api_find(address, &object))
        return 0;
    sizes_note(object.span->span_class, object.span->object_bytes);
    return object.span->object_bytes;
}

size_t GC_get_size_map_at(int bytes) {
    if (bytes < 0 || bytes >= SIZES_LARGEST_SMALL)
        return SIZE_MAX;
    return sizes_bytes(sizes_class(bytes + api_end_byte));
}

int GC_get_dont_add_byte_at_end(void) {
    api_start();
    return api_end_byte == 0;
}

static void print_different(void *one, void *other) {
    fprintf(stderr, "tithe: %p and %p are not in the same object\n", one, other);
    api_abort("pointers into different objects");
}

static void print_displacement(void *address) {
    fprintf(stderr, "tithe: %p is at no registered displacement of its object\n", address);
    api_abort("pointer with an unregistered displacement");
}

static void print_invisible(void *address) {
    fprintf(stderr, "tithe: %p is nowhere that the collector looks\n", address);
    api_abort("pointer that the collector cannot see");
}

void (*GC_same_obj_print_proc)(void *, void *) = print_different;
void (*GC_is_valid_displacement_print_proc)(void *) = print_displacement;
void (*GC_is_visible_print_proc)(void *) = print_invisible;

#define PRINT_PROC(type, name)                                                                     \
    void GC_set_##name(type function) { GC_##name = function; }                                    \
    type GC_get_##name(void) { return GC_##name; }

PRINT_PROC(GC_same_obj_print_proc_t, same_obj_print_proc)
PRINT_PROC(GC_valid_ptr_print_proc_t, is_valid_displacement_print_proc)
PRINT_PROC(GC_valid_ptr_print_proc_t, is_visible_print_proc)

/* Outside of the heap there are no objects to be the same. */
static bool is_same(const void *one, const void *other) {
    struct object object;
    if (!object_find((uintptr_t)other, &object))
        return GC_is_heap_ptr((void *)one) == 0;
    uintptr_t start = object_address(object);
    return (uintptr_t)one - start <= object.span->object_bytes;
}

void *GC_same_obj(void *one, void *other) {
    api_start();
    if (!is_same(one, other))
        GC_same_obj_print_proc(one, other);
    return one;
}

void *GC_pre_incr(void **pointer, ptrdiff_t distance) {
    char *moved = (char *)*pointer + distance;
    GC_same_obj(moved, *pointer);
    return *pointer = moved;
}

void *GC_post_incr(void **pointer, ptrdiff_t distance) {
    void *before = *pointer;
    GC_pre_incr(pointer, distance);
    return before;
}

void GC_register_displacement(size_t offset) {
    api_start();
    if (offset >= LARGEST_DISPLACEMENT)
        api_abort("GC_register_displacement: offset too large");
    displacements[offset] = 1;
}

/* With interior pointers on, every displacement is valid inside its object. */
void *GC_is_valid_displacement(void *address) {
    struct object object;
    api_start();
    if (!GC_is_heap_ptr(address))
        return address;
    size_t offset = 0;
    bool valid = object_find((uintptr_t)address, &object);
    if (valid)
        offset = (uintptr_t)address - object_address(object);
    if (valid && !GC_all_interior_pointers && offset > 0)
        valid = offset < LARGEST_DISPLACEMENT && displacements[offset];
    if (!valid)
        GC_is_valid_displacement_print_proc(address);
    return address;
}

struct visibility {
    uintptr_t address, stack; /* an address on the calling thread's stack */
    bool visible;
};

static bool is_in(const struct map *map, uintptr_t address) {
    return address - map->start < map->end - map->start;
}

/* Alone we only look at the memory of stacks; data segments and what was added are asked about
 * first. */
static void look_at_map(const struct map *map, void *context) {
    struct visibility *visibility = context;
    if (!is_in(map, visibility->address) || !map->readable || map->kind == MAP_KIND_OTHER)
        return;
    visibility->visible =
        !api_stands_alone || map->kind == MAP_KIND_MAIN_STACK || is_in(map, visibility->stack);
}

static bool is_on_known_stack(uintptr_t address) {
    bool found = false;
    lock_take(&thread_registry_lock);
    for (const struct thread *thread = thread_first(); thread && !found; thread = thread->next)
        found = address - thread->stack_low < thread->stack_high - thread->stack_low;
    lock_give(&thread_registry_lock);
    return found;
}

static bool is_root(void *address) {
    struct visibility visibility = {(uintptr_t)address, (uintptr_t)__builtin_frame_address(0),
                                    false};
    lock_take(&weak_lock);
    bool added = roots_are_added((uintptr_t)address);
    lock_give(&weak_lock);
    if (added || GC_is_tmp_root(address) || is_on_known_stack((uintptr_t)address))
        return true;
    if (maps_open())
        maps_each(look_at_map, &visibility);
    return visibility.visible;
}

/* A pointer on a stack, in a data segment, or in an object that is scanned. */
void *GC_is_visible(void *address) {
    struct object object;
    api_start();
    bool visible = object_find((uintptr_t)address, &object) ? object.span->kind != OBJECT_ATOMIC
                                                            : is_root(address);
    if (!visible)
        GC_is_visible_print_proc(address);
    return address;
}

__attribute__((noinline)) static void clear_frame(void) {
    volatile char frame[CLEARED_STACK_BYTES];
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = 0;
}

void *GC_clear_stack(void *value) {
    clear_frame();
    return value;
}

void GC_noop1(GC_word value);
void GC_noop1(GC_word value) { __asm__ volatile("" : : "r"(value)); }
void GC_noop1_ptr(volatile void *pointer) { __asm__ volatile("" : : "r"(pointer)); }

/* Writes are noticed by the kernel, so nothing has to be told of them. */
void GC_change_stubborn(const void *object) { (void)object; }
void GC_end_stubborn_change(const void *object) { (void)object; }

void GC_ptr_store_and_dirty(void *place, const void *value) {
    *(const void *volatile *)place = value;
    GC_reachable_here(value);
}

void GC_incr_bytes_allocd(size_t bytes);
void GC_incr_bytes_freed(size_t bytes);
void GC_incr_bytes_allocd(size_t bytes) { AO_fetch_and_add(&heap.allocated, bytes); }
void GC_incr_bytes_freed(size_t bytes) {
    statistics_freed(bytes);
    AO_fetch_and_add(&heap.freed, bytes);
}

void GC_print_free_list(int kind, size_t granules) {
    unsigned size_class = sizes_class(granules * SIZES_GRANULE);
    enum object_kind spans = kind == 0                ? OBJECT_ATOMIC
                             : kind == 1              ? OBJECT_SCANNED
                             : kind == 2 || kind == 3 ? OBJECT_HELD
                                                      : OBJECT_SHAPED;
    struct cache_bin bin = thread_current()->cache.bins[sizes_span_class_of(size_class, spans)];
    printf("kind %d, %zu bytes: %u objects in this thread's cache\n", kind, sizes_bytes(size_class),
           bin.count);
    for (unsigned i = 0; i < bin.count; i++)
        printf("%p\n", bin.slots[i]);
}
