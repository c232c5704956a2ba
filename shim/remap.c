/* mremap: one range may lie over several maps only because of us.
 *
 * The kernel joins a new map with its neighbour, but not when that one is tracked (os/dirty.h), and
 * not after both were written to under different flags. mremap wants a single map, and says EFAULT
 * where natively there would be one. So tracking ends there, which may join the maps; else the
 * range grows at its end, or moves map by map.
 */
#include "protect.h"

#include "real.h"

#include "os/dirty.h"
#include "os/syscall.h"
#include "os/vm.h"
#include "thread/thread.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

static bool remap(uintptr_t from, size_t bytes, size_t new_bytes, int flags, uintptr_t to) {
    return REAL(mremap)((void *)from, bytes, new_bytes, flags, (void *)to) != MAP_FAILED;
}

/* The largest pieces that are single maps, found by halving; the last one grows. Returns how many
 * bytes have moved: all, or less where the kernel refused. */
static size_t move_pieces(uintptr_t from, size_t bytes, size_t growth, uintptr_t to) {
    size_t done = 0, piece = bytes, page = vm_page_bytes();
    while (piece > 0) {
        size_t grows = done + piece == bytes ? growth : 0;
        if (remap(from + done, piece, piece + grows, MREMAP_MAYMOVE | MREMAP_FIXED, to + done)) {
            done += piece;
            piece = bytes - done;
        } else {
            piece = piece / 2 & ~(page - 1);
        }
    }
    return done;
}

static uintptr_t room_for(size_t bytes) {
    void *room = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return room == MAP_FAILED ? 0 : (uintptr_t)room;
}

/* A move that turns out to be impossible is taken back. NULL, if so. */
static void *move(uintptr_t from, size_t bytes, size_t new_bytes, bool fixed, uintptr_t to) {
    size_t kept = bytes < new_bytes ? bytes : new_bytes;
    if (fixed && to < from + bytes && from < to + new_bytes)
        return NULL;
    if (!fixed && (to = room_for(new_bytes)) == 0)
        return NULL;
    size_t done = move_pieces(from, kept, new_bytes - kept, to);
    if (done == kept) {
        if (bytes > kept)
            munmap((void *)(from + kept), bytes - kept);
        return (void *)to;
    }
    move_pieces(to, done, 0, from);
    if (!fixed)
        munmap((void *)to, new_bytes);
    return NULL;
}

/* Asked in passing: nothing is written back yet, but a hole is an error. */
static bool has_no_hole(uintptr_t from, size_t bytes) {
    return system_call(SYS_msync, from, bytes, MS_ASYNC) == 0;
}

static bool grow_in_place(uintptr_t from, size_t bytes, size_t new_bytes) {
    size_t page = vm_page_bytes();
    return new_bytes > bytes && bytes >= page &&
           remap(from + bytes - page, page, page + new_bytes - bytes, 0, 0);
}

/* Natively it would be one map, unless it has a hole. NULL: nothing was changed. */
static void *remap_several(uintptr_t from, size_t bytes, size_t new_bytes, int flags,
                           uintptr_t to) {
    bool fixed = flags & MREMAP_FIXED;
    if ((flags & MREMAP_DONTUNMAP) || !has_no_hole(from, bytes))
        return NULL;
    if (!fixed && grow_in_place(from, bytes, new_bytes))
        return (void *)from;
    return flags & MREMAP_MAYMOVE ? move(from, bytes, new_bytes, fixed, to) : NULL;
}

static void *remap_tracked(void *from, size_t bytes, size_t new_bytes, int flags, void *to) {
    int before = errno;
    uintptr_t start = (uintptr_t)from;
    void *result = REAL(mremap)(from, bytes, new_bytes, flags, to);
    if (result != MAP_FAILED || errno != EFAULT || !thread_in_own_process() ||
        !dirty_untrack(start, start + bytes))
        return result;
    result = REAL(mremap)(from, bytes, new_bytes, flags, to);
    if (result == MAP_FAILED && errno == EFAULT) {
        void *moved = remap_several(start, bytes, new_bytes, flags, (uintptr_t)to);
        result = moved ? moved : MAP_FAILED;
        errno = EFAULT;
    }
    if (result != MAP_FAILED)
        errno = before;
    return result;
}

/* Memory of malloc's that moves away leaves no hole in the heap. */
TITHE_EXPORT void *mremap(void *from, size_t bytes, size_t new_bytes, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    bool placed = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);
    void *to = placed ? va_arg(arguments, void *) : NULL;
    va_end(arguments);
    protect_closes(from, bytes, CLOSED_REPLACED, PROT_NONE);
    if (flags & MREMAP_FIXED)
        protect_closes(to, new_bytes, CLOSED_REPLACED, PROT_NONE);
    char *result = remap_tracked(from, bytes, new_bytes, flags, to);
    if (result != MAP_FAILED) {
        size_t kept = result == from && new_bytes < bytes ? new_bytes : 0;
        if (kept > 0 || result != from)
            protect_fill((char *)from + kept, bytes - kept);
    }
    return result;
}
