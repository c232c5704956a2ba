/* What a mark of a trial does when it ends, and the end of the trial; see trial.h. */
#include "leak/trial.h"

#include "leak/fingerprint.h"
#include "leak/head.h"
#include "leak/links.h"
#include "leak/mark_here.h"
#include "leak/modules.h"
#include "leak/record.h"
#include "leak/search.h"
#include "leak/writer.h"

#include "cycle/cycle.h"
#include "cycle/pace.h"
#include "heap/notes.h"
#include "mark/drain.h"
#include "mark/scan.h"
#include "os/limits.h"
#include "os/log.h"
#include "os/options.h"
#include "os/tasks.h"
#include "os/vm.h"
#include "thread/thread.h"

#include <gc/gc.h>

#include <errno.h>
#include <string.h>

enum { PATIENCE_MILLISECONDS = 10000 };

bool trial_on;

static struct {
    struct lock lock;                 /* of whoever ends the trial */
    bool last;                        /* the mark to come is the one at the end */
    bool ended;                       /* it was made: from now on blocks are only kept */
    bool locks;                       /* whoever ends the trial can take the heap's locks */
    bool has_last;                    /* and it was whole */
    struct trial_totals totals;       /* the conductor's */
    size_t found_blocks, found_bytes; /* dead anew in the last cycle */
    size_t borne;                     /* bytes of the heap in what is dead now */
    size_t candidates;
} trial = {.lock = LOCK_OF(RANK_CHECK)};

struct trial_totals trial_totals(void) {
    struct trial_totals totals = trial.totals;
    totals.returned_blocks = returned_blocks();
    totals.returned_bytes = returned_bytes();
    return totals;
}

void trial_use(struct object object, struct note *note, enum returned_how how, unsigned stack) {
    unsigned seen = AO_int_load(&note->stack);
    if (!(seen & NOTE_DEAD) || (seen & NOTE_RETURNED))
        return;
    AO_int_store(&note->stack, seen | NOTE_RETURNED);
    returned_add(object, note, how, stack);
}

/* Calls visit for each object of the heap, with its note, NULL where there was no memory for it. */
static void each_object(void (*visit)(struct object object, struct note *note, void *context),
                        void *context) {
    uintptr_t start = heap.objects.start, end = start + AO_load(&heap.objects.committed);
    for (uintptr_t at = start; at < end; at += HEAP_PAGE_BYTES) {
        struct span *span = heap_span_of(at);
        if (span == NULL || span->base != at)
            continue;
        for (size_t i = 0; i < span->object_count; i++) {
            struct object object = {span, i};
            visit(object, note_of(object), context);
        }
    }
}

static bool is_white(struct object object) { return *object_state(object) == object_white(); }

static bool is_programs(struct object object, const struct note *note) {
    return note && note->stack != NOTE_NOBODY && object.span->kind == OBJECT_SCANNED;
}

/* Found dead before, reached now, and not told yet. */
static bool is_candidate(struct object object, const struct note *note) {
    return is_programs(object, note) && *object_state(object) == object_live_colour() &&
           (note->stack & (NOTE_DEAD | NOTE_RETURNED)) == NOTE_DEAD;
}

static void look_at(struct object object, struct note *note, void *context) {
    (void)context;
    if (is_programs(object, note) && is_white(object))
        note->stack &= ~(NOTE_ECHOED | NOTE_GLIMPSED);
    trial.candidates += is_candidate(object, note);
}

/* What functions that have returned left on the stack becomes part of other functions' frames. */
static void note_echo(struct object target, size_t offset, void *context) {
    struct note *note = note_of(target);
    (void)offset, (void)context;
    if (is_programs(target, note) && is_white(target))
        note->stack |= NOTE_ECHOED;
}

/* The parts of the search: through what never died; through what came back as well. */
enum part { THROUGH_LIVING, THROUGH_RETURNED };

static struct {
    enum part part;
    size_t firm, all; /* numbers below were reached from data or other memory; from a stack or a
                         register alone */
} judging;

static bool may_reach(struct object object, const struct note *note) {
    (void)note;
    return *object_state(object) == object_live_colour();
}

static bool leads_on(const struct note *note, size_t number) {
    if (!(note->stack & NOTE_DEAD))
        return true;
    return judging.part == THROUGH_RETURNED &&
           ((note->stack & NOTE_RETURNED) || number >= judging.all);
}

/* Numbers are taken for distances, and seem to lead to whatever lies there. */
static bool wants_pointer(const struct note *note) { return (note->stack & NOTE_DEAD) != 0; }

