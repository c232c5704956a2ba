/* Triggers, goals and rates; see pace.h. */
#include "cycle/pace.h"

#include "heap/layout.h"
#include "heap/metadata.h"
#include "heap/pages.h"
#include "os/clock.h"
#include "os/limits.h"
#include "os/options.h"
#include "os/processors.h"

#include <atomic_ops.h>
#include <stdint.h>

enum {
    LEAST_LEFT = 256 << 10,  /* bytes to the goal, for the rate: it may not grow without bound */
    LEAST_LEFT_SHARE = 64,   /* nor may an assist take long: so much of the goal, if that is more */
    LEAST_WORK = 1 << 20,    /* bytes expected to be left, as long as a mark has not ended */
    LIMIT_MOST_PERCENT = 50, /* of the processors' time that collecting may take */
    LEAST_RUNWAY = 1 << 20,  /* bytes between trigger and goal */
    SMALL_SCANNED =
        32 << 20,           /* bytes, roots included, that two threads scan in some milliseconds */
    TINY_SCANNED = 1 << 20, /* and that one alone scans in half of one */
    SMALL_LIVE = 96 << 20,  /* bytes live, should none of them be garbage this time */
    RESIDENT_SHARE = 8,     /* of the process's memory that a small heap may grow by, at least */
    THREADED_SHARE = 4,     /* the same where many threads have to be stopped each time */
    MANY_THREADS = 4,
    GOAL_KEPT_SHARE = 100,     /* of its goal that a small heap loses in a cycle */
    WORK_PER_BYTE = 40,        /* bytes scanned for an allocated one, when all goes as expected */
    LEAST_GROWTH_SHARE = 64,   /* of the memory limit */
    LEAST_GROWTH_PERCENT = 12, /* the same once it was exceeded */
    MOST_PUT_OFF = 2,          /* cycles in a row */
    FEW_ASKED = 4 << 10,       /* bytes at once */
    LEFT_TO_OTHERS = 128 << 10,
    MOST_GROWTH = 4,       /* of the work from one mark to the next, as far as is foreseen */
    EARLIEST_PERCENT = 30, /* of the growth to the goal has to be used before a cycle begins */
    FIRST_LOOK = 1 << 20,  /* bytes live before it is asked how much memory there is */
    LOOKS = 4,             /* on the way to the goal, each time */
    LOOK_PAUSE = 5,        /* milliseconds */
    LEFT_SHARE = 20, /* of the memory limit, and bytes beside, that the heap does without: tables */
    LEAST_LEFT_OVER = 1 << 20,
    FIRST_LEFT_OVER = 512 << 10, /* bytes more until the first mark has made what marks need */
    ASSISTS = 512,               /* that do all of a mark's work */
    LEAST_ASSIST = 512 << 10,
    MOST_ASSIST = 2 << 20
};

static volatile AO_t trigger; /* live bytes; 0 until first set; the conductor */
static volatile AO_t goal;
static volatile AO_t floor_bytes;  /* live bytes below which no cycle is due; any thread adds */
static volatile AO_t least_growth; /* of a small heap; the program's threads, before a cycle */
static volatile AO_t beside; /* bytes outside the heap that objects have come to need; any thread */
static bool stops_for_small;
static volatile AO_t forced; /* allocated bytes at which gc_every forced the last cycle */

/* Of the mark that goes on, written by the conductor at its beginning. */
static size_t live_at_begin, expected;
static long long begun;
static volatile AO_t scanned;     /* any marker adds */
static volatile AO_t assist_time; /* nanoseconds; any thread adds */
static volatile AO_t worker_time;
static volatile AO_t work_per_byte; /* times RATE_ONE; whoever reports work, racily: a hint */

static volatile bool forgiving; /* nobody waits for debt; the conductor */

/* Of marks that ended. */
static size_t last_scanned, last_roots;
static size_t doomed;       /* kept by the mark that ends, and about to be freed */
static unsigned put_off;    /* cycles in a row; the conductor */
static volatile AO_t borne; /* dead bytes that are kept; the conductor */

