/* Probes of finalizers, of collections and their events, of figures. */
#include "probes.h"

#include "gc/gc_disclaim.h"
#include "gc/gc_mark.h"
#include "gc/javaxfc.h"

#include <stdio.h>
#include <sys/mman.h>

static int called;

static void count_call(void *object, void *data) {
    (void)object;
    called += (int)(intptr_t)data;
}

typedef void registrar(void *, GC_finalization_proc, void *, GC_finalization_proc *, void **);

static const struct order {
    const char *name;
    registrar *with;
} orders[] = {
    {"GC_register_finalizer", GC_register_finalizer},
    {"GC_register_finalizer_ignore_self", GC_register_finalizer_ignore_self},
    {"GC_register_finalizer_no_order", GC_register_finalizer_no_order},
    {"GC_register_finalizer_unreachable", GC_register_finalizer_unreachable},
};

enum { ORDERS = sizeof orders / sizeof *orders };

__attribute__((noinline)) static void make_finalized(registrar *with, bool to_itself) {
    for (int i = 0; i < HERD; i++) {
        void **object = GC_malloc(32);
        if (to_itself)
            object[0] = object;
        with(object, count_call, (void *)1, NULL, NULL);
    }
}

/* Pairs in which the first leads to the second, or each to the other; both have finalizers, which
 * tell by how much they add: the first 1000, the second 1. */
__attribute__((noinline)) static void make_pairs(registrar *with, bool cycles) {
    for (int i = 0; i < HERD; i++) {
        void **first = GC_malloc(32), **second = GC_malloc(32);
        first[0] = second;
        if (cycles)
            second[0] = first;
        with(first, count_call, (void *)1000, NULL, NULL);
        with(second, count_call, (void *)1, NULL, NULL);
    }
}

static int round_of_collection(void) {
    called = 0;
    clear_stack();
    GC_gcollect();
    GC_invoke_finalizers();
    return called;
}

static void say_rounds(const char *what, const struct order *order) {
    char name[96];
    for (int round = 1; round <= 2; round++) {
        int calls = round_of_collection();
        snprintf(name, sizeof name, "%s, %s, collection %d", order->name, what, round);
        say(name, "first %s, second %s", share(calls / 1000), share(calls % 1000));
    }
    collect();
}

void probe_finalizers(void) {
    char name[96];
    GC_INIT();
    GC_set_finalize_on_demand(1);
    GC_set_warn_proc(ignore_warning);
    for (int i = 0; i < ORDERS; i++) {
        make_finalized(orders[i].with, false);
        snprintf(name, sizeof name, "%s, alone", orders[i].name);
        say(name, "%s", share(round_of_collection()));
        make_finalized(orders[i].with, true);
        snprintf(name, sizeof name, "%s, leading to itself", orders[i].name);
        say(name, "%s", share(round_of_collection()));
        collect();
        make_pairs(orders[i].with, false);
        say_rounds("a pair", &orders[i]);
        make_pairs(orders[i].with, true);
        say_rounds("a cycle of two", &orders[i]);
    }
}

static int notified, awaited, invoked_inside;

static void note(void) { notified++; }

static void note_awaited(void *object) { awaited += object != NULL; }

static void invoke_inside(void *object, void *data) {
    count_call(object, data);
    invoked_inside += GC_invoke_finalizers();
}

static GC_ToggleRefStatus answer(void *object) {
    called++;
    return *(long *)object;
}

static struct herd herd;

__attribute__((noinline)) static void make_toggled(GC_ToggleRefStatus status, int times) {
    for (int i = 0; i < HERD; i++) {
        long *object = GC_malloc(24);
        *object = status;
        for (int time = 0; time < times; time++)
            GC_toggleref_add(object, 1);
        watch(&herd, i, object);
    }
}

static void say_toggled(const char *name, GC_ToggleRefStatus status) {
    make_toggled(status, 1);
    collect();
    say(name, "%s", kept(living(&herd)));
}

static void probe_toggled(void) {
    void *object = GC_malloc(24);
    say_number("GC_toggleref_add without a function", GC_toggleref_add(object, 1));
    GC_set_toggleref_func(answer);
    say_toggled("kept by GC_TOGGLE_REF_DROP", GC_TOGGLE_REF_DROP);
    say_toggled("kept by GC_TOGGLE_REF_WEAK", GC_TOGGLE_REF_WEAK);
    say_toggled("kept by GC_TOGGLE_REF_STRONG", GC_TOGGLE_REF_STRONG);
    called = 0;
    GC_gcollect();
    say("asked about strong ones in each collection", "%s", share(called));
}

