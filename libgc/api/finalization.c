/* Finalizers, disappearing links and toggle references, over weak/. */
#include "api/api.h"
#include "gc/gc_backptr.h"
#include "gc/javaxfc.h"

#include "cycle/pace.h"
#include "weak/finalize.h"
#include "weak/links.h"

int GC_finalize_on_demand;
GC_finalizer_notifier_proc GC_finalizer_notifier;

static GC_word notified_cycle; /* racy, so that a notification may come twice */

static unsigned interrupt_after; /* finalizers at most in one go; 0: all */

void GC_set_interrupt_finalizers(unsigned most) { interrupt_after = most; }
unsigned GC_get_interrupt_finalizers(void) { return interrupt_after; }

/* The frame that calls finalizers; NULL: none does. A finalizer may have left it by longjmp. */
static __thread char *finalizing __attribute__((tls_model("initial-exec")));

static bool is_in_finalizer(void) {
    return finalizing && (char *)__builtin_frame_address(0) < finalizing;
}

/* Finalizers may allocate, which does not call more of them: what becomes ready meanwhile is called
 * by the same loop. They may ask for more themselves. */
static int run_finalizers(void) {
    char *outer = is_in_finalizer() ? finalizing : NULL;
    finalizing = __builtin_frame_address(0);
    int count = finalize_run(interrupt_after ? interrupt_after : SIZE_MAX);
    finalizing = outer;
    return count;
}

int GC_invoke_finalizers(void) {
    api_start();
    return run_finalizers();
}

int GC_should_invoke_finalizers(void) { return finalize_ready_count() > 0; }

void api_finalize(void) {
    leak_print();
    debug_print_damage();
    dump_if_due();
    for (const void *object; (object = finalize_take_looped()) != NULL;)
        api_warn(API_WARNING "Finalization cycle involving %p\n", (GC_word)object);
    if (finalize_ready_count() == 0 || is_in_finalizer())
        return;
    if (!GC_finalize_on_demand) {
        run_finalizers();
    } else if (GC_finalizer_notifier && notified_cycle != GC_gc_no) {
        notified_cycle = GC_gc_no;
        GC_finalizer_notifier();
    }
}

void GC_finalize_all(void) {
    interrupt_after = 0;
    while (finalize_registered_count() > 0) {
        finalize_all();
        run_finalizers();
    }
    run_finalizers();
}

/* In a table at most three quarters full, twice while that grows, and in the queue of those that
 * are due. More than that, because none of it is given back when they are done. */
enum { FINALIZER_BYTES = 384 };

/* Only objects of the heap die; for anything else there is nothing to register. */
static void register_ordered(void *object, GC_finalization_proc function, void *data,
                             GC_finalization_proc *old_function, void **old_data,
                             enum finalize_order order) {
    struct finalizer old = {NULL, NULL, order};
    api_start();
    if (GC_base(object) == object) {
        while (!finalize_register(object, (struct finalizer){function, data, order}, &old))
            if (GC_oom_fn(sizeof old) == NULL)
                return;
        if (function && old.function == NULL)
            pace_count_beside(FINALIZER_BYTES);
    }
    if (old_function)
        *old_function = old.function;
    if (old_data)
        *old_data = old.data;
}

#define REGISTER(name, order)                                                                      \
    void name(void *object, GC_finalization_proc function, void *data,                             \
              GC_finalization_proc *old_function, void **old_data) {                               \
        register_ordered(object, function, data, old_function, old_data, order);                   \
    }

REGISTER(GC_register_finalizer, FINALIZE_ORDERED)
REGISTER(GC_register_finalizer_ignore_self, FINALIZE_IGNORE_SELF)
REGISTER(GC_register_finalizer_no_order, FINALIZE_NO_ORDER)
REGISTER(GC_register_finalizer_unreachable, FINALIZE_UNREACHABLE)

static int register_link(enum link_kind kind, void **link, const void *object) {
    api_start();
    if ((uintptr_t)link % sizeof(void *) != 0 || link == NULL)
        api_abort("a disappearing link must be an aligned address");
    return links_register(kind, link, object);
}

int GC_general_register_disappearing_link(void **link, const void *object) {
    return register_link(LINK_SHORT, link, object);
}

int GC_register_disappearing_link(void **link) {
    void *base = GC_base(link);
    if (base == NULL)
        api_abort("GC_register_disappearing_link: the link is in no object");
    return register_link(LINK_SHORT, link, base);
}

int GC_unregister_disappearing_link(void **link) { return links_unregister(LINK_SHORT, link); }

int GC_move_disappearing_link(void **link, void **new_link) {
    return links_move(LINK_SHORT, link, new_link);
}

int GC_register_long_link(void **link, const void *object) {
    return register_link(LINK_LONG, link, object);
}

int GC_unregister_long_link(void **link) { return links_unregister(LINK_LONG, link); }

int GC_move_long_link(void **link, void **new_link) {
    return links_move(LINK_LONG, link, new_link);
}

static GC_toggleref_func toggle_function;

static enum toggle ask_toggle(void *object) {
    switch (toggle_function(object)) {
    case GC_TOGGLE_REF_STRONG:
        return TOGGLE_STRONG;
    case GC_TOGGLE_REF_WEAK:
        return TOGGLE_WEAK;
    default:
        return TOGGLE_DROP;
    }
}

void GC_set_toggleref_func(GC_toggleref_func function) {
    toggle_function = function;
    finalize_toggle = function ? ask_toggle : NULL;
}

GC_toggleref_func GC_get_toggleref_func(void) { return toggle_function; }

int GC_toggleref_add(void *object, int strong) {
    api_start();
    if (toggle_function == NULL)
        return GC_SUCCESS;
    return finalize_add_toggled(object, strong) ? GC_SUCCESS : GC_NO_MEMORY;
}

/* The address that the client has is the one that its function is asked about. */
int GC_debug_toggleref_add(void *object, int strong) { return GC_toggleref_add(object, strong); }

void GC_set_await_finalize_proc(GC_await_finalize_proc function) { finalize_awaited = function; }
GC_await_finalize_proc GC_get_await_finalize_proc(void) { return finalize_awaited; }

void GC_dump_finalization(void) {
    GC_printf("disappearing links: %zu short, %zu long; finalizers: %zu registered, %zu ready\n",
              links_count(LINK_SHORT), links_count(LINK_LONG), finalize_registered_count(),
              finalize_ready_count());
}
