/* Disclaim procedures: asked about each dead object of a kind before it is reclaimed, and the
 * finalized kind that stands on them.
 *
 * They are called in the stop, when all that is alive is marked, with the world stopped and the
 * heap locked, so they may not allocate; an object that one of them wants to keep stays for this
 * cycle, with all that it leads to.
 */
#include "api/api.h"
#include "gc/gc_disclaim.h"

#include "heap/shape.h"
#include "mark/drain.h"
#include "mark/shaped.h"

enum { KINDS_MOST = 16, CLOSURE_BITS = 1 };

static GC_disclaim_proc procedures[KINDS_MOST];
static bool marks_all[KINDS_MOST];
static bool any;
static int finalized_kind;

void GC_register_disclaim_proc(int kind, GC_disclaim_proc procedure, int mark_from_all) {
    api_start();
    if (kind < 0 || kind >= KINDS_MOST)
        api_abort("GC_register_disclaim_proc: no such kind");
    procedures[kind] = procedure;
    marks_all[kind] = procedure && mark_from_all;
    any = true;
}

static bool is_dead(struct object object) { return *object_state(object) == object_white(); }

static void mark_contents(struct object object, void *marker) {
    if (is_dead(object) && marks_all[object_shape(object).kind % KINDS_MOST])
        scan_contents(marker, object, false);
}

static void ask(struct object object, void *marker) {
    GC_disclaim_proc procedure = procedures[object_shape(object).kind % KINDS_MOST];
    if (procedure && is_dead(object) && procedure((void *)object_address(object)))
        scan_mark(marker, object);
}

void disclaim_mark_contents(struct marker *marker) {
    if (!any)
        return;
    shaped_each(mark_contents, marker);
    drain_stopped(marker);
}

void disclaim_ask(struct marker *marker) {
    if (!any)
        return;
    shaped_each(ask, marker);
    drain_stopped(marker);
}

/* The first word is the closure, with its lowest bit set so that an object whose word is something
 * else, because it was never finished, is passed over. The client's part comes after it. */
static int run_closure(void *object) {
    GC_word word = *(GC_word *)object;
    if (!(word & CLOSURE_BITS))
        return 0;
    const struct GC_finalizer_closure *closure =
        (const struct GC_finalizer_closure *)(word & ~(GC_word)CLOSURE_BITS);
    closure->proc((GC_word *)object + 1, closure->cd);
    return 0;
}

void GC_init_finalized_malloc(void) {
    api_start();
    if (finalized_kind)
        return;
    finalized_kind = GC_new_kind(GC_new_free_list(), 0, 1, 1);
    GC_register_disclaim_proc(finalized_kind, run_closure, 1);
}

void *GC_finalized_malloc(size_t bytes, const struct GC_finalizer_closure *closure) {
    GC_word *object = GC_generic_malloc(bytes + sizeof *object, finalized_kind);
    if (object == NULL)
        return NULL;
    *object = (GC_word)closure | CLOSURE_BITS;
    return object + 1;
}