__attribute__((noinline)) static void make_disclaimed(int count, const void *closure,
                                                      bool chained) {
    void **last = NULL;
    for (int i = 0; i < count; i++) {
        void **object = GC_finalized_malloc(24, closure);
        *object = chained ? last : NULL;
        last = object;
    }
}

static void probe_disclaimed(void) {
    static const struct GC_finalizer_closure closure = {count_call, (void *)1};
    GC_init_finalized_malloc();
    char *object = GC_finalized_malloc(24, &closure);
    say_number("GC_finalized_malloc is so far into its object", object - (char *)GC_base(object));
    say_flag("GC_finalized_malloc of 24 bytes holds 24", GC_size(GC_base(object)) >= 32);
    make_disclaimed(HERD, &closure, false);
    say("closures of GC_finalized_malloc run", "%s", share(round_of_collection()));
    GC_reachable_here(object);
}

void probe_more_finalizers(void) {
    GC_finalization_proc old = count_call;
    void *data = &called, *object;
    static char no_object[32];
    GC_INIT();
    object = GC_malloc(32);
    GC_register_finalizer(object, count_call, (void *)5, &old, &data);
    say_flag("no old finalizer", old == NULL && data == NULL);
    GC_register_finalizer(object, NULL, NULL, &old, &data);
    say_flag("the old finalizer is told", old == count_call && data == (void *)5);
    GC_register_finalizer(no_object, count_call, (void *)1, &old, &data);
    say_flag("no finalizer for what is no object", old == NULL);
    GC_set_finalize_on_demand(1);
    GC_set_finalizer_notifier(note);
    GC_set_await_finalize_proc(note_awaited);
    make_finalized(GC_register_finalizer_no_order, false);
    clear_stack();
    GC_gcollect();
    say_flag("the notifier was called", notified > 0);
    say_number("GC_should_invoke_finalizers", GC_should_invoke_finalizers());
    say("the await procedure was called for", "%s", share(awaited));
    called = 0;
    say("GC_invoke_finalizers returns", "%s", share(GC_invoke_finalizers()));
    say("and has called", "%s", share(called));
    say_number("GC_should_invoke_finalizers afterwards", GC_should_invoke_finalizers());
    GC_register_finalizer(object, count_call, (void *)7000, NULL, NULL);
    GC_finalize_all();
    say_flag("GC_finalize_all calls that of a live object", called >= 7000);
    GC_register_finalizer(GC_malloc(16), invoke_inside, (void *)1, NULL, NULL);
    GC_register_finalizer(GC_malloc(16), invoke_inside, (void *)1, NULL, NULL);
    called = 0;
    GC_finalize_all();
    say("GC_invoke_finalizers in a finalizer", "%d of %d", invoked_inside, called);
    probe_toggled();
    probe_disclaimed();
    GC_reachable_here(object);
}

static char events[32];
static int event_count, resizes, stops, threads_told, marked_at_start;
static void *watched;

static void note_event(GC_EventType event) {
    if (event_count < 30)
        events[event_count++] = (char)('0' + event);
}

static void note_thread(GC_EventType event, void *thread) {
    (void)event, (void)thread;
    threads_told++;
}

static void note_start(void) { marked_at_start = GC_is_marked(watched) != 0; }
static void note_resize(GC_word bytes) { resizes += bytes > 0; }
static int stop_at_once(void) { return ++stops; }
static int never_stop(void) { return 0; }

static void *told_in_oom;
static size_t oom_bytes;
static void *out_of_memory(size_t bytes) {
    oom_bytes = bytes;
    return told_in_oom;
}

static void probe_limit(void) {
    static void *kept[64];
    told_in_oom = &oom_bytes;
    GC_set_max_heap_size(GC_get_heap_size() + (8 << 20));
    GC_set_oom_fn(out_of_memory);
    int failed = 0;
    for (int i = 0; i < 64 && !failed; i++)
        if ((kept[i] = GC_malloc_atomic(1 << 20)) == told_in_oom)
            failed = i;
    say_flag("the greatest heap size holds", failed > 2 && failed <= 9);
    say_number("GC_oom_fn was told", oom_bytes);
    say_number("GC_expand_hp beyond the greatest size", GC_expand_hp(64 << 20));
    memset(kept, 0, sizeof kept);
    say_flag("what died makes room", GC_malloc_atomic(1 << 20) != told_in_oom);
}

