/* The kernel's interfaces to the state of pages: /proc/self/pagemap and its PAGEMAP_SCAN request.
 *
 * Shared by those who ask (resident, dirty, roots/heap_pages). The request is newer than Debian
 * 12's headers, so its ABI stands here, as linux/fs.h documents it.
 */
#ifndef TITHE_OS_PAGEMAP_H
#define TITHE_OS_PAGEMAP_H

#include <stdbool.h>
#include <stdint.h>

enum pagemap_category {
    PAGEMAP_TRACKED = 1 << 0, /* PAGE_IS_WPALLOWED: in a map with asynchronous write protection */
    PAGEMAP_WRITTEN = 1 << 1,
    PAGEMAP_FILE = 1 << 2,
    PAGEMAP_PRESENT = 1 << 3,
    PAGEMAP_SWAPPED = 1 << 4,
    PAGEMAP_ZERO = 1 << 5, /* the kernel's page of zeros */
    PAGEMAP_GUARD = 1 << 8 /* by MADV_GUARD_INSTALL; told since Linux 6.15 */
};

enum pagemap_flag {
    PAGEMAP_PROTECT = 1 << 0,      /* PM_SCAN_WP_MATCHING */
    PAGEMAP_CHECK_TRACKED = 1 << 1 /* PM_SCAN_CHECK_WPASYNC: fail if a map is not tracked */
};

/* Pages match that are in all of the categories and in one of any, after inversion. Those whose
 * categories, as far as asked for by report, meet needed (if any) and none of unwanted, are
 * visited. */
struct pagemap_query {
    unsigned flags;
    unsigned inverted, all, any, report;
    unsigned needed, unwanted;
    /* Those without the usual category, if any, are another one's to visit. */
    unsigned usual;
    void (*visit_unusual)(uintptr_t start, uintptr_t end, void *context);
};

/* Bits of an entry of the file. */
#define PAGEMAP_ENTRY_FILE (1ull << 61)
#define PAGEMAP_ENTRY_SWAPPED (1ull << 62)
#define PAGEMAP_ENTRY_PRESENT (1ull << 63)

/* Opens the file, or finds it open still. In a thread of the program's. */
bool pagemap_open(void);
bool pagemap_is_open(void);
void pagemap_after_fork(void);

/* True when the kernel knows PAGEMAP_SCAN; and when that tells of guards. */
bool pagemap_can_scan(void);
bool pagemap_knows_guards(void);

/* False when the kernel does not answer. Bounds are whole pages. */
bool pagemap_scan(uintptr_t start, uintptr_t end, struct pagemap_query query,
                  void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context);

enum { PAGEMAP_BATCH = 1024 };

/* Reads the entries of so many pages, at most PAGEMAP_BATCH. */
bool pagemap_entries(uintptr_t start, unsigned pages, uint64_t *entries);

#endif
