/* Opening and closing again; see opened.h. */
#include "roots/opened.h"

#include "heap/metadata.h"
#include "os/log.h"
#include "os/memory.h"
#include "os/vm.h"

#include <stddef.h>
#include <sys/mman.h>

enum { MOST_OPENED = 4096 };

/* In metadata: where parts of the heap are closed, their addresses are nobody's pointers. */
struct opened {
    uintptr_t start, end;
    int protection;
};

static struct opened *opened;
static size_t count;

bool opened_make_room(void) {
    if (opened == NULL)
        opened = metadata_take(MOST_OPENED * sizeof *opened);
    return opened != NULL;
}

bool opened_is_needless(uintptr_t address) {
    char byte;
    return memory_reads_closed() && memory_read(&byte, address, 1) == 1;
}

bool opened_add(uintptr_t start, uintptr_t end, int protection) {
    size_t page = vm_page_bytes();
    start &= ~(page - 1);
    end = (end + page - 1) & ~(page - 1);
    if (count == MOST_OPENED || !vm_protect(start, end - start, protection | PROT_READ))
        return false;
    opened[count++] = (struct opened){start, end, protection};
    return true;
}

/* What was opened may have become one map with its neighbours, so closing may need a map more. */
void opened_end(void) {
    while (count > 0) {
        const struct opened *last = &opened[--count];
        if (!vm_protect(last->start, last->end - last->start, last->protection))
            log_fatal("%p-%p, opened in a stop, cannot be closed again", (void *)last->start,
                      (void *)last->end);
    }
}
