/* The word; see phase.h. */
#include "cycle/phase.h"

#include "mark/jobs.h"
#include "mark/queue.h"
#include "os/park.h"
#include "os/processors.h"

#include <atomic_ops.h>

/* Bits 0 to 2: the phase. Bits 3 to 18: markers at work. Above: how often a marker entered or the
 * conductor wrote. Entering, leaving, marking to complete: any marker. Complete to ending: whoever
 * claims. The rest: the conductor, while no marker is at work. All of it sequentially consistent.
 */
static volatile AO_t word;

enum { DRY_LOOKS = 1000 }; /* some tens of microseconds, which sleeping and waking costs, too */

enum { ONE_MARKER = 1 << 3, MARKERS = 0xffff << 3, ONE_VERSION = 1 << 19 };

static enum phase phase_of(AO_t seen) { return seen % ONE_MARKER; }

static AO_t with_phase(AO_t seen, enum phase phase) {
    return (seen & ~(AO_t)(ONE_MARKER - 1)) | phase;
}

enum phase phase_now(void) { return phase_of(AO_load_acquire(&word)); }

bool phase_enter(void) {
    for (;;) {
        AO_t seen = AO_load_acquire(&word);
        if (phase_of(seen) != PHASE_MARKING)
            return false;
        if (AO_compare_and_swap_full(&word, seen, seen + ONE_VERSION + ONE_MARKER))
            return true;
    }
}

bool phase_leave(void) {
    AO_t left = AO_fetch_and_add_full(&word, -(AO_t)ONE_MARKER) - ONE_MARKER;
    if ((left & MARKERS) != 0 || !queue_is_empty() || jobs_are_left())
        return false;
    return AO_compare_and_swap_full(&word, left, with_phase(left, PHASE_COMPLETE));
}

bool phase_claim(void) {
    AO_t seen = AO_load_acquire(&word);
    return phase_of(seen) == PHASE_COMPLETE &&
           AO_compare_and_swap_full(&word, seen, with_phase(seen, PHASE_ENDING));
}

static void conductor_write(enum phase phase, AO_t markers, bool wakes) {
    AO_store_full(&word, with_phase(AO_load(&word) + ONE_VERSION + markers, phase));
    if (wakes)
        queue_stir(queue_served());
}

void phase_open(bool wakes) { conductor_write(PHASE_MARKING, 0, wakes); }
void phase_open_entered(bool wakes) { conductor_write(PHASE_MARKING, ONE_MARKER, wakes); }
void phase_close(bool wakes) { conductor_write(PHASE_OFF, 0, wakes); }

static bool is_dry(void) {
    return phase_now() == PHASE_MARKING && queue_is_empty() && !jobs_are_left();
}

bool phase_stays_dry(void) {
    int looks = processors_count() > 1 ? DRY_LOOKS : 0;
    for (; looks > 0 && is_dry(); looks--)
        park_relax();
    return looks == 0 && is_dry();
}

void phase_after_fork(void) {
    AO_store(&word, with_phase(AO_load(&word) & ~(AO_t)MARKERS, PHASE_OFF));
}
