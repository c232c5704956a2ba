/* The way of an allocation while leaks are hunted; see record.h. */
#include "leak/record.h"

#include "leak/depot.h"
#include "leak/listener.h"
#include "leak/modules.h"
#include "leak/recall.h"
#include "leak/trial.h"
#include "leak/unwind.h"
#include "start.h"

#include "alloc/alloc.h"
#include "heap/quarantine.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/options.h"

#include <gc/gc.h>

#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { CLEARED_BY_RESIZE = 64 << 10 };

volatile unsigned char record_state = RECORD_UNDECIDED;

static long long began;             /* milliseconds */
static volatile unsigned forked_at; /* 0 in a process that is no fork */
static volatile bool has_ignored;
static __thread int ignoring __attribute__((tls_model("initial-exec")));
static __thread long until_sample __attribute__((tls_model("initial-exec")));
static __thread uint64_t random_state __attribute__((tls_model("initial-exec")));

unsigned record_time(void) { return clock_coarse_milliseconds() - began + 1; }

static bool begin(void) {
    if (!modules_start() || !depot_start() || !recall_start()) {
        log_line("no memory for allocation stacks: leaks are not hunted");
        return false;
    }
    began = clock_coarse_milliseconds();
    if (options.sample == 0 || options.trial)
        notes_fill();
    return true;
}

/* Before libc has taken over the environment nothing can be decided. */
void record_decide(void) {
    if (record_state != RECORD_UNDECIDED || environ == NULL)
        return;
    start_read_options();
    bool on = (options.leaks[0] || options.trial) && options.collect && begin();
    bool sampled = options.sample && !options.trial;
    AO_char_store_full(&record_state, !on ? RECORD_OFF : sampled ? RECORD_SAMPLED : RECORD_ON);
}

/* Where the stack ends that an address lies in, as far as that is known. */
static uintptr_t stack_limit(uintptr_t address) {
    extern void *__libc_stack_end;
    enum { MAIN_STACK_MOST = 256 << 20 };
    const struct thread *thread = thread_self;
    uintptr_t main_end = (uintptr_t)__libc_stack_end;
    if (address >= thread->stack_low && address < thread->stack_high)
        return thread->stack_high;
    return main_end - address < MAIN_STACK_MOST ? main_end : 0;
}

static void learn_modules(const uintptr_t *pcs, size_t count) {
    for (size_t i = 0; i < count; i++)
        modules_learn(pcs[i]);
}

/* Out of line, for the room it takes on the stack. */
__attribute__((noinline, cold)) static unsigned walk_stack(const struct unwind_frame *start,
                                                           uintptr_t limit, unsigned generation) {
    struct unwind_stack stack;
    unwind_take(*start, limit, options.depth, &stack);
    unsigned known = depot_count();
    unsigned number = depot_number(stack.pcs, stack.count, stack.hash, generation);
    if (number >= known)
        learn_modules(stack.pcs, stack.count);
    recall_keep(start, limit, generation, &stack, number);
    return number;
}

/* In a trial whose report nobody will read, nobody wants to know. */
static inline unsigned take_stack(const void *frame) {
    if (__builtin_expect(!options.leaks[0], 0))
        return 0;
    const uintptr_t *words = frame;
    struct unwind_frame start = {words[1], (uintptr_t)(words + 2), words[0]};
    uintptr_t limit = stack_limit(start.sp);
    unsigned generation = modules_generation(), number = recall_number(&start, limit, generation);
    return number ? number : walk_stack(&start, limit, generation);
}

/* Roughly exponential with the mean wanted: minus the logarithm of a uniform number, whose broken
 * part is taken as linear. */
static long next_sample(void) {
    uint64_t x = random_state ? random_state : (uintptr_t)&random_state ^ clock_nanoseconds();
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    random_state = x;
    unsigned zeros = __builtin_clzl(x | 1);
    double part = (double)(x << zeros << 1) * 0x1p-64;
    return (long)((zeros + 1 - part) * 0.693 * (double)options.sample) + 1;
}

static inline bool wants_note(size_t bytes) {
    until_sample -= (long)bytes;
    return __builtin_expect(until_sample <= 0 || ignoring > 0, 0);
}

static inline struct note note_made(size_t bytes, unsigned stack) {
    return (struct note){.time = record_time(),
                         .bytes = bytes < UINT32_MAX ? bytes : UINT32_MAX,
                         .stack = (stack + NOTE_FIRST_STACK) | (ignoring > 0 ? NOTE_IGNORED : 0)};
}

