/* See dirty.h.
 *
 * The soft-dirty bits of /proc/self/pagemap, which older kernels have, are of no use. In Linux
 * 6.1 mremap of 2 MiB and more moves page tables without setting them. A program that lets two
 * equal maps change places that way leaves the list of maps as it was, and need not use libc for
 * it; so nothing tells which bits to believe.
 */
#include "os/dirty.h"

#include "os/descriptor.h"
#include "os/options.h"
#include "os/pagemap.h"
#include "os/permitted.h"
#include "os/syscall.h"
#include "os/vm.h"

#include <atomic_ops.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

/* Newer than Debian 12's headers; linux/userfaultfd.h documents them. */
enum {
    USER_MODE_ONLY = 1,            /* what unprivileged users may open; the kernel's writes are seen
                                      all the same, because the kernel resolves every fault itself */
    FEATURE_SHARED = 1 << 12,      /* UFFD_FEATURE_WP_HUGETLBFS_SHMEM */
    FEATURE_UNPOPULATED = 1 << 13, /* UFFD_FEATURE_WP_UNPOPULATED */
    FEATURE_ASYNCHRONOUS = 1 << 15, /* UFFD_FEATURE_WP_ASYNC */
    WANTED_FEATURES = FEATURE_SHARED | FEATURE_UNPOPULATED | FEATURE_ASYNCHRONOUS
};

static bool chosen;
static const char *reason; /* why it is not the best; whoever opens */
static enum dirty_backend backend;
static struct descriptor userfault = DESCRIPTOR_CLOSED;

/* A page of our own that is tracked: when it is no more, the program has closed our descriptor, and
 * with it all tracking has ended. Asking the page is safe whatever the number now means. */
static struct vm_region witness;

static bool witness_exists(void) {
    return witness.reserved || vm_region_make(&witness, vm_page_bytes());
}

static bool register_range(uintptr_t start, uintptr_t end) {
    struct uffdio_register request = {.range = {start, end - start},
                                      .mode = UFFDIO_REGISTER_MODE_WP};
    return system_call(SYS_ioctl, userfault.fd, UFFDIO_REGISTER, &request) == 0;
}

static void ignore(uintptr_t start, uintptr_t end, void *context) {
    (void)start, (void)end, (void)context;
}

static const struct pagemap_query taking = {
    .flags = PAGEMAP_PROTECT | PAGEMAP_CHECK_TRACKED,
    .all = PAGEMAP_WRITTEN,
    .any = PAGEMAP_PRESENT | PAGEMAP_SWAPPED,
    .report = PAGEMAP_WRITTEN,
};

static bool witness_is_tracked(void) {
    return witness.reserved &&
           pagemap_scan(witness.start, witness.start + witness.reserved, taking, ignore, NULL);
}

/* The program's file may have our number. Before Linux 5.12 all files without a name had one inode.
 */
static void close_userfault(void) {
    static const char expected[] = "anon_inode:[userfaultfd]";
    char path[64], name[64];
    snprintf(path, sizeof path, "/proc/self/fd/%ld", userfault.fd);
    long length = system_call(SYS_readlinkat, AT_FDCWD, path, name, sizeof name);
    if (length == sizeof expected - 1 && memcmp(name, expected, length) == 0 &&
        descriptor_is_open(&userfault))
        system_call(SYS_close, userfault.fd);
    userfault.fd = -1;
}

static bool open_userfault(void) {
    struct uffdio_api api = {.api = UFFD_API, .features = WANTED_FEATURES};
    if (!descriptor_adopt(&userfault, system_call(SYS_userfaultfd, O_CLOEXEC | USER_MODE_ONLY)))
        return false;
    if (witness_exists() && system_call(SYS_ioctl, userfault.fd, UFFDIO_API, &api) == 0 &&
        register_range(witness.start, witness.start + witness.reserved) && witness_is_tracked())
        return true;
    close_userfault();
    return false;
}

static bool is_allowed(const char *name) {
    return strcmp(options.dirty, "auto") == 0 || strcmp(options.dirty, name) == 0;
}

static enum dirty_backend choose(void) {
    if (!is_allowed("uffd"))
        reason = "by option";
    else if (!pagemap_open())
        reason = "no /proc/self/pagemap";
    else if (!pagemap_can_scan())
        reason = "the kernel is older than 6.7";
    else if (!permitted(PERMITTED_USERFAULT))
        reason = "a filter refuses userfaultfd";
    else if (!open_userfault())
        reason = "userfaultfd is refused";
    else
        return reason = NULL, DIRTY_USERFAULT;
    return DIRTY_NONE;
}

static bool is_lost(void) {
    return backend == DIRTY_USERFAULT && (!pagemap_is_open() || !witness_is_tracked());
}

enum dirty_backend dirty_open(void) {
    if (chosen && !is_lost())
        return backend;
    if (userfault.fd >= 0)
        close_userfault(); /* what it still tracks, no other one could */
    backend = choose();
    chosen = true;
    return backend;
}

