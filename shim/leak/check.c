/* From the request of a check to its file; see check.h. */
#include "leak/check.h"

#include "kernel_held.h"
#include "leak/chains.h"
#include "leak/collect.h"
#include "leak/dangling.h"
#include "leak/dead_stacks.h"
#include "leak/head.h"
#include "leak/listener.h"
#include "leak/lost.h"
#include "leak/mark_here.h"
#include "leak/modules.h"
#include "leak/record.h"
#include "leak/sums.h"
#include "leak/trial.h"
#include "leak/writer.h"

#include "cycle/cycle.h"
#include "cycle/pace.h"
#include "heap/quarantine.h"
#include "mark/drain.h"
#include "mark/scan.h"
#include "os/clock.h"
#include "os/limits.h"
#include "os/log.h"
#include "os/options.h"
#include "os/syscall.h"
#include "os/tasks.h"
#include "os/vm.h"
#include "thread/thread.h"

#include <gc/gc.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { NAP = 1000000, LONG_NAP = 5000000, PATIENCE_SECONDS = 20 };

static struct {
    struct lock lock;
    volatile bool listing;       /* the next mark's lost blocks are to be listed */
    volatile unsigned count;     /* checks made */
    volatile unsigned forbidden; /* the program ends: no other check */
    unsigned collected;          /* checks after which lost blocks were freed */
    const char *suppressions;    /* the program's own, or NULL */
} check = {.lock = LOCK_OF(RANK_CHECK)};

unsigned check_count(void) { return AO_int_load(&check.count); }

static bool can_check_here(void) {
    return record_is_on() && !trial_is_on() && thread_current() != &thread_left &&
           thread_in_own_process();
}

static long check_locked(enum check_trigger trigger, struct mark_from from);

/* A check is due because the heap has grown, and lost blocks are what it may have grown by: the
 * listener makes it. If the program is faster than that, so does a thread of the program's itself,
 * and others are slowed down meanwhile. */
static void check_growth(void) {
    if (listener_ask_for_growth() && !pace_overdue())
        return;
    if (!can_check_here() || !lock_try(&check.lock)) {
        clock_nap(LONG_NAP);
        return;
    }
    if (pace_due())
        check_locked(CHECK_GROWTH, (struct mark_from){0});
    lock_give(&check.lock);
}

/* Only programs with objects of libgc's have garbage of their own. */
static bool cycle_is_allowed(void) {
    if (!options.check_collects)
        return GC_is_init_called() || quarantine_is_on();
    check_growth();
    return false;
}

static void push_roots(struct marker *marker) {
    mark_here_push(marker);
    dead_stacks_keep_tables(marker);
}

static bool is_white(struct object object) {
    return object.span->kind == OBJECT_SCANNED && *object_state(object) == object_white();
}

static void spare_ignored(struct object object, struct note *note, void *marker) {
    if (is_white(object) && (note->stack & NOTE_IGNORED))
        scan_mark(marker, object);
}

static void list_lost(struct object object, struct note *note, void *context) {
    size_t *bytes = context;
    if (!is_white(object) || !record_is_block(note))
        return;
    lost_add(object, note);
    *bytes += object.span->object_bytes;
}

static void spare(struct object object, struct note *note, void *marker) {
    (void)note;
    if (is_white(object))
        scan_mark(marker, object);
}

static void list_dangling(struct object object, struct note *note, void *context) {
    (void)context;
    dangling_add(object, note);
}

/* All lost blocks are listed before the first of them is kept, because that keeps others. */
static void marked(struct marker *marker) {
    size_t lost_bytes = 0;
    if (record_has_ignored())
        notes_each_stopped(spare_ignored, marker);
    drain_stopped(marker);
    if (check.listing)
        notes_each_stopped(list_lost, &lost_bytes);
    if (options.check_collects)
        pace_expect_freed(lost_bytes);
    notes_each_stopped(spare, marker);
    drain_stopped(marker);
    if (check.listing && quarantine_is_on())
        notes_each_stopped(list_dangling, NULL);
    check.listing = false;
}

/* A program brings its suppressions by defining this. */
extern const char *__lsan_default_suppressions(void) __attribute__((weak, visibility("default")));

void check_start(void) {
    if (__lsan_default_suppressions)
        check.suppressions = __lsan_default_suppressions();
    if (!options.check_collects)
        evidence_distances_to_others();
    cycle_watcher = (struct cycle_watcher){
        .allowed = cycle_is_allowed, .push_roots = push_roots, .marked = marked};
    head_learn();
    writer_start(options.leaks);
    cycle_prepare();
}

/* At the end there is nobody to go on. */
static bool check_collects(enum check_trigger trigger) {
    return options.check_collects && trigger != CHECK_EXIT;
}

static const struct sums *told; /* in the file that is being written */

/* Of a freed block, neither stack need be any other's. */
static bool is_told(unsigned number) {
    if (number >= told->stacks)
        return false;
    const struct sum *lost = &told->lost[number];
    return lost->blocks + lost->held_blocks + told->live[number].blocks > 0 ||
           sums_collected(number)->blocks > 0 || dangling_count() > 0;
}

