/* libgc's settings that are a variable with a getter and a setter.
 *
 * Some steer our pacer (the divisor); those that steer only how libgc goes about its work are kept
 * and told, so that a program which saves and restores them finds what it left.
 */
#include "api/api.h"

#include "cycle/assist.h"
#include "cycle/pace.h"
#include "os/options.h"
#include "os/signal.h"
#include "thread/world.h"

#include <signal.h>

int GC_java_finalization = 1;
int GC_dont_expand;
int GC_dont_precollect;
int GC_full_freq = 19;
int GC_parallel;
GC_word GC_non_gc_bytes;
GC_word GC_max_retries;
unsigned long GC_time_limit = 999999;

enum {
    SIGNALS_MOST = 64,
    DEFAULT_DIVISOR = 3,
    PERCENT_FOR_ONE = 225,
    BYTES_FOR_OBJECT = 48,
    LEAST_SHARE = 4
};

GC_word GC_free_space_divisor = DEFAULT_DIVISOR;

static int rate = 10, prior_attempts = 1, pages_executable;
static GC_word bytes_per_finalizer = 10000;
static size_t least_bytes = 1;
static unsigned long time_limit_nanoseconds;
static int suspend_signal, restart_signal = SIGXCPU;

#define SETTING(type, name, variable)                                                              \
    void GC_set_##name(type value) { variable = value; }                                           \
    type GC_get_##name(void) { return variable; }

SETTING(int, finalize_on_demand, GC_finalize_on_demand)
SETTING(int, java_finalization, GC_java_finalization)
SETTING(GC_finalizer_notifier_proc, finalizer_notifier, GC_finalizer_notifier)
SETTING(int, dont_expand, GC_dont_expand)
SETTING(int, dont_precollect, GC_dont_precollect)
SETTING(int, full_freq, GC_full_freq)
SETTING(GC_word, non_gc_bytes, GC_non_gc_bytes)
SETTING(GC_word, max_retries, GC_max_retries)
SETTING(int, rate, rate)
SETTING(int, max_prior_attempts, prior_attempts)
SETTING(size_t, min_bytes_allocd, least_bytes)
SETTING(GC_word, allocd_bytes_per_finalizer, bytes_per_finalizer)
SETTING(int, pages_executable, pages_executable)
SETTING(unsigned long, time_limit, GC_time_limit)

static size_t first_percent; /* at the start; 0 before that */
static size_t whole_percent; /* what the heap may grow by if all of it had to be read; the
                                conductor, and who sets the divisor */

static size_t percent_of_divisor(void) {
    GC_word divisor = GC_free_space_divisor;
    if (divisor == DEFAULT_DIVISOR || divisor == 0)
        return first_percent;
    return PERCENT_FOR_ONE / divisor > 0 ? PERCENT_FOR_ONE / divisor : 1;
}

/* libgc collects when about a divisor's part of the heap was allocated. Its default of 3 is our
 * default; a greater one means less room and more collecting. */
void tunables_apply(void) {
    size_t percent = percent_of_divisor();
    if (first_percent == 0 || percent == whole_percent)
        return;
    whole_percent = options.percent = percent;
    pace_forget_goal();
}

void tunables_start(void) {
    first_percent = whole_percent = options.percent;
    tunables_apply();
}

/* A heap grows so that marking it costs little beside what is allocated meanwhile. What holds no
 * pointers is marked and not read, so a heap full of texts need not grow by as much as one of
 * lists: by the share that was read, or by so much for each object, where they are so small that
 * finding them is the work; but by a third of what a heap of lists does, because a cycle has its
 * price, too. */
void tunables_note_work(size_t live) {
    size_t read = pace_scanned(), found = assist_marked_objects() * BYTES_FOR_OBJECT;
    size_t work = read > found ? read : found, least = live / LEAST_SHARE;
    if (!api_stands_alone || live == 0)
        return;
    work = work < least ? least : work < live ? work : live;
    size_t percent = (size_t)((double)whole_percent * work / live);
    options.percent = percent > 0 ? percent : 1;
}

void GC_set_free_space_divisor(GC_word divisor) {
    GC_free_space_divisor = divisor;
    tunables_apply();
}

GC_word GC_get_free_space_divisor(void) { return GC_free_space_divisor; }

void GC_set_time_limit_tv(struct GC_timeval_s limit) {
    GC_time_limit = limit.tv_ms;
    time_limit_nanoseconds = limit.tv_nsec;
}

struct GC_timeval_s GC_get_time_limit_tv(void) {
    return (struct GC_timeval_s){GC_time_limit, time_limit_nanoseconds};
}

/* 0: as many as the collector finds right. Counts those that mark beside the allocating threads,
 * as libgc counts all but one. */
void GC_set_markers_count(unsigned count) {
    if (!api_started && count > 0)
        options.workers = count - 1 < WORKERS_MOST ? count - 1 : WORKERS_MOST;
}

int GC_get_parallel(void) { return GC_parallel; }

/* Threads are stopped by a signal that the program does not use; another one may be demanded. */
void GC_set_suspend_signal(int number) {
    suspend_signal = number;
    if (!api_started && number > 0 && number <= SIGNALS_MOST)
        world_use_signal(number);
}

/* Programs leave the one that they are told here unblocked in threads that block all others. */
int GC_get_suspend_signal(void) { return suspend_signal ? suspend_signal : world_signal(); }

void GC_set_thr_restart_signal(int number) { restart_signal = number; }
int GC_get_thr_restart_signal(void) { return restart_signal; }