const char *dirty_name(void) {
    static const char *const names[] = {"none", "uffd"};
    return names[backend];
}

const char *dirty_reason(void) { return reason; }

void dirty_after_fork(void) {
    if (userfault.fd >= 0)
        close_userfault();
    chosen = false;
    backend = DIRTY_NONE;
}

bool dirty_arm(void) { return backend == DIRTY_USERFAULT && witness_is_tracked(); }

static uintptr_t page_of(uintptr_t address) { return address & ~(vm_page_bytes() - 1); }
static uintptr_t page_after(uintptr_t address) { return page_of(address + vm_page_bytes() - 1); }

bool dirty_track(uintptr_t start, uintptr_t end) {
    return backend == DIRTY_USERFAULT && register_range(page_of(start), page_after(end));
}

void dirty_track_again(uintptr_t start, uintptr_t end) {
    if (backend == DIRTY_USERFAULT && witness_is_tracked())
        register_range(page_of(start), page_after(end));
}

bool dirty_untrack(uintptr_t start, uintptr_t end) {
    struct uffdio_range range = {page_of(start), page_after(end) - page_of(start)};
    return backend == DIRTY_USERFAULT && witness_is_tracked() &&
           system_call(SYS_ioctl, userfault.fd, UFFDIO_UNREGISTER, &range) == 0;
}

bool dirty_relax(uintptr_t start, uintptr_t end) {
    struct uffdio_writeprotect request = {
        .range = {page_of(start), page_after(end) - page_of(start)}};
    return backend == DIRTY_USERFAULT && witness_is_tracked() &&
           system_call(SYS_ioctl, userfault.fd, UFFDIO_WRITEPROTECT, &request) == 0;
}

bool dirty_take(uintptr_t start, uintptr_t end,
                void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context) {
    start = page_of(start);
    end = page_after(end);
    return backend == DIRTY_USERFAULT && pagemap_scan(start, end, taking, visit, context);
}

/* The kernel has a quick way for just these categories. */
bool dirty_peek(uintptr_t start, uintptr_t end,
                void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context) {
    static const struct pagemap_query query = {
        .flags = PAGEMAP_CHECK_TRACKED, .all = PAGEMAP_WRITTEN, .report = PAGEMAP_WRITTEN};
    start = page_of(start);
    end = page_after(end);
    return backend == DIRTY_USERFAULT && pagemap_scan(start, end, query, visit, context);
}

/* Kernels before 6.13 leave the mark of protection on pages that mremap takes out of a tracked map,
 * although it protects no more; so a page counts as unwritten only where its map is tracked now. */
bool dirty_peek_any(uintptr_t start, uintptr_t end, bool private_only,
                    void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context) {
    const struct pagemap_query query = {
        .inverted = PAGEMAP_TRACKED,
        .any = PAGEMAP_WRITTEN | PAGEMAP_TRACKED,
        .report = PAGEMAP_WRITTEN | PAGEMAP_TRACKED | PAGEMAP_PRESENT | PAGEMAP_SWAPPED |
                  PAGEMAP_FILE | PAGEMAP_ZERO,
        .needed = PAGEMAP_PRESENT | PAGEMAP_SWAPPED,
        .unwanted = PAGEMAP_ZERO | (private_only ? PAGEMAP_FILE : 0),
    };
    start = page_of(start);
    end = page_after(end);
    return backend == DIRTY_USERFAULT && pagemap_scan(start, end, query, visit, context);
}

bool dirty_take_stretch(uintptr_t start, uintptr_t end,
                        void (*visit)(uintptr_t start, uintptr_t end, void *context),
                        void *context) {
    struct pagemap_query query = taking;
    query.flags = PAGEMAP_PROTECT;
    return backend == DIRTY_USERFAULT &&
           pagemap_scan(page_of(start), page_after(end), query, visit, context);
}

/* As for dirty_peek_any, a page counts as unwritten only where its map is tracked now. */
bool dirty_peek_stretch(uintptr_t start, uintptr_t end,
                        void (*visit)(uintptr_t start, uintptr_t end, void *context),
                        void (*untracked)(uintptr_t start, uintptr_t end, void *context),
                        void *context) {
    const struct pagemap_query query = {
        .inverted = PAGEMAP_TRACKED,
        .any = PAGEMAP_WRITTEN | PAGEMAP_TRACKED,
        .report =
            PAGEMAP_WRITTEN | PAGEMAP_TRACKED | PAGEMAP_PRESENT | PAGEMAP_SWAPPED | PAGEMAP_ZERO,
        .needed = PAGEMAP_PRESENT | PAGEMAP_SWAPPED,
        .unwanted = PAGEMAP_ZERO,
        .usual = PAGEMAP_TRACKED,
        .visit_unusual = untracked,
    };
    return backend == DIRTY_USERFAULT &&
           pagemap_scan(page_of(start), page_after(end), query, visit, context);
}
