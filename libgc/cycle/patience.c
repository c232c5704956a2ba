/* Budgets and pauses; see patience.h. */
#include "cycle/patience.h"

#include "cycle/pace.h"
#include "os/clock.h"
#include "os/options.h"

#include <atomic_ops.h>

enum {
    MILLISECOND = 1000000,
    BUDGET_SHARE = 4, /* of the time since the first failed stop that the next may take */
    PAUSE_SHARE = 4,  /* and that the pause before it takes, at least a millisecond */
    MOST_GIVEN_UP = 4 /* cycles in a row, each of which halves the patience with the next */
};

static long long first_failed; /* when that was begun; 0 if none in this cycle */
static unsigned given_up;      /* cycles in a row */
static volatile AO_t due_at;   /* nanoseconds; 0: no stop has been put off; the conductor */

long long patience_budget(void) {
    long long budget = (long long)options.stop_budget * MILLISECOND;
    long long grown = first_failed ? (clock_nanoseconds() - first_failed) / BUDGET_SHARE : 0;
    return grown > budget ? grown : budget;
}

/* A thread that was out of reach for all of a cycle is likely to be so in the next one. */
static long long limit(void) {
    unsigned halves = given_up < MOST_GIVEN_UP ? given_up : MOST_GIVEN_UP;
    return (long long)options.stop_timeout * MILLISECOND >> halves;
}

bool patience_lasts(long long begun) {
    long long now = clock_nanoseconds();
    if (first_failed == 0)
        first_failed = begun;
    long long passed = now - first_failed, pause = passed / PAUSE_SHARE;
    if (passed >= limit())
        return false;
    AO_store(&due_at, now + (pause > MILLISECOND ? pause : MILLISECOND));
    pace_forgive(true);
    return true;
}

bool patience_waits(void) { return AO_load(&due_at) != 0; }

bool patience_try(void) {
    bool waited = patience_waits();
    AO_store(&due_at, 0);
    return waited;
}

bool patience_is_due(void) {
    long long at = AO_load(&due_at);
    return __builtin_expect(at == 0, 1) || clock_nanoseconds() >= at;
}

void patience_end(bool stopped) {
    given_up = stopped || first_failed == 0 ? 0 : given_up + 1;
    first_failed = 0;
    AO_store(&due_at, 0);
    pace_forgive(false);
}