/* A thread's first block only begins its count. */
static void note_sample(void *object, size_t bytes, const void *frame) {
    struct object found;
    bool has_begun = random_state != 0, is_due = until_sample <= 0;
    if (is_due)
        until_sample = next_sample();
    listener_wake_in_program();
    if (object == NULL || !object_find((uintptr_t)object, &found))
        return;
    if (has_begun && is_due)
        notes_put(found, note_made(bytes, take_stack(frame)));
    else if (ignoring > 0)
        notes_put(found, note_made(bytes, 0));
}

/* Taking the stack leaves the block's address in dead frames below. The program's next frames lie
 * there, and not every word of a frame is written before the thread sleeps in it: libc's wait for a
 * condition has such holes, and hid what its thread had lost last. */
__attribute__((noinline)) static void wipe_dead_frames(void) {
    enum { DEAD_BYTES = 1024 };
    char frames[DEAD_BYTES];
    memset(frames, 0, sizeof frames);
    __asm__ volatile("" : : "r"(frames) : "memory");
}

/* The number goes last: with it the block is the program's. */
static void note(void *object, size_t bytes, const void *frame) {
    struct object found;
    struct note *to;
    if (object == NULL || !object_find((uintptr_t)object, &found) || (to = note_of(found)) == NULL)
        return;
    struct note made = note_made(bytes, take_stack(frame));
    to->time = made.time;
    to->bytes = made.bytes;
    AO_int_store_release(&to->stack, made.stack);
    listener_wake_in_program();
    wipe_dead_frames();
}

/* frame: of the function that the program called, or of one beneath it. */
static inline void note_by_state(void *object, size_t bytes, const void *frame) {
    unsigned char state = AO_char_load(&record_state);
    if (__builtin_expect(state == RECORD_UNDECIDED, 0)) {
        record_decide();
        state = AO_char_load(&record_state);
    }
    if (state == RECORD_ON)
        note(object, bytes, frame);
    else if (state == RECORD_SAMPLED && wants_note(bytes))
        note_sample(object, bytes, frame);
}

/* What was freed is cleared, so only memory that lay in another span before may hold anything. */
static inline void *take_clear(size_t bytes) {
    void *object = alloc_fast(alloc_with_end(bytes));
    const struct span *span = heap_span_of((uintptr_t)object);
    if (span && __builtin_expect(!span->zeroed, 0))
        memset(object, 0, span->object_bytes);
    return object;
}

__attribute__((noinline)) void *record_malloc(size_t bytes) {
    void *object = record_is_sampled() ? alloc_fast(alloc_with_end(bytes)) : take_clear(bytes);
    note_by_state(object, bytes, __builtin_frame_address(0));
    return object;
}

__attribute__((noinline)) void *record_calloc(size_t bytes) {
    void *object = alloc_cleared(alloc_with_end(bytes), OBJECT_SCANNED);
    note_by_state(object, bytes, __builtin_frame_address(0));
    return object;
}

__attribute__((noinline)) void *record_aligned(size_t alignment, size_t bytes) {
    void *object = alloc_aligned(alignment, alloc_with_end(bytes), OBJECT_SCANNED);
    note_by_state(object, bytes, __builtin_frame_address(0));
    return object;
}

static struct note *note_at(const void *object) {
    struct object found;
    return object_find((uintptr_t)object, &found) ? note_of(found) : NULL;
}

static inline void clear_small(const struct span *span, void *object) {
    if (!span_is_large(span))
        memset(object, 0, span->object_bytes);
}

static inline void clear_freed(const struct span *span, void *object) {
    if (!record_is_sampled())
        clear_small(span, object);
}

/* What was freed waits in a cache, where a pointer that the program has forgotten may still lead to
 * it: what it leads to in turn must not count. A large block is gone at once. */
static inline void forget(const struct span *span, struct note *notes, void *address) {
    size_t index = span_index(span, (uintptr_t)address);
    if (index >= AO_int_load(&span->object_count))
        return;
    AO_int_store(&notes[index].stack, NOTE_NOBODY);
    if (span_object(span, index) == (uintptr_t)address)
        clear_freed(span, address);
}

static void note_freed(struct note *note, void *stack) {
    if (note->stack == NOTE_NOBODY || (note->stack & NOTE_FREED))
        return;
    note->time = *(const unsigned *)stack;
    AO_int_store_release(&note->stack, note->stack | NOTE_FREED);
}

/* What goes to quarantine is never read by marks, and stays known: pointers to it may dangle. */
static void retire(const void *address, const void *frame) {
    struct object found;
    const struct note *note;
    if (!object_find((uintptr_t)address, &found) || (note = note_of(found)) == NULL ||
        note->stack == NOTE_NOBODY)
        return;
    unsigned stack = take_stack(frame);
    notes_change(found, note_freed, &stack);
}

