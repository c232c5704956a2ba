/* From the request of a check to its file; see check.h. */
#include "leak/check.h"

#include "kernel_held.h"
#include "leak/chains.h"
#include "leak/collect.h"
#include "leak/dangling.h"
#include "leak/dead_stacks.h"
#include "leak/depot.h"
#include "leak/listener.h"
#include "leak/lost.h"
#include "leak/modules.h"
#include "leak/record.h"
#include "leak/sums.h"
#include "leak/unwind.h"
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
#include "roots/ranges.h"
#include "thread/thread.h"

#include <gc/gc.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { STACK_BYTES = 256 << 10, NAP = 1000000, LONG_NAP = 5000000, PATIENCE_SECONDS = 20 };

static struct {
    struct lock lock;
    volatile bool listing;       /* the next mark's lost blocks are to be listed */
    const uintptr_t *registers;  /* roots of a thread whose frames are passed over, or NULL */
    volatile unsigned count;     /* checks made */
    volatile unsigned forbidden; /* the program ends: no other check */
    unsigned collected;          /* checks after which lost blocks were freed */
    const char *suppressions;    /* the program's own, or NULL */
    struct vm_region stack;
} check = {.lock = LOCK_INITIALIZER};

unsigned check_count(void) { return AO_int_load(&check.count); }

static bool can_check_here(void) {
    return record_is_on() && thread_current() != &thread_left && thread_in_own_process();
}

static long check_locked(enum check_trigger trigger, const void *beyond, size_t beyond_bytes);

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
        check_locked(CHECK_GROWTH, NULL, 0);
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
    for (int i = 0; check.registers && i < UNWIND_SAVED; i++)
        scan_word(marker, check.registers[i]);
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

/* Read at the start: later, the program may have left for another root directory. */
static struct {
    char path[4096], arguments[4096];
    long arguments_length;
} program;

static void learn_program(void) {
    long length = system_call(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", program.path,
                              sizeof program.path - 1);
    long fd = system_call(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
    program.path[length > 0 ? length : 0] = 0;
    if (fd < 0)
        return;
    program.arguments_length =
        system_call(SYS_read, fd, program.arguments, sizeof program.arguments - 1);
    system_call(SYS_close, fd);
}

/* A program brings its suppressions by defining this. */
extern const char *__lsan_default_suppressions(void) __attribute__((weak, visibility("default")));

void check_start(void) {
    if (__lsan_default_suppressions)
        check.suppressions = __lsan_default_suppressions();
    if (!options.check_collects)
        scan_distances_to_others();
    cycle_watcher = (struct cycle_watcher){cycle_is_allowed, push_roots, marked};
    learn_program();
    writer_start(options.leaks);
    cycle_prepare();
}

/* At the end there is nobody to go on. */
static bool check_collects(enum check_trigger trigger) {
    return options.check_collects && trigger != CHECK_EXIT;
}

struct times {
    long long begun, stopped_before;
};

static struct times times_now(void) {
    return (struct times){clock_nanoseconds(), cycle_totals().stop_total};
}

static const char *trigger_name(enum check_trigger trigger) {
    static const char *const names[] = {"exit", "signal", "timer", "request", "call", "growth"};
    return names[trigger];
}

static void write_program(void) {
    writer_add("tithe-check 1\nprogram ");
    writer_add_text(program.path);
    writer_add("\narguments");
    for (long at = 0; at < program.arguments_length;) {
        const char *argument = program.arguments + at;
        writer_add(" ");
        writer_add_text(argument);
        at += strlen(argument) + 1;
    }
    writer_add("\nprocess %d %ld\n", tasks_process(), system_call(SYS_getppid));
}

static void write_head(enum check_trigger trigger, const struct sums *sums,
                       const struct times *times) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    write_program();
    writer_add("number %u\ntrigger %s\n", check.count, trigger_name(trigger));
    writer_add("time %lld\n", now.tv_sec * 1000ll + now.tv_nsec / 1000000);
    writer_add("uptime %u\n", record_time());
    writer_add("paused %lld\n", cycle_totals().stop_total - times->stopped_before);
    writer_add("took %lld\n", clock_nanoseconds() - times->begun);
    writer_add("heap %zu %zu\nsampled %zu\n", sums->blocks, sums->bytes, options.sample);
    if (options.check_collects)
        writer_add("collects %d %u\n", check_collects(trigger), check.collected);
    writer_add("roots threads %u modules %zu\n", thread_count(), modules_count());
}

