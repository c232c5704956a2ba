/* Triggers; see pace.h. */
#include "cycle/pace.h"

#include "heap/layout.h"
#include "os/options.h"

static volatile AO_t trigger; /* live bytes; 0 until first set; the collecting thread */
static volatile AO_t forced;  /* allocated bytes at which gc_every forces a collection */

size_t pace_trigger(void) {
    size_t bytes = AO_load(&trigger);
    return bytes ? bytes : options.min_heap;
}

bool pace_due(void) {
    if (options.gc_every && AO_load(&heap.allocated) - AO_load(&forced) >= options.gc_every)
        return true;
    return AO_load(&heap.live) >= pace_trigger();
}

static void set_trigger(size_t live, size_t growth) {
    size_t bytes;
    if (__builtin_add_overflow(live, growth, &bytes))
        bytes = SIZE_MAX;
    AO_store(&trigger, bytes > options.min_heap ? bytes : options.min_heap);
    AO_store(&forced, AO_load(&heap.allocated));
}

void pace_after_cycle(size_t live, size_t roots) {
    size_t basis = live + roots;
    set_trigger(live, basis / 100 * options.percent + basis % 100 * options.percent / 100);
}

void pace_after_cancel(void) {
    size_t live = AO_load(&heap.live);
    set_trigger(live, live / 4 + options.min_heap / 4);
}
