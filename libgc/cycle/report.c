/* Totals and the statistics' line; see report.h. */
#include "cycle/report.h"

#include "cycle/assist.h"
#include "cycle/conduct.h"
#include "cycle/pace.h"
#include "cycle/worker.h"
#include "heap/layout.h"
#include "mark/evidence.h"
#include "os/dirty.h"
#include "os/log.h"
#include "os/options.h"
#include "roots/roots.h"

#include <stdio.h>

static struct cycle_totals totals;

/* Reasons are constant, and few. The conductor writes, the text before the count. */
enum { MOST_REASONS = 16 };
static struct {
    const char *reason;
    volatile AO_t cycles; /* release */
} cancelled[MOST_REASONS];

struct cycle_totals cycle_totals(void) {
    return totals;
}

void conduct_count_completion(void) {
    AO_fetch_and_add1((volatile AO_t *)&totals.completed_by_assist);
}

/* "tags 12:3:144 ": words, the objects that nothing stronger kept, their bytes. Of sorts that were
 * found. */
static const char *say_evidence(char *text, size_t room) {
    size_t at = 0;
    *text = 0;
    for (unsigned sort = 0; sort < EVIDENCE_SORTS; sort++) {
        struct evidence_count count = evidence_counted(sort);
        if (count.words > 0 && at < room)
            at += snprintf(text + at, room - at, "%s %zu:%zu:%zu ", evidence_names[sort],
                           count.words, count.objects, count.bytes);
    }
    return text;
}

/* "none (the kernel is older than 6.7)", or only the name where all is at its best. */
static const char *say_tracking(const struct cycle *cycle, char *text, size_t room) {
    const char *reason = dirty_reason();
    snprintf(text, room, reason ? "%s (%s)" : "%s", cycle->concurrent ? dirty_name() : "none",
             reason);
    return text;
}

static void say(const struct cycle *cycle) {
    static const char *const names[] = {"paced", "forced", "out of memory"};
    char evidence[256], tracking[64];
    log_line(
        "cycle %u (%s): trigger %zuK goal %zuK peak %zuK live %zuK -> %zuK freed %zuK roots %zuK "
        "marked %zu objects scanned %zuK cached %zu rounds %u written %zuK then %zuK "
        "stop %.3f ms (signals %.3f plan %.3f mark %.3f) assists %.3f ms workers %.3f ms of %u "
        "%sdirty %s",
        cycle->number, names[cycle->trigger], cycle->trigger_bytes >> 10, cycle->goal_bytes >> 10,
        AO_load(&heap.peak_in_cycle) >> 10, cycle->live_before >> 10, cycle->live_after >> 10,
        (cycle->live_most - cycle->live_after) >> 10, roots_bytes() >> 10, assist_marked_objects(),
        pace_scanned() >> 10, cycle->cached_objects, cycle->rounds, cycle->written >> 10,
        cycle->stop_written >> 10, cycle->stop_nanoseconds / 1e6,
        (cycle->stop_stopped - cycle->stop_begun) / 1e6,
        (cycle->stop_planned - cycle->stop_stopped) / 1e6,
        (cycle->stop_settled - cycle->stop_planned) / 1e6, pace_assist_time() / 1e6,
        pace_worker_time() / 1e6, worker_count(), say_evidence(evidence, sizeof evidence),
        say_tracking(cycle, tracking, sizeof tracking));
}

/* What does not fit is counted in the totals only. */
static void count_cancelled(const char *reason) {
    size_t i = 0;
    while (i < MOST_REASONS && cancelled[i].reason && cancelled[i].reason != reason)
        i++;
    if (i == MOST_REASONS)
        return;
    cancelled[i].reason = reason;
    AO_store_release(&cancelled[i].cycles, cancelled[i].cycles + 1);
}

void report_each_reason(void (*visit)(const char *reason, size_t cycles, void *context),
                        void *context) {
    for (size_t i = 0, cycles; i < MOST_REASONS; i++)
        if ((cycles = AO_load_acquire(&cancelled[i].cycles)) > 0)
            visit(cancelled[i].reason, cycles, context);
}

void report_stop(long long nanoseconds) {
    totals.stop_total += nanoseconds;
    if (nanoseconds > totals.stop_longest)
        totals.stop_longest = nanoseconds;
}

void report_cycle(const struct cycle *cycle, bool done) {
    totals.assist_total += pace_assist_time();
    totals.worker_total += pace_worker_time();
    if (!done) {
        totals.cancelled++;
        count_cancelled(cycle->reason);
        if (options.stats)
            log_line("cycle %u: nothing is collected: %s", cycle->number, cycle->reason);
        return;
    }
    totals.cycles++;
    if (options.stats)
        say(cycle);
}
