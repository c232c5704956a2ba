/* Data segments of libraries that the program does not want to be looked at.
 *
 * Which they are is asked by a thread that is about to collect, on its own stack and without any
 * lock of ours: the list of libraries has a lock of the loader's, and who holds that may wait for a
 * collection. The cycle then leaves out what was found, as far as it still belongs to the same
 * file; what has come since is looked at.
 */
#include "api/api.h"

#include "roots/ranges.h"
#include "weak/table.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

enum { MOST_SEGMENTS = 128 /* on the stack of whoever asks */ };

struct segment {
    uintptr_t start, end;
};

struct segments {
    unsigned count;
    struct segment found[MOST_SEGMENTS];
};

int GC_no_dls;
static GC_has_static_roots_func has_static_roots;
static struct segments unwanted; /* under weak_lock */

bool api_is_data_segment(const ElfW(Phdr) * segment) {
    return segment->p_type == PT_LOAD && (segment->p_flags & PF_W);
}

static bool is_unwanted(const char *name, char *start, size_t bytes) {
    return (GC_no_dls && name[0] != 0) ||
           (has_static_roots && !has_static_roots(name, start, bytes));
}

static int visit_library(struct dl_phdr_info *library, size_t bytes, void *context) {
    struct segments *segments = context;
    (void)bytes;
    for (int i = 0; i < library->dlpi_phnum && segments->count < MOST_SEGMENTS; i++) {
        const ElfW(Phdr) *segment = &library->dlpi_phdr[i];
        char *start = (char *)library->dlpi_addr + segment->p_vaddr;
        if (api_is_data_segment(segment) &&
            is_unwanted(library->dlpi_name, start, segment->p_memsz))
            segments->found[segments->count++] =
                (struct segment){(uintptr_t)start, (uintptr_t)start + segment->p_memsz};
    }
    return 0;
}

static bool any_may_be_unwanted(void) {
    return api_stands_alone && (GC_no_dls || has_static_roots);
}

static void replace(const struct segments *segments) {
    lock_take(&weak_lock);
    unwanted.count = segments->count;
    memcpy(unwanted.found, segments->found, segments->count * sizeof *segments->found);
    lock_give(&weak_lock);
}

void libraries_ask(void) {
    struct segments segments;
    segments.count = 0;
    if (!any_may_be_unwanted())
        return;
    rank_expect_none("the loader's list is asked for");
    dl_iterate_phdr(visit_library, &segments);
    replace(&segments);
}

#if defined(DLFO_STRUCT_HAS_EH_DBASE)
/* Since glibc 2.35, and takes no lock. */
extern int _dl_find_object(void *address, struct dl_find_object *found) __attribute__((weak));

static bool is_loaded(struct segment segment) {
    struct dl_find_object found;
    return _dl_find_object == NULL || (_dl_find_object((void *)segment.start, &found) == 0 &&
                                       segment.end - 1 < (uintptr_t)found.dlfo_map_end);
}
#else
static bool is_loaded(struct segment segment) {
    (void)segment;
    return true;
}
#endif

void libraries_leave_out(void) {
    roots_disregard_none();
    if (!any_may_be_unwanted())
        return;
    lock_take(&weak_lock);
    for (unsigned i = 0; i < unwanted.count; i++)
        if (is_loaded(unwanted.found[i]))
            roots_disregard(unwanted.found[i].start & ~(uintptr_t)7, unwanted.found[i].end);
    lock_give(&weak_lock);
}

/* What was left out for another function's sake is asked for again. */
void GC_register_has_static_roots_callback(GC_has_static_roots_func function) {
    static const struct segments none;
    replace(&none);
    has_static_roots = function;
}

void GC_set_no_dls(int value) {
    static const struct segments none;
    replace(&none);
    GC_no_dls = value;
}

int GC_get_no_dls(void) { return GC_no_dls; }
