/* Address space over mmap, mprotect and madvise; see vm.h. */
#include "os/vm.h"

#include "os/syscall.h"

#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>

static size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) & ~(unit - 1); }

size_t vm_page_bytes(void) {
    static size_t bytes;
    if (bytes == 0)
        bytes = getauxval(AT_PAGESZ);
    return bytes;
}

enum { SMALL_TABLE_BYTES = 32 << 20 };

static void unmap(uintptr_t start, uintptr_t end) {
    if (start < end)
        system_call(SYS_munmap, start, end - start);
}

bool vm_region_reserve(struct vm_region *region, size_t bytes) {
    bytes = round_up(bytes, vm_page_bytes());
    size_t slack = bytes < VM_HUGE_PAGE_BYTES ? 0 : VM_HUGE_PAGE_BYTES - vm_page_bytes();
    long start = system_call(SYS_mmap, 0, bytes + slack, PROT_NONE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start < 0 && start > -4096)
        return false;
    region->start = slack ? round_up(start, VM_HUGE_PAGE_BYTES) : (uintptr_t)start;
    unmap(start, region->start);
    unmap(region->start + bytes, start + bytes + slack);
    system_call(SYS_madvise, region->start, bytes, MADV_DONTDUMP);
    region->reserved = bytes;
    region->executable = false;
    AO_store_release(&region->committed, 0);
    return true;
}

bool vm_region_commit(struct vm_region *region, size_t bytes, size_t step) {
    size_t have = AO_load(&region->committed);
    if (bytes <= have)
        return true;
    if (bytes > region->reserved)
        return false;
    size_t page = vm_page_bytes();
    int protection = PROT_READ | PROT_WRITE | (region->executable ? PROT_EXEC : 0);
    size_t target = round_up(bytes < have + step ? have + step : bytes, page);
    if (target > region->reserved)
        target = region->reserved;
    if (system_call(SYS_mprotect, region->start + have, target - have, protection)) {
        target = round_up(bytes, page);
        if (system_call(SYS_mprotect, region->start + have, target - have, protection))
            return false;
    }
    system_call(SYS_madvise, region->start + have, target - have, MADV_DODUMP);
    AO_store_release(&region->committed, target);
    return true;
}

bool vm_region_make(struct vm_region *region, size_t bytes) {
    if (!vm_region_reserve(region, bytes))
        return false;
    if (vm_region_commit(region, bytes, 0))
        return true;
    vm_region_end(region);
    return false;
}

bool vm_region_make_executable(struct vm_region *region) {
    size_t committed = AO_load(&region->committed);
    region->executable = true;
    return committed == 0 || system_call(SYS_mprotect, region->start, committed,
                                         PROT_READ | PROT_WRITE | PROT_EXEC) == 0;
}

bool vm_region_commit_table(struct vm_region *region, size_t bytes, size_t step) {
    size_t have = AO_load(&region->committed);
    if (bytes <= have)
        return true;
    if (bytes < SMALL_TABLE_BYTES)
        return vm_region_commit(region, bytes, step);
    uintptr_t end = round_up(region->start + bytes, VM_HUGE_PAGE_BYTES);
    if (!vm_region_commit(region, end - region->start, 0))
        return vm_region_commit(region, bytes, step);
    uintptr_t first = (region->start + have) & ~(uintptr_t)(VM_HUGE_PAGE_BYTES - 1);
    system_call(SYS_madvise, first, end - first, MADV_HUGEPAGE);
    return true;
}

void vm_region_trim(struct vm_region *region, size_t keep) {
    size_t committed = AO_load(&region->committed);
    keep = round_up(keep < committed ? committed : keep, vm_page_bytes());
    if (keep >= region->reserved)
        return;
    if (system_call(SYS_munmap, region->start + keep, region->reserved - keep) == 0)
        region->reserved = keep;
}

void vm_region_end(struct vm_region *region) {
    if (region->reserved)
        system_call(SYS_munmap, region->start, region->reserved);
    *region = (struct vm_region){0};
}

bool vm_release(uintptr_t start, size_t bytes) {
    size_t page = vm_page_bytes();
    uintptr_t first = round_up(start, page);
    uintptr_t last = (start + bytes) & ~(page - 1);
    if (last <= first)
        return false;
    return system_call(SYS_madvise, first, last - first, MADV_DONTNEED) == 0;
}

bool vm_protect(uintptr_t start, size_t bytes, int protection) {
    return system_call(SYS_mprotect, start, bytes, protection) == 0;
}

bool vm_protect_without_key(uintptr_t start, size_t bytes, int protection) {
    return system_call(SYS_pkey_mprotect, start, bytes, protection, 0) == 0;
}

bool vm_replace(uintptr_t start, size_t bytes, int protection) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    return system_call(SYS_mmap, start, bytes, protection, flags, -1, 0) == (long)start;
}

void vm_fill(uintptr_t start, size_t bytes) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    long got = system_call(SYS_mmap, start, bytes, PROT_NONE, flags, -1, 0);
    if (got > 0 && got != (long)start) /* a kernel before 4.17 takes the address for a wish */
        unmap(got, got + bytes);
}

bool vm_advise(uintptr_t start, size_t bytes, int advice) {
    return system_call(SYS_madvise, start, bytes, advice) == 0;
}

bool vm_guard(uintptr_t start, size_t bytes) { return vm_protect(start, bytes, PROT_NONE); }

enum { ADVISE_COLLAPSE = 25 }; /* Linux 6.1; it fails when some of the range cannot be had */

/* Advice that the kernel does not know is an error even for no memory at all. */
bool vm_can_collapse(void) { return system_call(SYS_madvise, 0, 0, ADVISE_COLLAPSE) == 0; }

void vm_collapse(uintptr_t start, uintptr_t end) {
    start = round_up(start, VM_HUGE_PAGE_BYTES);
    end &= ~(uintptr_t)(VM_HUGE_PAGE_BYTES - 1);
    if (start < end)
        system_call(SYS_madvise, start, end - start, ADVISE_COLLAPSE);
}

size_t vm_reservable(size_t wanted) {
    struct rlimit limit;
    if (system_call(SYS_prlimit64, 0, RLIMIT_AS, 0, &limit) != 0)
        return wanted;
    if (limit.rlim_cur == RLIM_INFINITY || wanted <= limit.rlim_cur / 2)
        return wanted;
    return limit.rlim_cur / 2;
}