static void write_lost(const struct sums *sums) {
    for (unsigned number = 0; number < sums->stacks; number++) {
        const struct sum *sum = &sums->lost[number];
        if (sum->blocks == 0)
            continue;
        writer_add("lost %u %zu %zu %zu %zu %u %u 0x%lx ", number, sum->blocks, sum->bytes,
                   sum->held_blocks, sum->held_bytes, sum->first, sum->last, sum->sample);
        for (int i = 0; i < SUM_SIZES && sum->counts[i]; i++)
            writer_add("%s%ux%u", i ? "," : "", sum->sizes[i], sum->counts[i]);
        if (sum->other_sizes)
            writer_add(",*x%zu", sum->other_sizes);
        writer_add("\n");
    }
}

static void write_collected(const struct sums *sums) {
    for (unsigned number = 0; options.check_collects && number < sums->stacks; number++) {
        const struct sum *sum = sums_collected(number);
        if (sum->blocks)
            writer_add("collected %u %zu %zu %zu %zu %u %u\n", number, sum->blocks, sum->bytes,
                       sum->held_blocks, sum->held_bytes, sum->first, sum->last);
    }
}

static void write_live(const struct sums *sums) {
    for (unsigned number = 0; number < sums->stacks; number++) {
        const struct sum *sum = &sums->live[number];
        if (sum->blocks)
            writer_add("live %u %zu %zu %u %u %u 0x%lx\n", number, sum->blocks, sum->bytes,
                       sum->first, sum->last, sums_growth(number)->grew, sum->sample);
    }
}

static void write_suppressions(void) {
    char line[512];
    const char *text = check.suppressions;
    for (size_t length; text && *text; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        if (length == 0 || length >= sizeof line)
            continue;
        memcpy(line, text, length);
        line[length] = 0;
        writer_add("suppression ");
        writer_add_text(line);
        writer_add("\n");
    }
}

static void write_warning(const char *text) {
    writer_add("warning ");
    writer_add_text(text);
    writer_add("\n");
}

static bool write_check(const struct head *head, const struct sums *sums) {
    int error = ENOMEM;
    if (!writer_begin())
        return false;
    if (head->trigger != CHECK_EXIT || check.count > 1 || options.chains || dangling_count() > 0)
        chains_find(sums);
    told = sums;
    head_write(head);
    if (options.check_collects)
        writer_add("collects %d %u\n", check_collects(head->trigger), check.collected);
    if (options.sample)
        write_warning("blocks are sampled: a group is what is known of one stack");
    write_suppressions();
    head_write_modules();
    head_write_stacks(is_told);
    write_lost(sums);
    write_collected(sums);
    write_live(sums);
    chains_write();
    dangling_write();
    chains_end();
    writer_add("end\n");
    if (writer_end(tasks_process(), check.count, &error))
        return true;
    log_line("the check cannot be written to %s: %s", options.leaks, strerror(error));
    return false;
}

/* Where blocks are sampled, all have notes only while they are being checked. */
static bool prepare(void) {
    if (!lost_prepare())
        return false;
    dead_stacks_bury();
    if (record_is_sampled())
        notes_fill();
    dangling_prepare();
    check.listing = true;
    return true;
}

static void end(void) {
    check.listing = false;
    lost_end();
    dangling_end();
    if (record_is_sampled())
        notes_thin();
}

/* Found again by the next check if nobody could be told. */
static void collect(const struct sums *sums) {
    sums_note_collected(sums);
    check.collected += lost_count() > 0;
    collect_lost();
}

/* After the mark. Returns how many blocks are lost, -1 if nobody could be told. */
static long finish(struct head *head) {
    modules_notice_gone();
    lost_settle();
    struct sums *sums = sums_make();
    long blocks = sums ? (long)lost_count() : -1;
    AO_int_store(&check.count, check.count + 1);
    if (sums) {
        sums_note_growth(sums);
        head->number = check.count;
        head->blocks = sums->blocks;
        head->bytes = sums->bytes;
        if (!write_check(head, sums))
            blocks = -1;
        else if (check_collects(head->trigger))
            collect(sums);
        sums_end();
    }
    return blocks;
}

static long check_locked(enum check_trigger trigger, struct mark_from from) {
    struct head head = head_begin(trigger);
    long blocks = -1;
    if (check.forbidden || !prepare())
        return -1;
    check.forbidden = trigger == CHECK_EXIT;
    if (mark_here(from))
        blocks = finish(&head);
    else
        log_line("no leak check was possible: not all threads or roots could be seen");
    end();
    return blocks;
}

long check_in_program(enum check_trigger trigger, struct mark_from from) {
    if (!can_check_here())
        return -1;
    kernel_held_drop_closed();
    lock_take(&check.lock);
    long blocks = check_locked(trigger, from);
    lock_give(&check.lock);
    return blocks;
}

static bool await_cycle(unsigned number) {
    long long until = clock_nanoseconds() + PATIENCE_SECONDS * 1000000000ll;
    while (!cycle_has_ended(number) && clock_nanoseconds() < until)
        clock_nap(NAP);
    return cycle_has_ended(number) && !cycle_was_cancelled(number);
}

long check_in_background(enum check_trigger trigger, unsigned *number) {
    struct head head = head_begin(trigger);
    long blocks = -1;
    lock_take(&check.lock);
    bool wanted = trigger != CHECK_GROWTH || pace_due();
    if (wanted && !check.forbidden && prepare()) {
        if (await_cycle(cycle_request()))
            blocks = finish(&head);
        end();
    }
    *number = check.count;
    lock_give(&check.lock);
    return blocks;
}

void check_after_fork(void) {
    lock_reset(&check.lock);
    check.listing = false;
    check.count = 0;
    check.forbidden = 0;
    check.collected = 0;
    lost_end();
    dangling_end();
    sums_after_fork();
    chains_end();
}
