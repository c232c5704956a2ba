/* Page residency; see resident.h.
 *
 * It comes from PAGEMAP_SCAN (Linux 6.7), which skips empty page tables and so passes over a
 * terabyte of reserved memory in microseconds; else from /proc/self/pagemap; else from mincore(2),
 * which needs no /proc file (pagemap is closed to processes that made themselves undumpable).
 */
#include "os/resident.h"

#include "os/handled.h"
#include "os/pagemap.h"
#include "os/syscall.h"
#include "os/vm.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum method { RESIDENT_BY_SCAN, RESIDENT_BY_PAGEMAP, RESIDENT_BY_MINCORE };

static enum method method = RESIDENT_BY_SCAN;
static bool swapped_out; /* some pages are in swap, which mincore cannot tell from absent ones */

const char *resident_method(void) {
    static const char *const names[] = {"pagemap_scan", "pagemap", "mincore"};
    return names[method];
}

void resident_open(void) {
    if (pagemap_open())
        method = pagemap_can_scan() ? RESIDENT_BY_SCAN : RESIDENT_BY_PAGEMAP;
    else
        method = RESIDENT_BY_MINCORE;
}

bool resident_is_open(void) { return method == RESIDENT_BY_MINCORE || pagemap_is_open(); }

bool resident_knows_swapped(void) { return method != RESIDENT_BY_MINCORE && pagemap_is_open(); }

void resident_after_fork(void) { pagemap_after_fork(); }

static bool has_swapped_pages(void) {
    char text[4096];
    long fd =
        system_call(SYS_openat, AT_FDCWD, "/proc/thread-self/status", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return true;
    long length = system_call(SYS_read, fd, text, sizeof text - 1);
    system_call(SYS_close, fd);
    text[length > 0 ? length : 0] = 0;
    const char *field = strstr(text, "VmSwap:");
    return field == NULL || strtoul(field + strlen("VmSwap:"), NULL, 10) != 0;
}

void resident_begin(void) { swapped_out = method == RESIDENT_BY_MINCORE && has_swapped_pages(); }

struct visit {
    void (*call)(uintptr_t start, uintptr_t end, void *context);
    void *context;
};

/* False when the kernel does not answer for this range. */
static bool resident_by_scan(uintptr_t start, uintptr_t end, bool private_only, struct visit to) {
    unsigned unwanted = PAGEMAP_ZERO | (private_only ? PAGEMAP_FILE : 0);
    struct pagemap_query query = {.inverted = unwanted,
                                  .all = unwanted,
                                  .any = PAGEMAP_PRESENT | PAGEMAP_SWAPPED,
                                  .report = unwanted};
    return pagemap_scan(start, end, query, to.call, to.context);
}

/* Calls back for each run of pages whose flag is set; flag i stands for the page start + i. */
static void visit_flagged(const bool *flags, size_t count, uintptr_t start, struct visit to) {
    size_t page = vm_page_bytes();
    for (size_t i = 0, first; i < count; i++) {
        if (!flags[i])
            continue;
        for (first = i; i < count && flags[i];)
            i++;
        to.call(start + first * page, start + i * page, to.context);
    }
}

static bool pagemap_flags(uintptr_t start, size_t pages, bool private_only, bool *flags) {
    uint64_t entries[PAGEMAP_BATCH];
    if (!pagemap_entries(start, pages, entries))
        return false;
    for (size_t i = 0; i < pages; i++)
        flags[i] = (entries[i] & (PAGEMAP_ENTRY_PRESENT | PAGEMAP_ENTRY_SWAPPED)) &&
                   !(private_only && (entries[i] & PAGEMAP_ENTRY_FILE));
    return true;
}

static bool mincore_flags(uintptr_t start, size_t pages, bool *flags) {
    unsigned char states[PAGEMAP_BATCH];
    if (swapped_out || system_call(SYS_mincore, start, pages * vm_page_bytes(), states) != 0)
        return false;
    for (size_t i = 0; i < pages; i++)
        flags[i] = states[i] & 1;
    return true;
}

/* A batch that neither interface answers for is taken as resident: reading it is safe anyway. */
static void resident_by_flags(uintptr_t start, uintptr_t end, bool private_only, struct visit to) {
    size_t page = vm_page_bytes();
    while (start < end) {
        bool flags[PAGEMAP_BATCH];
        size_t pages = (end - start) / page < PAGEMAP_BATCH ? (end - start) / page : PAGEMAP_BATCH;
        if (!(method != RESIDENT_BY_MINCORE && pagemap_flags(start, pages, private_only, flags)) &&
            !mincore_flags(start, pages, flags))
            memset(flags, true, sizeof flags);
        visit_flagged(flags, pages, start, to);
        start += pages * page;
    }
}

/* Asking for every page of a vast map takes too long; there, only the page table counts. */
#define MOST_CACHED ((uintptr_t)4 << 30)

static bool has_any(const bool *flags, size_t count) { return memchr(flags, true, count) != NULL; }

/* Where pages are handed out by the program, only those that the page table has may be touched, and
 * what else the page cache has if it is not that which is handed out. */
static bool visit_handled(enum handled kind, uintptr_t start, size_t pages, struct visit to) {
    bool table[PAGEMAP_BATCH], cached[PAGEMAP_BATCH];
    if (method == RESIDENT_BY_MINCORE || !pagemap_flags(start, pages, false, table) ||
        !mincore_flags(start, pages, cached))
        return false;
    visit_flagged(table, pages, start, to);
    for (size_t i = 0; i < pages; i++)
        cached[i] &= !table[i];
    if (kind == HANDLED_MINOR)
        return !has_any(cached, pages);
    visit_flagged(cached, pages, start, to);
    return true;
}

/* mincore tells what the page cache holds, but not what of it is in swap; then all is taken. */
bool resident_each_cached(uintptr_t start, uintptr_t end,
                          void (*visit)(uintptr_t start, uintptr_t end, void *context),
                          void *context) {
    struct visit to = {visit, context};
    size_t page = vm_page_bytes();
    bool known = true;
    start &= ~(page - 1);
    end = (end + page - 1) & ~(page - 1);
    enum handled kind = handled_kind(start, end);
    if (end - start > MOST_CACHED) {
        resident_each(start, end, false, visit, context);
        return kind == HANDLED_NOT;
    }
    swapped_out = has_swapped_pages();
    for (; start < end; start += PAGEMAP_BATCH * page) {
        bool flags[PAGEMAP_BATCH];
        size_t pages = (end - start) / page < PAGEMAP_BATCH ? (end - start) / page : PAGEMAP_BATCH;
        if (kind != HANDLED_NOT) {
            known &= visit_handled(kind, start, pages, to);
            continue;
        }
        if (!mincore_flags(start, pages, flags))
            memset(flags, true, sizeof flags);
        visit_flagged(flags, pages, start, to);
    }
    return known;
}

/* Where PAGEMAP_SCAN works and yet does not answer, as when the program has closed the file
 * meanwhile, everything is taken as resident; what has become of the file's number is never read.
 */
void resident_each(uintptr_t start, uintptr_t end, bool private_only,
                   void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context) {
    struct visit to = {visit, context};
    size_t page = vm_page_bytes();
    start &= ~(page - 1);
    end = (end + page - 1) & ~(page - 1);
    if (method == RESIDENT_BY_SCAN && !resident_by_scan(start, end, private_only, to))
        visit(start, end, context);
    else if (method != RESIDENT_BY_SCAN)
        resident_by_flags(start, end, private_only, to);
}