static void tell(struct object object, struct note *note, enum returned_how how, size_t number) {
    note->stack |= NOTE_RETURNED;
    returned_add_found(object, note, how, number);
}

/* Stacks and registers are no proof the first time. A thread that has just helped to mark has
 * addresses of all sorts left in its registers; vector registers keep old values for long, which no
 * mark sees of a thread that is in the middle of a call, and the loader's lazy binding puts all of
 * them on the stack. */
static bool is_glimpse(struct note *note) {
    bool again = note->stack & NOTE_GLIMPSED;
    note->stack |= NOTE_GLIMPSED;
    return !again;
}

/* An old value on a stack proves nothing: a collector would have been right. */
static void judge_held(struct object object, struct note *note, void *context) {
    size_t number;
    (void)context;
    if (!is_candidate(object, note) || !search_has(object_address(object), &number))
        return;
    if (number >= judging.firm && (note->stack & NOTE_ECHOED))
        return;
    if (number < judging.firm || !is_glimpse(note))
        tell(object, note, RETURNED_HELD, number);
}

static void judge_with(struct object object, struct note *note, void *context) {
    size_t number;
    (void)context;
    if (is_candidate(object, note) && search_has(object_address(object), &number) &&
        number >= judging.all)
        tell(object, note, RETURNED_WITH, number);
}

static void judge(void) {
    judging.part = THROUGH_LIVING;
    search_roots(SEARCH_DATA);
    search_roots(SEARCH_MAPS);
    judging.firm = search_count();
    search_roots(SEARCH_STACKS);
    search_roots(SEARCH_REGISTERS);
    judging.all = search_count();
    each_object(judge_held, NULL);
    judging.part = THROUGH_RETURNED;
    search_again();
    each_object(judge_with, NULL);
}

static void judge_candidates(void) {
    static const struct search_rules rules = {.stopped = true,
                                              .may_reach = may_reach,
                                              .wants_pointer = wants_pointer,
                                              .leads_on = leads_on,
                                              .written = returned_name};
    if (links_prepare() && search_begin(rules))
        judge();
    search_end();
    links_end();
}

static void note_dead(struct object object, struct note *note) {
    size_t bytes = record_bytes(object, note);
    note->stack |= NOTE_DEAD;
    note->time = fingerprint(object);
    trial.found_blocks++;
    trial.found_bytes += bytes;
}

/* Objects of libgc's are what such a program wants to have collected. Of a span that the program
 * has closed nothing is. */
static void bury(struct object object, struct note *note, void *marker) {
    if (!is_white(object))
        return;
    if (is_programs(object, note)) {
        trial.borne += object.span->object_bytes;
        if (!(note->stack & NOTE_DEAD) && !object.span->closed)
            note_dead(object, note);
    } else if (GC_is_init_called()) {
        return;
    }
    if (GC_is_init_called())
        scan_mark(marker, object);
    else
        scan_keep_unread(marker, object);
}

/* Whatever is dead lies still, unless somebody writes to it. */
static void look_for_writing(struct object object, struct note *note, void *context) {
    (void)context;
    if (!is_programs(object, note) || note->time == 0 ||
        (note->stack & (NOTE_DEAD | NOTE_RETURNED)) != NOTE_DEAD)
        return;
    uint32_t now = fingerprint(object);
    if (now != 0 && now != note->time) {
        note->stack |= NOTE_RETURNED;
        returned_add(object, note, RETURNED_WRITTEN, 0);
    }
}

static void count_found(void) {
    trial.totals.blocks += trial.found_blocks;
    trial.totals.bytes += trial.found_bytes;
    if (trial.last) {
        trial.totals.late_blocks += trial.found_blocks;
        trial.totals.late_bytes += trial.found_bytes;
    }
}

static void marked(struct marker *marker) {
    trial.candidates = trial.found_blocks = trial.found_bytes = trial.borne = 0;
    if (!trial.ended) {
        each_object(look_at, NULL);
        search_dead_stacks(note_echo);
        if (trial.candidates > 0)
            judge_candidates();
        if (trial.last)
            each_object(look_for_writing, NULL);
    }
    each_object(bury, marker);
    drain_stopped(marker);
    pace_bear(trial.borne);
    if (!trial.ended)
        count_found();
}