/* In a trial: if a cycle has found it dead, it was not. */
static void use(const void *address, enum returned_how how, const void *frame) {
    struct object found;
    struct note *note;
    if (object_find((uintptr_t)address, &found) && (note = note_of(found)) != NULL &&
        object_address(found) == (uintptr_t)address && (note->stack & NOTE_DEAD))
        trial_use(found, note, how, take_stack(frame));
}

void record_asked(const void *object) {
    if (trial_is_on())
        use(object, RETURNED_ASKED, __builtin_frame_address(0));
}

__attribute__((noinline)) void record_free(void *object) {
    const struct span *span = heap_span_of((uintptr_t)object);
    struct note *notes = span ? notes_of(span) : NULL;
    if (notes)
        free_expect_allocated(object, "double free");
    if (trial_is_on())
        use(object, RETURNED_FREED, __builtin_frame_address(0));
    if (notes && quarantine_is_on())
        retire(object, __builtin_frame_address(0));
    else if (notes)
        forget(span, notes, object);
    free_fast(object);
}

/* Cleared as all that is collected: what it leads to is collected, too, and whatever gets its place
 * would hang on words of it that its next owner does not write. */
void record_collect(struct object object, struct note *note) {
    AO_int_store(&note->stack, NOTE_NOBODY);
    clear_small(object.span, (void *)object_address(object));
    free_uncached((void *)object_address(object));
}

static void clear_rest(void *object, size_t before) {
    size_t now = alloc_usable_bytes(object);
    if (now > before && now <= CLEARED_BY_RESIZE)
        memset((char *)object + before, 0, now - before);
}

static void *move(void *object, size_t before, size_t bytes) {
    void *moved;
    if (before > SIZES_LARGEST_SMALL && bytes > SIZES_LARGEST_SMALL) {
        moved = alloc_copy(object, before, alloc_with_end(bytes), OBJECT_SCANNED);
    } else {
        moved = record_is_sampled() ? alloc_fast(alloc_with_end(bytes)) : take_clear(bytes);
        if (moved)
            memcpy(moved, object, before < bytes ? before : bytes);
    }
    if (moved == NULL)
        return NULL;
    record_free(object);
    return moved;
}

/* In place it is another block with the same address. */
__attribute__((noinline)) void *record_realloc(void *object, size_t bytes) {
    struct note *old = note_at(object);
    size_t before = alloc_usable_bytes(object);
    void *resized;
    if (trial_is_on())
        use(object, RETURNED_RESIZED, __builtin_frame_address(0));
    if (!heap_contains((uintptr_t)object)) {
        resized = alloc_resize(object, alloc_with_end(bytes));
    } else if (!alloc_resize_in_place(object, alloc_with_end(bytes))) {
        resized = move(object, before, bytes);
    } else {
        resized = object;
        if (old)
            AO_int_store(&old->stack, NOTE_NOBODY);
        if (!record_is_sampled())
            clear_rest(object, before);
    }
    if (resized)
        note_by_state(resized, bytes, __builtin_frame_address(0));
    return resized;
}

void record_ignore_begin(void) {
    ignoring++;
    has_ignored = true;
}

void record_ignore_end(void) { ignoring--; }

bool record_has_ignored(void) { return has_ignored; }

bool record_ignore(const void *address) {
    struct object object;
    if (!object_find((uintptr_t)address, &object))
        return false;
    struct note *note = note_of(object);
    bool is_noted = note && note->stack != NOTE_NOBODY;
    if (!is_noted && !record_is_sampled())
        return false;
    has_ignored = true;
    if (is_noted)
        AO_int_store(&note->stack, note->stack | NOTE_IGNORED);
    else
        notes_put(object, (struct note){.time = record_time(),
                                        .bytes = object.span->object_bytes,
                                        .stack = NOTE_FIRST_STACK | NOTE_IGNORED});
    return true;
}

/* The clock is coarse: what the child takes must be later than all that it inherited. */
void record_after_fork(void) {
    enum { COARSER_THAN_THE_CLOCK = 20 };
    forked_at = record_time();
    began -= COARSER_THAN_THE_CLOCK;
    until_sample = 0;
    random_state = 0;
}

static bool is_inherited(const struct note *note) { return note->time <= forked_at; }

bool record_is_block(const struct note *note) {
    if (note->stack & NOTE_FREED)
        return false;
    if (note->stack != NOTE_NOBODY)
        return !is_inherited(note);
    return record_is_sampled() && forked_at == 0 && !GC_is_init_called();
}

size_t record_bytes(struct object object, const struct note *note) {
    bool is_known = note->stack != NOTE_NOBODY && note->bytes != UINT32_MAX;
    return is_known ? note->bytes : object.span->object_bytes;
}