void probe_collection(void) {
    GC_INIT();
    GC_word number = GC_get_gc_no();
    GC_gcollect();
    say_number("cycles of GC_gcollect", GC_get_gc_no() - number);
    GC_disable();
    number = GC_get_gc_no();
    GC_gcollect();
    say_number("cycles of GC_gcollect when disabled", GC_get_gc_no() - number);
    say_number("GC_try_to_collect when disabled", GC_try_to_collect(never_stop));
    GC_enable();
    GC_set_on_collection_event(note_event);
    GC_gcollect();
    GC_set_on_collection_event(NULL);
    say("events of GC_gcollect", "%s", events);
    say_number("GC_try_to_collect", GC_try_to_collect(never_stop));
    say_number("GC_try_to_collect that is stopped", GC_try_to_collect(stop_at_once));
    say_flag("its function was called", stops > 0);
    GC_set_stop_func(stop_at_once);
    number = GC_get_gc_no();
    GC_gcollect();
    say_number("cycles of GC_gcollect with GC_set_stop_func", GC_get_gc_no() - number);
    GC_set_stop_func(never_stop);
    watched = GC_malloc(16);
    GC_gcollect();
    GC_set_start_callback(note_start);
    GC_gcollect();
    say_number("GC_is_marked of a survivor in the start callback", marked_at_start);
    GC_set_start_callback(NULL);
    GC_set_on_thread_event(note_thread);
    GC_gcollect();
    say_number("thread events in a program of one thread", threads_told);
    GC_set_on_heap_resize(note_resize);
    for (int i = 0; i < 64; i++)
        GC_reachable_here(GC_malloc_atomic(1 << 20));
    say_flag("GC_on_heap_resize was called", resizes > 0);
    size_t before = GC_get_heap_size();
    say_number("GC_expand_hp", GC_expand_hp(16 << 20));
    say_flag("the heap is larger by that", GC_get_heap_size() >= before + (16 << 20));
    say_number("GC_collect_a_little in the end", (GC_gcollect(), GC_collect_a_little()));
    probe_limit();
}

static void count_reachable(void *object, size_t bytes, void *data) {
    if (object == *(void **)data && bytes == GC_size(object))
        called++;
}

static void *enumerate(void *object) {
    GC_enumerate_reachable_objects_inner(count_reachable, object);
    return object;
}

void probe_statistics(void) {
    struct GC_prof_stats_s figures, more[2];
    GC_INIT();
    say_number("GC_get_prof_stats of 16 bytes", GC_get_prof_stats(&figures, 16));
    say_number("GC_get_prof_stats of all", GC_get_prof_stats(&figures, sizeof figures));
    memset(more, 0, sizeof more);
    say_number("GC_get_prof_stats of twice as many bytes", GC_get_prof_stats(more, sizeof more));
    say("what is beyond", "%#lx", more[1].gc_no);
    say_number("GC_get_prof_stats_unsafe", GC_get_prof_stats_unsafe(&figures, sizeof figures));
    say_number("markers_m1", figures.markers_m1);
    say_flag("gc_no is GC_get_gc_no", figures.gc_no == GC_get_gc_no());
    size_t total = GC_get_total_bytes();
    for (int i = 0; i < 1000; i++)
        GC_reachable_here(GC_malloc(1000));
    say_flag("GC_get_total_bytes grows", GC_get_total_bytes() - total >= 900000);
    say_flag("GC_get_bytes_since_gc tells that", GC_get_bytes_since_gc() > 0);
    GC_gcollect();
    say_flag("GC_get_bytes_since_gc is little after GC_gcollect", GC_get_bytes_since_gc() < 65536);
    GC_free(GC_malloc_atomic(1 << 20));
    say_flag("GC_get_expl_freed_bytes_since_gc", GC_get_expl_freed_bytes_since_gc() >= 1 << 20);
    GC_word heap = 0, since = 0;
    GC_get_heap_usage_safe(&heap, NULL, NULL, &since, NULL);
    say_flag("GC_get_heap_usage_safe gives GC_get_heap_size", heap == GC_get_heap_size());
    say_number("GC_get_full_gc_total_time unmeasured", GC_get_full_gc_total_time());
    void *object = GC_malloc(100);
    GC_gcollect();
    called = 0;
    GC_call_with_alloc_lock(enumerate, &object);
    say_number("GC_enumerate_reachable_objects_inner tells an object", called);
}