/* After a cycle. */
static void ended(bool done) {
    size_t live = AO_load(&heap.live);
    if (!done)
        return;
    if (live > limits_memory())
        log_once("trial: the heap has %zu MiB, and %zu MiB is the limit: what is dead is kept in a "
                 "trial",
                 live >> 20, limits_memory() >> 20);
    if (options.stats)
        log_line("trial: %zu bytes in %zu blocks found dead, %zu bytes in %zu blocks so far; %zu "
                 "came back",
                 trial.found_bytes, trial.found_blocks, trial.totals.bytes, trial.totals.blocks,
                 returned_blocks());
}

void trial_start(void) {
    if (!returned_start()) {
        log_line("no memory for a trial: nothing is collected");
        cycle_disable();
        return;
    }
    trial_on = true;
    head_learn();
    if (options.leaks[0])
        writer_start(options.leaks);
    cycle_watcher =
        (struct cycle_watcher){.push_roots = mark_here_push, .marked = marked, .ended = ended};
}

/* By stack: what is dead now and did not come back, the blocks and their bytes. */
struct dead {
    size_t blocks, bytes;
};

static struct vm_region dead_region;
static size_t live_blocks, live_bytes;

static struct dead *dead_of(unsigned stack) {
    return vm_region_commit(&dead_region, (stack + 1) * sizeof(struct dead), 1 << 20)
               ? (struct dead *)dead_region.start + stack
               : NULL;
}

static void sum_up(struct object object, struct note *note, void *context) {
    (void)context;
    if (!is_programs(object, note))
        return;
    live_blocks++;
    live_bytes += record_bytes(object, note);
    struct dead *dead = note->stack & NOTE_DEAD && !(note->stack & NOTE_RETURNED)
                            ? dead_of(note_stack(note))
                            : NULL;
    if (dead == NULL)
        return;
    dead->blocks++;
    dead->bytes += record_bytes(object, note);
    returned_name(note);
}

static void write_dead(void) {
    size_t stacks = AO_load(&dead_region.committed) / sizeof(struct dead);
    for (size_t stack = 0; stack < stacks; stack++) {
        const struct dead *dead = (struct dead *)dead_region.start + stack;
        if (dead->blocks > 0)
            writer_add("dead %zu %zu %zu\n", stack, dead->blocks, dead->bytes);
    }
}

static void write_lines(struct head *head) {
    enum { MOST_STACKS = 1 << 22 };
    struct trial_totals totals = trial_totals();
    live_blocks = live_bytes = 0;
    if (trial.locks && vm_region_reserve(&dead_region, MOST_STACKS * sizeof(struct dead)))
        notes_each(sum_up, NULL);
    head->blocks = live_blocks;
    head->bytes = live_bytes;
    head_write(head);
    writer_add("trial %zu %zu %zu %zu %zu %zu %zu\n", cycle_totals().cycles, totals.blocks,
               totals.bytes, totals.late_blocks, totals.late_bytes, totals.returned_blocks,
               totals.returned_bytes);
    if (head->trigger == CHECK_EXIT && !trial.has_last)
        writer_add("warning %s\n", "no%20last%20cycle%20was%20possible");
    head_write_modules();
    head_write_stacks(returned_names);
    returned_write();
    write_dead();
    writer_add("end\n");
    vm_region_end(&dead_region);
}

static void write_file(struct head head) {
    int error = ENOMEM;
    if (!options.leaks[0])
        return;
    if (writer_begin()) {
        head.number = writer_free_number(tasks_process());
        write_lines(&head);
        if (writer_end(tasks_process(), head.number, &error))
            return;
    }
    log_line("the trial's report cannot be written to %s: %s", options.leaks, strerror(error));
}

/* A handler of the program's may have interrupted the very holder of the lock, and end the program;
 * any other thread that ends it waits for the file. */
void trial_end(enum check_trigger trigger, struct mark_from from) {
    if (thread_current() == &thread_left || !thread_in_own_process() || trial.ended ||
        (trigger == CHECK_EXEC && returned_blocks() == 0))
        return;
    if (!lock_take_within(&trial.lock, PATIENCE_MILLISECONDS))
        return;
    if (!trial.ended) {
        struct head head = head_begin(trigger);
        modules_notice_gone();
        trial.last = trigger == CHECK_EXIT;
        trial.locks = cycle_may_lock();
        trial.has_last = trial.last && trial.locks && mark_here(from);
        trial.ended = trial.last;
        write_file(head);
    }
    lock_give(&trial.lock);
}

void trial_after_fork(void) {
    lock_reset(&trial.lock);
    trial.last = trial.ended = false;
    memset(&trial.totals, 0, sizeof trial.totals);
    returned_after_fork();
    vm_region_end(&dead_region);
}
