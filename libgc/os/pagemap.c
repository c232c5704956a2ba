/* See pagemap.h. */
#include "os/pagemap.h"

#include "os/descriptor.h"
#include "os/syscall.h"
#include "os/vm.h"

enum { REGIONS = 256 };

struct scan_argument {
    uint64_t size, flags, start, end, walk_end, vector, vector_length, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

struct scan_region {
    uint64_t start, end, categories;
};

#define SCAN_REQUEST 0xc0606610u

static struct descriptor file = DESCRIPTOR_CLOSED;

bool pagemap_is_open(void) { return descriptor_is_open(&file); }

bool pagemap_open(void) {
    return pagemap_is_open() || descriptor_open(&file, "/proc/thread-self/pagemap");
}

void pagemap_after_fork(void) { descriptor_close(&file); }

/* An empty query tells. */
static bool knows(enum pagemap_category category) {
    struct scan_argument argument = {.size = sizeof argument, .return_mask = category};
    return file.fd >= 0 && system_call(SYS_ioctl, file.fd, SCAN_REQUEST, &argument) >= 0;
}

bool pagemap_can_scan(void) { return knows(PAGEMAP_PRESENT); }

bool pagemap_knows_guards(void) { return knows(PAGEMAP_GUARD); }

static bool is_wanted(const struct scan_region *region, const struct pagemap_query *query) {
    return (query->needed == 0 || (region->categories & query->needed)) &&
           !(region->categories & query->unwanted);
}

static void visit_regions(const struct scan_region *regions, long count,
                          const struct pagemap_query *query,
                          void (*visit)(uintptr_t start, uintptr_t end, void *context),
                          void *context) {
    for (long i = 0; i < count; i++) {
        bool usual = (regions[i].categories & query->usual) == query->usual;
        if (is_wanted(&regions[i], query))
            (usual ? visit : query->visit_unusual)(regions[i].start, regions[i].end, context);
    }
}

/* Another file of the program's that got the number does not know the request, and says so. */
bool pagemap_scan(uintptr_t start, uintptr_t end, struct pagemap_query query,
                  void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context) {
    struct scan_region regions[REGIONS];
    while (start < end) {
        struct scan_argument argument = {
            .size = sizeof argument,
            .flags = query.flags,
            .start = start,
            .end = end,
            .vector = (uintptr_t)regions,
            .vector_length = REGIONS,
            .category_inverted = query.inverted,
            .category_mask = query.all,
            .category_anyof_mask = query.any,
            .return_mask = query.report,
        };
        long count = system_call(SYS_ioctl, file.fd, SCAN_REQUEST, &argument);
        if (count < 0 || argument.walk_end <= start)
            return false;
        visit_regions(regions, count, &query, visit, context);
        start = argument.walk_end;
    }
    return true;
}

/* What is read from another file is not believed; ours a moment later was ours before. */
bool pagemap_entries(uintptr_t start, unsigned pages, uint64_t *entries) {
    long bytes = pages * sizeof *entries;
    return system_call(SYS_pread64, file.fd, entries, bytes,
                       start / vm_page_bytes() * sizeof *entries) == bytes &&
           pagemap_is_open();
}
