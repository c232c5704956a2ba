/* mprotect, madvise, mmap and munmap on memory that came from malloc: guard pages of stacks that a
 * program cut out of a block, code that it made read-only, buffers of devices, maps of its own over
 * parts of a block.
 *
 * A marker that read such memory would crash, and so would whoever cleared it. So it is told to
 * heap/closed.h before the kernel is asked, and where markers may just be reading it the caller
 * waits for the end of the mark, at work on it. A hole in the heap would be given
 * to whoever maps next, and be taken from him when the block is freed; there is a map without
 * access in its place.
 */
#include "protect.h"

#include "real.h"

#include "altstack.h"
#include "cycle/cycle.h"
#include "heap/layout.h"
#include "os/vm.h"
#include "thread/thread.h"

#include <sys/mman.h>

bool protect_concerns(const void *address, size_t bytes) {
    uintptr_t start = (uintptr_t)address;
    return AO_load((volatile AO_t *)&heap.page_spans) != 0 && thread_in_own_process() &&
           start < heap.objects.start + AO_load(&heap.objects.committed) &&
           start + bytes > heap.objects.start;
}

/* Whole pages, as far as they are the heap's. */
static struct closed range_of(const void *address, size_t bytes) {
    size_t page = vm_page_bytes();
    uintptr_t start = (uintptr_t)address & ~(page - 1);
    uintptr_t end = ((uintptr_t)address + bytes + page - 1) & ~(page - 1);
    uintptr_t first = heap.objects.start, last = first + AO_load(&heap.objects.committed);
    return (struct closed){.start = start > first ? start : first, .end = end < last ? end : last};
}

static void pass(void *context) { (void)context; }

/* Whether nothing can read the range any more when the kernel has done it. */
static bool hides(const struct closed *range) {
    return range->kind == CLOSED_PROTECTED ? !(range->protection & PROT_READ)
                                           : range->kind != CLOSED_TO_CHILDREN;
}

/* If there are too many, each mark finds them by itself, as it does those of bare calls. */
void protect_closes(const void *address, size_t bytes, enum closed_kind kind, int protection) {
    struct closed range = range_of(address, bytes);
    range.kind = kind;
    range.protection = protection;
    if (!protect_concerns(address, bytes) || range.start >= range.end)
        return;
    if (closed_tell(range, false) != CLOSED_BEFORE && hides(&range))
        cycle_while_idle(pass, NULL);
}

void protect_opened(const void *address, size_t bytes) {
    struct closed range = range_of(address, bytes);
    if (closed_exist() && protect_concerns(address, bytes) && range.start < range.end)
        closed_tell_open(range.start, range.end);
}

/* Nothing that came there meanwhile is replaced. */
void protect_fill(const void *address, size_t bytes) {
    struct closed range = range_of(address, bytes);
    if (protect_concerns(address, bytes) && range.start < range.end)
        vm_fill(range.start, range.end - range.start);
}

static bool is_open(int protection) {
    return (protection & (PROT_READ | PROT_WRITE)) == (PROT_READ | PROT_WRITE);
}

TITHE_EXPORT int mprotect(void *address, size_t bytes, int protection) {
    bool open = is_open(protection);
    if (!open)
        protect_closes(address, bytes, CLOSED_PROTECTED, protection);
    int result = REAL(mprotect)(address, bytes, protection);
    if (result == 0 && open)
        protect_opened(address, bytes);
    return result;
}

TITHE_EXPORT int pkey_mprotect(void *address, size_t bytes, int protection, int key) {
    bool open = is_open(protection) && key <= 0;
    if (!open)
        protect_closes(address, bytes, key > 0 ? CLOSED_KEYED : CLOSED_PROTECTED, protection);
    int result = REAL(pkey_mprotect)(address, bytes, protection, key);
    if (result == 0 && open)
        protect_opened(address, bytes);
    return result;
}

TITHE_EXPORT int madvise(void *address, size_t bytes, int advice) {
    if (advice == MADV_DONTFORK)
        protect_closes(address, bytes, CLOSED_TO_CHILDREN, 0);
    else if (advice == VM_GUARD_INSTALL)
        protect_closes(address, bytes, CLOSED_GUARDED, 0);
    int result = REAL(madvise)(address, bytes, advice);
    if (result == 0 && (advice == MADV_DOFORK || advice == VM_GUARD_REMOVE))
        protect_opened(address, bytes);
    return result;
}

TITHE_EXPORT void *mmap(void *address, size_t bytes, int protection, int flags, int fd,
                        off_t offset) {
    if ((flags & MAP_FIXED) && !(flags & MAP_FIXED_NOREPLACE))
        protect_closes(address, bytes, CLOSED_REPLACED, protection);
    return REAL(mmap)(address, bytes, protection, flags, fd, offset);
}

ALIAS(mmap64, mmap);

TITHE_EXPORT int munmap(void *address, size_t bytes) {
    altstack_unmaps(address, bytes);
    protect_closes(address, bytes, CLOSED_REPLACED, PROT_NONE);
    int result = REAL(munmap)(address, bytes);
    if (result == 0)
        protect_fill(address, bytes);
    return result;
}