static void write_modules(void) {
    for (size_t i = 0; i < modules_count(); i++) {
        const struct module *module = module_get(i);
        writer_add("module %zu 0x%lx 0x%lx 0x%lx %u ", i, module->start, module->end, module->bias,
                   module->from);
        if (module->to == UINT32_MAX)
            writer_add("- ");
        else
            writer_add("%u ", module->to);
        for (unsigned k = 0; k < module->build_id_bytes; k++)
            writer_add("%02x", module->build_id[k]);
        writer_add(module->build_id_bytes ? " " : "- ");
        writer_add_text(module->path);
        writer_add("\n");
    }
}

/* Of a freed block, neither stack need be any other's. */
static bool is_told(const struct sums *sums, unsigned number) {
    const struct sum *lost = &sums->lost[number];
    return lost->blocks + lost->held_blocks + sums->live[number].blocks > 0 ||
           sums_collected(number)->blocks > 0 || dangling_count() > 0;
}

static void write_stacks(const struct sums *sums) {
    for (unsigned number = 1; number < sums->stacks; number++) {
        const struct stack *stack = depot_stack(number);
        if (stack == NULL || !is_told(sums, number))
            continue;
        writer_add("stack %u %u", number, stack->generation);
        for (unsigned i = 0; i < stack->count; i++)
            writer_add(" 0x%lx", stack->pcs[i]);
        writer_add("\n");
    }
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

static bool write_check(enum check_trigger trigger, const struct sums *sums,
                        const struct times *times) {
    int error = ENOMEM;
    if (!writer_begin())
        return false;
    if (trigger != CHECK_EXIT || check.count > 1 || options.chains || dangling_count() > 0)
        chains_find(sums);
    write_head(trigger, sums, times);
    if (options.sample)
        write_warning("blocks are sampled: a group is what is known of one stack");
    write_suppressions();
    write_modules();
    write_stacks(sums);
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
static long finish(enum check_trigger trigger, const struct times *times) {
    modules_notice_gone();
    lost_settle();
    struct sums *sums = sums_make();
    long blocks = sums ? (long)lost_count() : -1;
    AO_int_store(&check.count, check.count + 1);
    if (sums) {
        sums_note_growth(sums);
        if (!write_check(trigger, sums, times))
            blocks = -1;
        else if (check_collects(trigger))
            collect(sums);
        sums_end();
    }
    return blocks;
}

/* No root: the work of the mark leaves addresses of pages in it. */
static bool make_stack(void) {
    if (check.stack.reserved > 0)
        return true;
    if (!vm_region_make(&check.stack, STACK_BYTES))
        return false;
    if (!roots_exclude(check.stack.start, check.stack.start + STACK_BYTES)) {
        vm_region_end(&check.stack);
        return false;
    }
    return true;
}

static bool mark_in_program(const void *beyond, size_t beyond_bytes) {
    struct unwind_caller caller;
    uintptr_t live = 0;
    if (!make_stack())
        return false;
    if (beyond && unwind_to_caller((uintptr_t)beyond, beyond_bytes, &caller)) {
        live = caller.sp;
        check.registers = caller.saved;
    }
    bool done = cycle_collect_on(check.stack.start + STACK_BYTES, live);
    check.registers = NULL;
    return done;
}

static long check_locked(enum check_trigger trigger, const void *beyond, size_t beyond_bytes) {
    struct times times = times_now();
    long blocks = -1;
    if (check.forbidden || !prepare())
        return -1;
    check.forbidden = trigger == CHECK_EXIT;
    if (mark_in_program(beyond, beyond_bytes))
        blocks = finish(trigger, &times);
    else
        log_line("no leak check was possible: not all threads or roots could be seen");
    end();
    return blocks;
}

long check_in_program(enum check_trigger trigger, const void *beyond, size_t beyond_bytes) {
    if (!can_check_here())
        return -1;
    kernel_held_drop_closed();
    lock_take(&check.lock);
    long blocks = check_locked(trigger, beyond, beyond_bytes);
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
    struct times times = times_now();
    long blocks = -1;
    lock_take(&check.lock);
    bool wanted = trigger != CHECK_GROWTH || pace_due();
    if (wanted && !check.forbidden && prepare()) {
        if (await_cycle(cycle_request()))
            blocks = finish(trigger, &times);
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
