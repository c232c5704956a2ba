/* Which signals wait, and the values that go when they do; see queued.h.
 *
 * The kernel says of which numbers a signal waits, for the process and for each thread. That is
 * asked in the stop, when nobody sends: a value is held until its number waits nowhere, and then
 * the program has it, on a stack or in what a call gave back. Only the numbers of which values are
 * held are asked for, and the threads only if values were sent to a single one.
 */
#include "queued.h"

#include "real.h"
#include "requests.h"

#include "cycle/cycle.h"
#include "os/descriptor.h"
#include "os/syscall.h"
#include "os/tasks.h"

#include <atomic_ops.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct requests values; /* by number */
static bool any_for_thread;
static struct descriptor status = DESCRIPTOR_CLOSED;

/* Calls under way, by number; any thread. What they send may neither wait yet nor have been taken.
 */
static volatile AO_t sending[_NSIG];

static bool is_number(int number) { return number > 0 && number < _NSIG; }

static void keep(int number, uint64_t value, bool for_thread) {
    if (value == 0 || cycle_is_ended())
        return;
    struct requests_lock lock = requests_lock();
    if (!descriptor_is_open(&status))
        descriptor_open(&status, "/proc/self/status");
    any_for_thread |= for_thread;
    requests_keep(&values, number, value);
    requests_unlock(lock);
}

void queued_keep(int number, uint64_t value) { keep(number, value, true); }

void queued_begin(pid_t process, int number, uint64_t value, bool to_thread) {
    if (!is_number(number) || cycle_is_ended())
        return;
    AO_fetch_and_add1_full(&sending[number]);
    if (process == 0 || process == tasks_process())
        keep(number, value, to_thread);
}

void queued_end(int number) {
    if (is_number(number) && !cycle_is_ended())
        AO_fetch_and_sub1_full(&sending[number]);
}

void queued_after_fork(void) {
    requests_drop_all(&values);
    any_for_thread = false;
    descriptor_close(&status);
}

/* The set that a line of the status tells. False when it does not. */
static bool read_set(const char *text, const char *field, uint64_t *set) {
    const char *at = strstr(text, field);
    if (at)
        *set |= strtoull(at + strlen(field), NULL, 16);
    return at != NULL;
}

struct waiting {
    uint64_t set; /* number n is bit n - 1 */
    unsigned threads;
};

enum { MOST_THREADS = 1024 }; /* that are asked in a stop; beyond it values are held for longer */

static bool ask_thread(int tid, void *context) {
    struct waiting *waiting = context;
    char text[4096];
    return ++waiting->threads <= MOST_THREADS && tasks_status(tid, text, sizeof text) &&
           read_set(text, "\nSigPnd:", &waiting->set);
}

static bool find_waiting(struct waiting *waiting) {
    char text[4096];
    if (!descriptor_is_open(&status))
        return false;
    long length = system_call(SYS_pread64, status.fd, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = 0;
    return read_set(text, "\nShdPnd:", &waiting->set) &&
           (!any_for_thread || tasks_each(ask_thread, waiting));
}

void queued_settle(void) {
    struct waiting waiting = {0};
    if (!requests_any(&values) || !find_waiting(&waiting))
        return;
    for (int number = 1; number < _NSIG; number++)
        if (!(waiting.set >> (number - 1) & 1) && AO_load(&sending[number]) == 0)
            requests_drop(&values, number);
    if (waiting.set == 0)
        requests_drop(&values, QUEUED_ANY);
    any_for_thread &= requests_any(&values);
}

TITHE_EXPORT int sigqueue(pid_t process, int number, const union sigval value) {
    queued_begin(process, number, (uintptr_t)value.sival_ptr, false);
    int result = REAL(sigqueue)(process, number, value);
    queued_end(number);
    return result;
}

TITHE_EXPORT int pthread_sigqueue(pthread_t thread, int number, const union sigval value) {
    queued_begin(0, number, (uintptr_t)value.sival_ptr, true);
    int result = REAL(pthread_sigqueue)(thread, number, value);
    queued_end(number);
    return result;
}
