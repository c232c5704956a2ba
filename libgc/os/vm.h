/* Address space: reserve it, commit it in growing prefixes, give pages back.
 *
 * A region is one PROT_NONE reservation of which a prefix is readable and writable. The prefix only
 * grows, so whatever was once readable stays readable: a marker may read it at any time without a
 * lock. Only the prefix goes into core dumps. Growing and trimming need the lock of the region's
 * owner; vm_release needs none.
 */
#ifndef TITHE_OS_VM_H
#define TITHE_OS_VM_H

#include <atomic_ops.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm_region {
    uintptr_t start;
    volatile AO_t committed; /* bytes; written by the owner, release after the pages are usable */
    size_t reserved;         /* bytes */
    bool executable;         /* may hold machine code */
};

size_t vm_page_bytes(void);

enum { VM_HUGE_PAGE_BYTES = 2 << 20 };

/* Reserves bytes (rounded up to pages). A huge page's bytes and more begin at a multiple of these.
 * False when the system refuses. */
bool vm_region_reserve(struct vm_region *region, size_t bytes);

/* Reserves bytes and makes all of them usable. False when the system refuses; then nothing is
 * reserved. */
bool vm_region_make(struct vm_region *region, size_t bytes);

/* Makes at least the first bytes usable, in steps of at least step. False when the reservation is
 * used up or the system refuses memory; what was usable stays so. */
bool vm_region_commit(struct vm_region *region, size_t bytes, size_t step);

/* The same for tables that are read all over while marking: past the first tens of megabytes they
 * grow in steps of huge pages and ask the system for such, which spares many misses of the TLB. */
bool vm_region_commit_table(struct vm_region *region, size_t bytes, size_t step);

/* Lets machine code be executed in all that is usable, now and later. By whoever commits. */
bool vm_region_make_executable(struct vm_region *region);

/* Gives the reserved but never committed part beyond keep bytes back to the system. */
void vm_region_trim(struct vm_region *region, size_t keep);

/* Gives all of the region back. */
void vm_region_end(struct vm_region *region);

/* Drops the contents of whole system pages inside [start, start+bytes); they read as zero after.
 * False (and contents untouched) when the system refuses, as it does for locked memory. */
bool vm_release(uintptr_t start, size_t bytes);

/* Gives whole system pages this protection of mprotect(2). False when the system refuses. */
bool vm_protect(uintptr_t start, size_t bytes, int protection);

/* The same, and takes away a protection key. */
bool vm_protect_without_key(uintptr_t start, size_t bytes, int protection);

/* Puts fresh pages, which read as zero, in the place of whatever is there. False when the system
 * refuses; there may be nothing any more then. */
bool vm_replace(uintptr_t start, size_t bytes, int protection);

/* Puts pages without access where there is nothing. */
void vm_fill(uintptr_t start, size_t bytes);

/* madvise(2) with this advice; some are newer than Debian 12's headers. */
enum { VM_GUARD_INSTALL = 102, VM_GUARD_REMOVE = 103 };
bool vm_advise(uintptr_t start, size_t bytes, int advice);

/* Makes whole system pages inaccessible, as the end of a stack. False when the system refuses. */
bool vm_guard(uintptr_t start, size_t bytes);

/* Puts those huge pages of the range together whose small ones are all there and none of which is
 * protected from being written, if the range is tracked (os/dirty.h); elsewhere, also those of
 * which some are there. Threads that write there meanwhile wait for moments. */
void vm_collapse(uintptr_t start, uintptr_t end);

/* Whether the system does that. */
bool vm_can_collapse(void);

/* The largest reservation that leaves the program its share of RLIMIT_AS: wanted, or less. */
size_t vm_reservable(size_t wanted);

#endif
