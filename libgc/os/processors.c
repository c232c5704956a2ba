/* The set, as the kernel gives it; see processors.h. */
#include "os/processors.h"

#include "os/syscall.h"

#include <atomic_ops.h>
#include <sched.h>

enum { MOST_PROCESSORS = 8192, BITS = 8 * sizeof(unsigned long) };

static unsigned long set[MOST_PROCESSORS / BITS];
static long set_bytes;
static int own_policy;          /* SCHED_OTHER where it was a real-time one */
static volatile unsigned count; /* written once, after the set; release */

static int ordinary(long policy) {
    policy &= ~SCHED_RESET_ON_FORK;
    return policy == SCHED_BATCH || policy == SCHED_IDLE ? (int)policy : SCHED_OTHER;
}

void processors_note(void) {
    unsigned found = 0;
    if (AO_int_load_acquire(&count))
        return;
    own_policy = ordinary(system_call(SYS_sched_getscheduler, 0));
    set_bytes = system_call(SYS_sched_getaffinity, 0, sizeof set, set);
    for (long i = 0; i < set_bytes / (long)sizeof *set; i++)
        found += __builtin_popcountl(set[i]);
    AO_int_store_release(&count, found ? found : 1);
}

unsigned processors_count(void) {
    processors_note();
    return AO_int_load_acquire(&count);
}

void processors_give_all(int tid) {
    const struct sched_param none = {0};
    if (system_call(SYS_sched_getscheduler, tid) != own_policy)
        system_call(SYS_sched_setscheduler, tid, own_policy, &none);
    if (set_bytes > 0)
        system_call(SYS_sched_setaffinity, tid, set_bytes, set);
}
