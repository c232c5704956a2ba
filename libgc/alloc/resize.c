/* Resizing; see alloc.h. */
#include "alloc/alloc.h"

#include "heap/large.h"
#include "heap/move.h"
#include "heap/object.h"
#include "heap/quarantine.h"
#include "os/log.h"
#include "os/memory.h"
#include "os/vm.h"
#include "thread/thread.h"

#include <string.h>

/* How much another allocator's block holds is unknown, so everything readable comes along. */
static void *resize_foreign(void *object, size_t bytes) {
    void *copy = alloc_fast(bytes);
    if (copy)
        memory_read(copy, (uintptr_t)object, bytes);
    return copy;
}

/* In place when it stays as large as it is or nearly; small ones only move when the size class that
 * fits is below half of what they have. */
static bool fits_in_place(size_t old_bytes, size_t bytes) {
    return bytes <= old_bytes && (bytes >= old_bytes / 2 || old_bytes <= 64);
}

static struct object object_at(void *address) {
    struct object object;
    if (!object_find((uintptr_t)address, &object) || object_address(object) != (uintptr_t)address ||
        !object_is_allocated(*object_state(object)))
        log_fatal("realloc of %p, which is not the start of an allocated block", address);
    if (!object.span->closed)
        free_expect_allocated(address, "realloc after free");
    return object;
}

/* With the quarantine, nothing is cut off: somebody may have a pointer to it. Nor where part of it
 * is closed, which is seen to when all of it is freed. */
static bool resize_in_place(struct object object, size_t bytes) {
    if (fits_in_place(object.span->object_bytes, bytes))
        return true;
    if (bytes < object.span->object_bytes && (quarantine_is_on() || object.span->closed))
        return false;
    return span_is_large(object.span) && bytes > SIZES_LARGEST_SMALL && bytes <= PTRDIFF_MAX &&
           large_resize(object.span, bytes);
}

bool alloc_resize_in_place(void *address, size_t bytes) {
    return heap_contains((uintptr_t)address) && resize_in_place(object_at(address), bytes);
}

void *alloc_copy(void *old, size_t old_bytes, size_t bytes, enum object_kind kind) {
    size_t kept = old_bytes < bytes ? old_bytes : bytes;
    void *copy;
    if (kept <= SIZES_LARGEST_SMALL) {
        copy = kind == OBJECT_SCANNED ? alloc_fast(bytes) : alloc_slow(bytes, kind);
        return copy ? memcpy(copy, old, kept) : NULL;
    }
    bool asks = thread_in_own_process(), sparse = move_is_sparse(old, kept, asks);
    copy = sparse ? alloc_cleared(bytes, kind) : alloc_slow(bytes, kind);
    if (copy)
        move_contents((struct move){copy, old, kept, sparse, asks, !quarantine_is_on()});
    return copy;
}

/* Of an object to which the program has no access everywhere: what cannot be read reads as zero. */
static void *copy_closed(struct object object, size_t bytes) {
    size_t page = vm_page_bytes(), kept = object.span->object_bytes;
    uintptr_t from = object_address(object);
    char *copy = alloc_cleared(bytes, object.span->kind);
    if (kept > bytes)
        kept = bytes;
    for (size_t at = 0; copy && at < kept; at = ((from + at) & ~(page - 1)) + page - from)
        at += memory_read(copy + at, from + at, kept - at);
    return copy;
}

void *alloc_resize(void *address, size_t bytes) {
    if (!heap_contains((uintptr_t)address))
        return resize_foreign(address, bytes);
    struct object object = object_at(address);
    if (resize_in_place(object, bytes))
        return address;
    void *copy = __builtin_expect(object.span->closed, 0)
                     ? copy_closed(object, bytes)
                     : alloc_copy(address, object.span->object_bytes, bytes, object.span->kind);
    if (copy)
        free_fast(address);
    return copy;
}
