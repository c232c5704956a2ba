/* The library's beginning and end in a process, and what it says of itself.
 *
 * Before the constructor malloc works but nothing is collected: the options are unknown and libc
 * may not be ready. There is no tearing down: the heap serves whoever still runs after main.
 */
#define TITHE_BUILDING
#include "tithe.h"

#include "altstack.h"
#include "beyond.h"
#include "chosen.h"
#include "deadly.h"
#include "fork.h"
#include "ioctl.h"
#include "leak/check.h"
#include "leak/exit.h"
#include "leak/listener.h"
#include "leak/record.h"
#include "leak/trial.h"
#include "libc_names.h"
#include "real.h"
#include "signals.h"
#include "start.h"
#include "threads.h"

#include "cycle/cycle.h"
#include "cycle/report.h"
#include "heap/layout.h"
#include "heap/quarantine.h"
#include "mark/evidence.h"
#include "os/faults.h"
#include "os/log.h"
#include "os/options.h"
#include "os/syscall.h"
#include "os/tasks.h"
#include "thread/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int said; /* the process that has said its line at the end */

/* A process that is not asked to say anything makes no system call for it: filters may kill for
 * one.
 */
static bool says_summary(void) {
    return options.stats || (options.summary && options.summary == (size_t)tasks_process());
}

void start_read_options(void) {
    static bool read;
    if (!read)
        options_read(secure_getenv("TITHE_OPTIONS"));
    read = true;
}

/* Freed blocks are as ever in a trial; and where it is not possible, nothing may be collected. */
static void prepare_trial(void) {
    memcpy(options.quarantine, "off", sizeof "off");
    options.collect &= record_is_on();
}

/* "12.3M": three figures are enough for people. */
static const char *human(size_t bytes, char text[16]) {
    static const char units[] = "BKMGT";
    double value = bytes;
    size_t unit = 0;
    for (; value >= 1000 && units[unit + 1]; unit++)
        value /= 1024;
    snprintf(text, 16, unit == 0 || value >= 100 ? "%.0f%c" : "%.1f%c", value, units[unit]);
    return text;
}

static void say_quarantine(void) {
    char held[16], most[16], taken[16], reached[16], marks[96] = "no mark yet";
    if (AO_load(&quarantine.marks) > 0)
        snprintf(marks, sizeof marks, "the last of %zu marks found pointers to %s in %zu blocks",
                 AO_load(&quarantine.marks), human(AO_load(&quarantine.reached_bytes), reached),
                 AO_load(&quarantine.reached_blocks));
    log_line(
        "%s[%d]: quarantine: %s in %zu blocks held back now, most %s, of %s in %zu blocks "
        "freed; %s",
        program_invocation_short_name, tasks_process(), human(AO_load(&quarantine.bytes), held),
        AO_load(&quarantine.blocks), human(AO_load(&quarantine.most_bytes), most),
        human(AO_load(&quarantine.taken_bytes), taken), AO_load(&quarantine.taken_blocks), marks);
}

static void say_trial(void) {
    struct trial_totals totals = trial_totals();
    char late[96] = "";
    if (totals.late_blocks > 0)
        snprintf(late, sizeof late, ", %zu bytes in %zu blocks of these only at its end",
                 totals.late_bytes, totals.late_blocks);
    log_line(
        "%s[%d]: trial: would have collected %zu bytes in %zu blocks%s; %zu blocks came back%s",
        program_invocation_short_name, tasks_process(), totals.bytes, totals.blocks, late,
        totals.returned_blocks, totals.returned_blocks > 0 ? " (wrong)" : "");
}

/* What the program has not freed. */
static size_t live_bytes(void) { return AO_load(&heap.live) - AO_load(&quarantine.bytes); }

static void say_reason(const char *reason, size_t cycles, void *context) {
    (void)context;
    log_line("%s[%d]: %zu cycles cancelled: %s", program_invocation_short_name, tasks_process(),
             cycles, reason);
}