/* The memory limit: live bytes at which it would be reached, by who asked last, and the live bytes
 * at which to ask again, by who asks next and the conductor. A look writes them in this order. */
static volatile AO_t allowed = SIZE_MAX;
static volatile AO_t look_at = FIRST_LOOK;
static volatile AO_t looked;      /* milliseconds, coarse */
static volatile AO_t scattered;   /* bytes free among others when the heap was full; who asks first,
                                     then the conductor */
static volatile AO_t left_static; /* what the limit leaves beside what is known; the conductor */
static volatile AO_t survived;    /* live bytes when the last mark ended; the conductor */

/* Writing: bytes on written pages for an allocated byte, in rounds that found few. */
static size_t allocated_at_round;
static double writing;
static volatile AO_t rescan_per_byte; /* times RATE_ONE; 0 before the first rescan; the conductor */

enum { RATE_ONE = 1 << 16, RESCANS_PER_WRITTEN = 3, MOST_RESCAN_PER_BYTE = 256 };

void pace_raise_floor(size_t bytes) { AO_fetch_and_add(&floor_bytes, bytes); }

static size_t capped_sum(size_t a, size_t b) {
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

static size_t share(size_t bytes, size_t percent) {
    return bytes / 100 * percent + bytes % 100 * percent / 100;
}

/* However little the memory limit leaves, the heap may grow by some of it; by more when the limit
 * has been exceeded already, or what survived is mostly memory that nobody has touched. */
static size_t least_allowed(void) {
    size_t limit = limits_memory(), live = AO_load(&survived);
    size_t growth = live < limit ? limit / LEAST_GROWTH_SHARE : share(limit, LEAST_GROWTH_PERCENT);
    return capped_sum(live, growth);
}

/* The most that the memory limit lets the heap grow to. */
static size_t most_allowed(void) {
    size_t bytes = AO_load(&allowed), least = least_allowed();
    if (limits_memory() == SIZE_MAX)
        return SIZE_MAX;
    if (AO_load(&survived) > 0 && AO_load(&left_static) < bytes)
        bytes = AO_load(&left_static);
    return bytes < least ? least : bytes;
}

static size_t wanted_goal(void) {
    size_t bytes = AO_load(&goal), least = AO_load(&floor_bytes);
    bytes = bytes ? bytes : options.min_heap + options.min_heap / 2;
    return bytes > least + least / 8 ? bytes : least + least / 8;
}

size_t pace_goal(void) {
    size_t most = most_allowed(), bytes = wanted_goal();
    return capped_sum(bytes < most ? bytes : most, AO_load(&borne));
}

bool pace_is_limited(void) { return limits_memory() != SIZE_MAX && most_allowed() < wanted_goal(); }

/* Of a mark that begins with so many bytes live, by what the last one was. */
static size_t work_for(size_t live) {
    if (last_scanned == 0 || live_at_begin == 0)
        return live;
    double growth = (double)live / live_at_begin;
    return last_scanned * (growth < MOST_GROWTH ? growth : MOST_GROWTH);
}

static bool is_small(size_t live) {
    return stops_for_small && options.gc_every == 0 && last_scanned <= SMALL_SCANNED &&
           live <= SMALL_LIVE;
}

/* So far below the goal that the work expected of the mark costs WORK_PER_BYTE. More would
 * make marks longer, and with them what is allocated meanwhile and kept, and the pages to be
 * rescanned. Nothing is allocated in a mark that is one stop. */
static size_t trigger_for(size_t live, size_t end) {
    size_t growth = end > live ? end - live : 0;
    size_t runway = work_for(end) / WORK_PER_BYTE,
           earliest = live + share(growth, EARLIEST_PERCENT);
    runway = is_small(end) ? 0 : runway > LEAST_RUNWAY ? runway : LEAST_RUNWAY;
    size_t bytes = end > runway ? end - runway : 0;
    return bytes > earliest ? bytes : earliest;
}

/* Without what is borne. */
static size_t bare_trigger(void) {
    size_t bytes = AO_load(&trigger), least = AO_load(&floor_bytes);
    bytes = bytes ? bytes : options.min_heap;
    bytes = bytes > least ? bytes : least;
    if (!pace_is_limited())
        return bytes;
    size_t early = trigger_for(AO_load(&survived), most_allowed());
    return early < bytes ? early : bytes;
}

size_t pace_trigger(void) { return capped_sum(bare_trigger(), AO_load(&borne)); }

bool pace_due(void) {
    if (options.gc_every && AO_load(&heap.allocated) - AO_load(&forced) >= options.gc_every)
        return true;
    return AO_load(&heap.live) + AO_load(&beside) >= pace_trigger();
}

bool pace_due_for(size_t bytes) {
    bool leaves = stops_for_small && bytes < FEW_ASKED && options.gc_every == 0;
    size_t live = AO_load(&heap.live) + AO_load(&beside);
    return pace_due() && (!leaves || live >= pace_trigger() + LEFT_TO_OTHERS);
}

void pace_count_beside(size_t bytes) { AO_fetch_and_add(&beside, bytes); }

bool pace_overdue(void) {
    if (options.gc_every && AO_load(&heap.allocated) - AO_load(&forced) >= 2 * options.gc_every)
        return true;
    return AO_load(&heap.live) >= pace_trigger() / 2 + pace_goal() / 2;
}

bool pace_has_room(void) { return options.gc_every == 0 && AO_load(&heap.live) < pace_goal(); }

/* Bytes that must not be reached by what was live when the mark began and is allocated meanwhile.
 */
static size_t cycle_goal(void) {
    if (options.gc_every)
        return capped_sum(live_at_begin, options.gc_every);
    return pace_goal();
}

/* More work than expected means that more of the heap is alive; all of it may be. */
static size_t whole_work(size_t done) {
    size_t most = capped_sum(live_at_begin, last_roots);
    return done < expected ? expected : done < most ? most : done + done / 4;
}

/* Near the goal and beyond it the rate does not fall with the work that is left: if it did, every
 * halving of that would let as much be allocated as the one before. */
static void revise(void) {
    size_t end = cycle_goal(), live = AO_load(&heap.live);
    size_t limit = limits_memory(), least = (end < limit ? end : limit) / LEAST_LEFT_SHARE;
    least = least > LEAST_LEFT ? least : LEAST_LEFT;
    bool near = end < live || end - live < least;
    size_t done = AO_load(&scanned), whole = whole_work(done);
    size_t rest = whole - done > LEAST_WORK ? whole - done : LEAST_WORK;
    double rate = near ? (double)whole / least : (double)rest / (end - live);
    AO_store(&work_per_byte, rate * RATE_ONE);
}

void pace_note_process(size_t resident, unsigned threads) {
    AO_store(&least_growth, resident / (threads < MANY_THREADS ? RESIDENT_SHARE : THREADED_SHARE));
}

void pace_stop_for_small_marks(void) { stops_for_small = true; }

/* With gc_every, cycles are wanted that are like others. */
bool pace_is_small(void) { return is_small(AO_load(&heap.live)); }

bool pace_wants_workers(void) { return !pace_is_small() || last_scanned > TINY_SCANNED; }

/* Bytes of the heap's memory that are neither live nor free pages: free objects among others. */
static size_t scattered_bytes(void) {
    size_t resident = pages_resident_bytes(), rest = pages_idle_bytes() + AO_load(&heap.live);
    return resident > rest ? resident - rest : 0;
}

/* What the heap has had in the cycles before, fading, and may soon have again: to fault that memory
 * in anew took most of the time of a program with blocks of some MiB (1 December 2026). */
static size_t recent_peak; /* the conductor */

static void note_peak(void) {
    size_t faded = recent_peak / 4 * 3, now = AO_load(&heap.peak_in_cycle);
    recent_peak = now > faded ? now : faded;
}

/* How large the heap is likely to become before the next cycle ends, if memory allows. */
static size_t bytes_to_come(void) {
    size_t peak = AO_load(&heap.peak_in_cycle), most = most_allowed();
    peak = peak > recent_peak ? peak : recent_peak;
    peak = peak < most ? peak : most;
    return pace_goal() > peak ? pace_goal() : peak;
}

void pace_begin(size_t live, long long start) {
    expected = work_for(live);
    live_at_begin = live;
    begun = start;
    AO_store(&scanned, 0);
    AO_store(&assist_time, 0);
    AO_store(&worker_time, 0);
    note_peak();
    AO_store(&heap.peak_in_cycle, live);
    AO_store(&scattered, scattered_bytes());
    AO_store(&rescan_per_byte, 0);
    allocated_at_round = AO_load(&heap.allocated);
    revise();
}

void pace_round(size_t written) {
    size_t now = AO_load(&heap.allocated), allocated = now - allocated_at_round;
    if (written > 0)
        writing = (double)written / (allocated > LEAST_LEFT ? allocated : LEAST_LEFT);
    allocated_at_round = now;
    double rate = writing * RESCANS_PER_WRITTEN;
    rate = rate < MOST_RESCAN_PER_BYTE ? rate : MOST_RESCAN_PER_BYTE;
    AO_store(&rescan_per_byte, rate * RATE_ONE);
}

bool pace_puts_off(size_t written) {
    bool puts_off = written > PACE_MUCH_WRITTEN && put_off < MOST_PUT_OFF &&
                    options.gc_every == 0 && AO_load(&heap.live) < pace_goal();
    put_off = puts_off ? put_off + 1 : 0;
    return puts_off;
}

void pace_work_done(size_t bytes) {
    AO_fetch_and_add(&scanned, bytes);
    revise();
}

/* Time is counted from the beginning of the mark, because outside of it nothing is spent. */
static bool takes_too_much(void) {
    long long passed = clock_nanoseconds() - begun;
    return (long long)AO_load(&assist_time) >
           passed / 100 * LIMIT_MOST_PERCENT * processors_count();
}

void pace_forgive(bool all) { forgiving = all; }

double pace_work_per_byte(void) {
    if (forgiving || (pace_is_limited() && takes_too_much()))
        return 0;
    size_t mark = AO_load(&work_per_byte), rescan = AO_load(&rescan_per_byte);
    return (mark > rescan ? mark : rescan) / (double)RATE_ONE;
}

size_t pace_least_assist(void) {
    size_t work = expected / ASSISTS;
    return work < LEAST_ASSIST ? LEAST_ASSIST : work > MOST_ASSIST ? MOST_ASSIST : work;
}

void pace_time_spent(long long nanoseconds, bool assisting) {
    AO_fetch_and_add(assisting ? &assist_time : &worker_time, nanoseconds);
}

/* What the memory limit leaves to the heap's objects. */
static size_t limit_left(size_t roots) {
    size_t limit = limits_memory(), others = capped_sum(roots, metadata_bytes_used());
    if (limit == SIZE_MAX)
        return SIZE_MAX;
    others = capped_sum(others, limit / 20);
    return limit > others ? limit - others : 0;
}

/* Other processes of the group may grow, a limit may change, and what was allocated may be touched
 * only later: so it is asked at every few steps on the way to the goal. */
static void look_again_from(size_t live) {
    size_t end = pace_goal(), step = end > live ? (end - live) / LOOKS : 0;
    AO_store(&look_at, capped_sum(live, step > LEAST_RUNWAY ? step : LEAST_RUNWAY));
}

static size_t left_over(void) {
    return limits_memory() / LEFT_SHARE + LEAST_LEFT_OVER +
           (AO_load(&survived) > 0 ? 0 : FIRST_LEFT_OVER);
}

/* What the heap has taken lately is likely to be touched only now, and to be memory then. What it
 * took long ago and is none yet will hardly become some. */
static size_t take_fresh(size_t left) {
    static volatile AO_t resident, untouched;
    size_t now = pages_resident_bytes(), before = AO_load(&resident);
    size_t fresh = AO_load(&untouched) / 2 + (now > before ? now - before : 0);
    fresh = fresh < left ? fresh : left;
    AO_store(&resident, now);
    AO_store(&untouched, fresh);
    return fresh;
}

/* All that the heap has can be used again, but for what was scattered when it was full last. */
static void note_left(size_t left) {
    size_t most = capped_sum(pages_resident_bytes(), left);
    size_t over = left_over() + (left < SIZE_MAX ? take_fresh(left) : 0);
    if (AO_load(&survived) == 0)
        AO_store(&scattered, scattered_bytes());
    most = most > over ? most - over : 0;
    AO_store(&allowed, most > AO_load(&scattered) ? most - AO_load(&scattered) : 0);
    pages_bound_resident(capped_sum(most, AO_load(&borne)));
}

bool pace_wants_look(size_t bytes) { return AO_load(&heap.live) + bytes >= AO_load(&look_at); }

static void look(void) {
    size_t left;
    if (limits_memory_left(&left))
        note_left(left);
    look_again_from(AO_load(&heap.live));
}

void pace_look(void) {
    size_t now = clock_coarse_milliseconds();
    look_again_from(AO_load(&heap.live));
    if (AO_load(&looked) + LOOK_PAUSE > now)
        return;
    AO_store(&looked, now);
    look();
}

bool pace_look_for_room(void) {
    if (limits_memory() == SIZE_MAX)
        return false;
    look();
    return true;
}

bool pace_has_grown(void) {
    return limits_memory() == SIZE_MAX || AO_load(&heap.live) >= least_allowed();
}

bool pace_exceed_limit(void) {
    AO_store(&look_at, 0);
    return pages_lift_bound();
}

static volatile bool forgets_goal; /* any thread sets it; the conductor clears it */

void pace_forget_goal(void) { forgets_goal = true; }

/* A small heap that has shrunk is likely to grow again, and had the memory before. */
static size_t kept_goal(void) {
    size_t before = forgets_goal ? 0 : AO_load(&goal);
    forgets_goal = false;
    return stops_for_small && is_small(before) ? before - before / GOAL_KEPT_SHARE : 0;
}

/* What the heap may grow by a share of. Many small marks do little else than read roots, again and
 * again the same, so there they count twice. */
static size_t growing_part(size_t live, size_t roots) {
    return capped_sum(live, stops_for_small ? capped_sum(roots, roots) : roots);
}

static void set_goal(size_t live, size_t roots) {
    size_t wanted = capped_sum(live, share(growing_part(live, roots), options.percent));
    size_t least = options.min_heap + options.min_heap / 2;
    size_t grown = capped_sum(live, AO_load(&least_growth));
    size_t kept = kept_goal();
    least = least > grown ? least : grown;
    least = least > kept ? least : kept;
    AO_store(&goal, wanted > least ? wanted : least);
    AO_store(&left_static, limit_left(roots));
}

static void set_trigger(size_t live) {
    size_t bytes = trigger_for(live, AO_load(&goal));
    AO_store(&trigger, bytes > options.min_heap ? bytes : options.min_heap);
    AO_store(&forced, AO_load(&heap.allocated));
}

void pace_expect_freed(size_t bytes) { doomed = bytes; }

void pace_bear(size_t bytes) {
    doomed = bytes;
    AO_store(&borne, bytes);
}

void pace_end(size_t live, size_t reached, size_t roots) {
    last_scanned = AO_load(&scanned);
    last_roots = roots;
    live = live > doomed ? live - doomed : 0;
    reached = reached > doomed ? reached - doomed : 0;
    doomed = 0;
    AO_store(&beside, 0);
    AO_store(&survived, live > 0 ? live : 1);
    set_goal(reached < live ? reached + (live - reached) / 4 : live, roots);
    set_trigger(live);
    live = capped_sum(live, AO_load(&borne));
    look_again_from(live);
    pages_keep_idle(bytes_to_come() > live ? bytes_to_come() - live : 0);
}

void pace_cancel(void) {
    size_t live = AO_load(&heap.live), dead = AO_load(&borne);
    live = live > dead ? live - dead : 0;
    AO_store(&goal, capped_sum(live, live / 2 + options.min_heap / 2));
    AO_store(&trigger, capped_sum(live, live / 4 + options.min_heap / 4));
    AO_store(&forced, AO_load(&heap.allocated));
}

long long pace_assist_time(void) { return AO_load(&assist_time); }
long long pace_worker_time(void) { return AO_load(&worker_time); }
size_t pace_scanned(void) { return AO_load(&scanned); }
