/* Collecting on request, switching it off and on, and the heap's greatest size. */
#include "api/api.h"

#include "cycle/cycle.h"
#include "cycle/pace.h"
#include "heap/pages.h"
#include "os/dirty.h"
#include "thread/thread.h"
#include "weak/table.h"

int GC_dont_gc;
int GC_find_leak;
int GC_use_entire_heap;
size_t api_greatest_heap;

static int disabled_automatic, force_unmap, incremental, incremental_forbidden, manual_dirty,
    fault_dirty = 1;
static GC_stop_func default_stop;

static int never_stop(void) { return 0; }

static bool is_stopped(void) {
    if (default_stop == NULL)
        return false;
    api_lend_lock();
    bool stopped = default_stop() != 0;
    api_take_lock_back();
    return stopped;
}

bool collect_is_allowed(void) { return GC_dont_gc <= 0 && !disabled_automatic && !is_stopped(); }

/* Finalizers run, or are announced, before this returns. */
static int collect_unless(GC_stop_func stop) {
    api_start();
    if (GC_dont_gc > 0)
        return 0;
    libraries_ask();
    bool done = cycle_collect_unless(stop);
    api_finalize();
    return done;
}

static void unmap(void) {
    pages_release_all();
    statistics_forget_expansion();
}

void GC_gcollect(void) {
    collect_unless(default_stop ? default_stop : never_stop);
    if (force_unmap)
        unmap();
}

void GC_gcollect_and_unmap(void) {
    collect_unless(never_stop);
    unmap();
}

int GC_try_to_collect(GC_stop_func stop) { return collect_unless(stop); }

int GC_collect_a_little(void) {
    api_start();
    if (GC_dont_gc > 0)
        return 0;
    bool more = cycle_help();
    api_finalize();
    return more;
}

void GC_start_incremental_collection(void) {
    api_start();
    if (GC_dont_gc <= 0 && incremental) {
        libraries_ask();
        cycle_start();
    }
}

/* The collector always is concurrent; what was asked for is remembered to be told. */
void GC_enable_incremental(void) {
    api_start();
    incremental = !incremental_forbidden;
}

void collect_set_incremental(bool wanted, bool forbidden) {
    incremental_forbidden = forbidden;
    if (wanted)
        incremental = !forbidden;
}

int GC_is_incremental_mode(void) { return incremental; }

/* No page of the program's is ever protected so that it would notice. */
int GC_incremental_protection_needs(void) {
    api_start();
    return GC_PROTECTS_NONE;
}

void GC_set_manual_vdb_allowed(int allowed) { manual_dirty = allowed; }
int GC_get_manual_vdb_allowed(void) { return manual_dirty; }

/* Faults of the program's are never handled, whatever was allowed. */
void GC_set_mprotect_vdb_allowed(int allowed) { fault_dirty = allowed; }
int GC_get_mprotect_vdb_allowed(void) { return fault_dirty; }

/* How written pages are known while marking goes on beside the program; the default is to take all
 * for written, in a stop. */
unsigned GC_get_actual_vdb(void) {
    api_start();
    return dirty_open() == DIRTY_USERFAULT ? GC_VDB_UFFDWP : GC_VDB_DEFAULT;
}

/* Of these the best that the system has is used. */
unsigned GC_get_supported_vdbs(void) { return GC_VDB_UFFDWP | GC_VDB_SOFT | GC_VDB_DEFAULT; }

void GC_disable(void) { __atomic_add_fetch(&GC_dont_gc, 1, __ATOMIC_SEQ_CST); }

static void disable_in_rest(void *unused) {
    (void)unused;
    GC_disable();
}

void GC_finish_and_disable(void) {
    api_start();
    cycle_while_idle(disable_in_rest, NULL);
}

/* Once too often is an error that libgc's programs get away with. */
void GC_enable(void) {
    int before = GC_dont_gc;
    while (before > 0 && !__atomic_compare_exchange_n(&GC_dont_gc, &before, before - 1, false,
                                                      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        continue;
}

int GC_is_disabled(void) { return GC_dont_gc != 0; }

void GC_set_disable_automatic_collection(int value) { disabled_automatic = value; }
int GC_get_disable_automatic_collection(void) { return disabled_automatic; }
void GC_set_force_unmap_on_gcollect(int value) { force_unmap = value; }
int GC_get_force_unmap_on_gcollect(void) { return force_unmap; }
void GC_set_find_leak(int value) { GC_find_leak = value; }
int GC_get_find_leak(void) { return GC_find_leak; }

void GC_set_stop_func(GC_stop_func stop) { default_stop = stop; }
GC_stop_func GC_get_stop_func(void) { return default_stop ? default_stop : never_stop; }

void GC_set_max_heap_size(GC_word bytes) { api_greatest_heap = bytes; }

int collect_expand(size_t bytes) {
    size_t most = api_greatest_heap ? api_greatest_heap : SIZE_MAX, have = GC_get_heap_size();
    if (have > most || bytes > most - have || !pages_reserve(bytes))
        return 0;
    pace_raise_floor(bytes);
    statistics_expanded(bytes);
    return 1;
}

int GC_expand_hp(size_t bytes) {
    api_start();
    return collect_expand(bytes);
}

#undef GC_alloc_lock
#undef GC_alloc_unlock
void api_count_program_lock(int change) {
    if (thread_current() != &thread_left)
        thread_self->program_locks += change;
}

void api_lend_lock(void) {
    lock_take(&weak_lock);
    lock_lend(&weak_lock);
    api_count_program_lock(1);
}

void api_take_lock_back(void) {
    api_count_program_lock(-1);
    lock_take_back(&weak_lock);
    lock_give(&weak_lock);
}

void GC_alloc_lock(void) { api_lend_lock(); }
void GC_alloc_unlock(void) { api_take_lock_back(); }

void *GC_call_with_alloc_lock(GC_fn_type function, void *argument) {
    GC_alloc_lock();
    void *result = function(argument);
    GC_alloc_unlock();
    return result;
}