/* Not in a child of vfork, which runs in our memory but is another process. */
static void say_summary(void) {
    char live[16], most[16], allocated[16], freed[16], collected[16];
    struct cycle_totals totals = cycle_totals();
    if (!says_summary() || !thread_in_own_process() || said == tasks_process())
        return;
    said = tasks_process();
    log_line("%s[%d]: allocated %s, freed %s, collected %s in %zu cycles (%zu cancelled), "
             "live %s, most %s, longest stop %.1f ms",
             program_invocation_short_name, tasks_process(),
             human(AO_load(&heap.allocated), allocated), human(AO_load(&heap.freed), freed),
             human(AO_load(&heap.collected), collected), totals.cycles, totals.cancelled,
             human(live_bytes(), live), human(AO_load(&heap.peak), most),
             totals.stop_longest / 1e6);
    report_each_reason(say_reason, NULL);
    if (quarantine_is_on())
        say_quarantine();
    if (trial_is_on())
        say_trial();
}

static void say_faults(void) {
    static volatile int said_by;
    if (!faults_wanted || !thread_in_own_process() || said_by == tasks_process())
        return;
    said_by = tasks_process();
    faults_say();
}

static void say_last(const void *context) {
    exit_by_signal(context);
    say_summary();
    say_faults();
}

/* malloc is served from the same heap, since it has been already. */
static void leave_alone(void) {
    options.collect = options.stats = options.trial = false;
    options.summary = 0;
    options.leaks[0] = 0;
    memcpy(options.quarantine, "off", sizeof "off");
}

__attribute__((constructor)) static void start(void) {
    real_find_all();
    libc_names_replace();
    start_read_options();
    if (!chosen_is_this_program())
        leave_alone();
    record_decide();
    if (options.trial)
        prepare_trial();
    if (options.log[0])
        log_to_file(options.log);
    else if (says_summary())
        log_keep_stderr();
    evidence_of_programs();
    threads_start();
    signals_start();
    altstack_start();
    beyond_start();
    ioctl_start();
    fork_start();
    cycle_enable();
    if (record_is_on() && options.trial) {
        trial_start();
        exit_start();
    } else if (record_is_on()) {
        check_start();
        exit_start();
        listener_start();
    }
    if (record_is_on() || says_summary())
        deadly_start(record_is_on(), say_last);
}

__attribute__((destructor)) static void finish(void) {
    exit_by_destructor();
    say_summary();
    say_faults();
}

/* Programs that leave without running destructors, as some shells do, say their line, too. */
TITHE_EXPORT void _exit(int status) {
    exit_by_call();
    say_summary();
    say_faults();
    for (;;)
        system_call(SYS_exit_group, status);
}

TITHE_EXPORT void _Exit(int status) { _exit(status); }

int tithe_collect(void) { return cycle_collect(CYCLE_FORCED); }

long tithe_check_leaks(void) {
    return record_is_on() ? check_in_program(CHECK_CALL, (struct mark_from){0}) : -1;
}

int tithe_ignore_leak(const void *address) { return record_is_on() && record_ignore(address); }

size_t tithe_get_statistics(struct tithe_statistics *statistics, size_t bytes) {
    struct cycle_totals totals = cycle_totals();
    struct trial_totals trial = trial_totals();
    struct tithe_statistics now = {
        .live = live_bytes(),
        .live_most = AO_load(&heap.peak),
        .allocated = AO_load(&heap.allocated),
        .freed = AO_load(&heap.freed),
        .collected = AO_load(&heap.collected),
        .cycles = totals.cycles,
        .cancelled = totals.cancelled,
        .stop_longest = totals.stop_longest,
        .stop_total = totals.stop_total,
        .trial_dead = trial.bytes,
        .trial_returned = trial.returned_blocks,
    };
    if (bytes > sizeof now)
        bytes = sizeof now;
    memcpy(statistics, &now, bytes);
    return bytes;
}
