/* A number a granule of the heap; see links.h. */
#include "leak/links.h"

#include "heap/layout.h"
#include "heap/sizes.h"
#include "os/vm.h"

static struct vm_region region;

/* With room for what the program may take while the check goes on, if there is. */
bool links_prepare(void) {
    size_t now = AO_load(&heap.objects.committed), covered = 2 * now + (64 << 20);
    for (; covered > now; covered /= 2) {
        size_t bytes = covered / SIZES_GRANULE * sizeof(unsigned);
        if (vm_region_make(&region, bytes))
            return true;
    }
    return false;
}

void links_end(void) { vm_region_end(&region); }

/* NULL when it lies beyond the table. */
static volatile unsigned *link_at(uintptr_t address) {
    size_t granule = (address - heap.objects.start) / SIZES_GRANULE;
    bool covered = granule < region.reserved / sizeof(unsigned);
    return covered ? (volatile unsigned *)region.start + granule : NULL;
}

unsigned links_get(uintptr_t address) {
    volatile unsigned *link = link_at(address);
    return link ? *link : 0;
}

bool links_set(uintptr_t address, unsigned number) {
    volatile unsigned *link = link_at(address);
    if (link)
        *link = number;
    return link != NULL;
}

bool links_own(uintptr_t start, uintptr_t end) {
    return start < region.start + region.reserved && region.start < end;
}
