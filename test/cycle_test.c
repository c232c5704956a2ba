/* The mark and cycle rooms: what a collection keeps, what it takes back, and when it must not run.
 *
 * Objects come from the collector, everything else of the test from libc's malloc, whose memory is
 * a root like any other.
 */
#include "suite.h"

#include "alloc/alloc.h"
#include "cycle/cycle.h"
#include "cycle/pace.h"
#include "cycle/report.h"
#include "heap/object.h"
#include "heap/pages.h"
#include "os/clock.h"
#include "os/dirty.h"
#include "os/maps.h"
#include "os/options.h"
#include "os/syscall.h"
#include "roots/unknown.h"
#include "thread/thread.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct node {
    struct node *next;
    size_t number;
};

static struct node *volatile list;
static void *volatile root;

/* Stale copies of pointers in dead frames would keep what a test has dropped. */
__attribute__((noinline)) static void overwrite_stack(void) {
    volatile unsigned char buffer[32768];
    for (size_t i = 0; i < sizeof buffer; i++)
        buffer[i] = (unsigned char)i;
}

static void collect(void) {
    overwrite_stack();
    ck_assert(cycle_collect(CYCLE_FORCED));
}

__attribute__((noinline)) static void list_make(size_t count, size_t bytes) {
    list = NULL;
    for (size_t i = 0; i < count; i++) {
        struct node *node = alloc_fast(bytes);
        *node = (struct node){list, i};
        list = node;
    }
}

static size_t list_length(void) {
    size_t length = 0;
    for (struct node *node = list; node; node = node->next) {
        if (alloc_usable_bytes(node) == 0 || (node->next && node->number != node->next->number + 1))
            return 0;
        length++;
    }
    return length;
}

START_TEST(a_list_lives_as_long_as_its_root) {
    enum { NODES = 100000 };
    cycle_enable();
    for (int round = 0; round < 5; round++) {
        list_make(NODES, 32 + 16 * round);
        for (int i = 0; i < 3; i++)
            collect();
        ck_assert_uint_eq(list_length(), NODES);
        list = NULL;
        collect();
        ck_assert_uint_lt(AO_load(&heap.live), 100000);
    }
    ck_assert_uint_eq(cycle_totals().cycles, 20);
    ck_assert_uint_eq(cycle_totals().cancelled, 0);
}
END_TEST

static const char *unknown;

static const char *ask(bool stopped) {
    (void)stopped;
    return unknown;
}

static void count_reason(const char *reason, size_t cycles, void *context) {
    if (reason == unknown)
        *(size_t *)context += cycles;
}

START_TEST(what_cannot_be_known_cancels_cycles_and_is_told) {
    size_t counted = 0;
    ck_assert(roots_ask(ask));
    cycle_enable();
    list_make(1000, 64);
    list = NULL;
    size_t live = AO_load(&heap.live);
    unknown = "a test does not know";
    for (int i = 0; i < 3; i++)
        ck_assert(!cycle_collect(CYCLE_FORCED));
    ck_assert_uint_eq(AO_load(&heap.live), live);
    report_each_reason(count_reason, &counted);
    ck_assert_uint_eq(counted, 3);
    unknown = NULL;
    collect();
    ck_assert_uint_lt(AO_load(&heap.live), live - 60000);
    ck_assert_uint_eq(cycle_totals().cancelled, 3);
}
END_TEST

/* Far more grey objects at once than the marker's rings hold. */
START_TEST(a_wide_object_keeps_all_its_children) {
    enum { CHILDREN = 200000 };
    cycle_enable();
    size_t **wide = alloc_slow(CHILDREN * sizeof *wide, OBJECT_SCANNED);
    for (size_t i = 0; i < CHILDREN; i++)
        *(wide[(i * 7919) % CHILDREN] = alloc_fast(16 + i % 200)) = i;
    root = wide;
    wide = NULL;
    collect();
    wide = root;
    for (size_t i = 0; i < CHILDREN; i++)
        REQUIRE(alloc_usable_bytes(wide[i]) > 0 && (*wide[i] * 7919) % CHILDREN == i);
}
END_TEST

/* What waits grey in one span leads to more than a marker can hold, and so does all that it takes
 * on meanwhile. */
START_TEST(the_children_of_a_wide_object_keep_theirs) {
    enum { CHILDREN = 200000, EACH = 2 }; /* 512 of them lie in a span */
    options.verify = true;
    cycle_enable();
    size_t ***wide = alloc_slow(CHILDREN * sizeof *wide, OBJECT_SCANNED);
    for (size_t i = 0; i < CHILDREN; i++) {
        size_t **child = wide[i] = alloc_fast(EACH * sizeof *child);
        for (size_t k = 0; k < EACH; k++)
            *(child[k] = alloc_fast(48)) = i + k;
    }
    root = wide;
    wide = NULL;
    collect();
    wide = root;
    for (size_t i = 0; i < CHILDREN; i++)
        for (size_t k = 0; k < EACH; k++)
            REQUIRE(alloc_usable_bytes(wide[i][k]) > 0 && *wide[i][k] == i + k);
}
END_TEST

struct vertex {
    struct vertex *edges[4];
    size_t number;
};

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* A ring that holds together what random edges connect; few of its vertices are found in the order
 * in which they were made. */
static struct vertex *graph_make(size_t count, struct vertex **all, uint64_t *random) {
    for (size_t i = 0; i < count; i++) {
        all[i] = alloc_fast(48 + next_random(random) % 100);
        *all[i] = (struct vertex){.number = i};
    }
    for (size_t i = 0; i < count; i++)
        for (int edge = 0; edge < 3; edge++)
            all[i]->edges[edge] = all[next_random(random) % count];
    for (size_t i = 0; i < count; i++)
        all[i * 7919 % count]->edges[3] = all[(i + 1) * 7919 % count];
    return all[0];
}

static size_t graph_walk(struct vertex *vertex, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (alloc_usable_bytes(vertex) < sizeof *vertex || vertex->number != i * 7919 % count)
            return i;
        for (int edge = 0; edge < 3; edge++)
            if (alloc_usable_bytes(vertex->edges[edge]) == 0)
                return i;
        vertex = vertex->edges[3];
    }
    return count;
}

/* Held by its first vertex only, and by all of them at once, so that every way an object can take
 * through the marker's rings and the queue is taken. */
START_TEST(a_random_graph_survives) {
    enum { VERTICES = 200000 };
    static struct vertex *all[VERTICES];
    uint64_t random = 88172645463325252u;
    cycle_enable();
    for (int round = 0; round < 6; round++) {
        struct vertex *first = graph_make(VERTICES, all, &random);
        if (round % 2)
            memset(all, 0, sizeof all);
        for (int i = 0; i < 3; i++) {
            collect();
            ck_assert_uint_eq(graph_walk(first, VERTICES), VERTICES);
        }
    }
}
END_TEST

__attribute__((noinline)) static uintptr_t hidden_child_of(size_t parent_bytes,
                                                           enum object_kind kind) {
    void **parent = alloc_slow(parent_bytes, kind);
    memset(parent, 0, parent_bytes);
    parent[parent_bytes / sizeof *parent - 1] = alloc_slow(48, OBJECT_SCANNED);
    root = parent;
    return ~(uintptr_t)parent[parent_bytes / sizeof *parent - 1];
}

static bool is_allocated(uintptr_t hidden) { return alloc_usable_bytes((void *)~hidden) > 0; }

static size_t marked_before_stop;

static void note_marked(void) { marked_before_stop = AO_load(&heap.marked); }

/* The thread gets no signal for so long, as one that waits for a processor. */
static void work_deaf(void) {
    enum { NANOSECONDS = 300000 };
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    long long end = clock_nanoseconds() + NANOSECONDS;
    while (clock_nanoseconds() < end)
        continue;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Nothing else leads to the list, so the first round is over at once but for the thread's stack. On
 * a busy machine some rounds wait in vain, and a thread that is late and deaf is not waited for. */
START_TEST(what_hangs_on_a_stack_is_not_left_to_the_stop) {
    enum { NODES = 100000, BYTES = 32, ROUNDS = 10 };
    int early = 0;
    cycle_enable();
    cycle_set_hooks((struct cycle_hooks){.stopping = note_marked});
    struct node *volatile mine;
    for (int round = 0; round < ROUNDS; round++) {
        list_make(NODES, BYTES);
        mine = list;
        list = NULL;
        cycle_prepare();
        unsigned cycle = cycle_request();
        while (!cycle_has_ended(cycle))
            work_deaf();
        early += marked_before_stop >= NODES * BYTES;
        ck_assert_uint_eq(mine->number, NODES - 1);
    }
    if (strcmp(dirty_name(), "none") != 0)
        ck_assert_int_ge(early, 2);
}
END_TEST

enum { MOST_PLACES = 64 };

/* Parents full of text, each with a pointer at another place, and what they point to, inverted. */
__attribute__((noinline)) static size_t parents_make(size_t bytes, uintptr_t *hidden, bool linked) {
    char **parents = alloc_slow(MOST_PLACES * sizeof *parents, OBJECT_SCANNED);
    size_t count = 0;
    root = parents;
    memset(parents, 0, MOST_PLACES * sizeof *parents);
    for (size_t at = 0; at + sizeof(void *) <= bytes; at += 4, count++) {
        void *child = alloc_fast(32);
        hidden[count] = ~(uintptr_t)child;
        parents[count] = alloc_fast(bytes);
        memset(parents[count], 'a', bytes);
        if (linked)
            memcpy(parents[count] + at, &child, sizeof child);
    }
    return count;
}

START_TEST(a_pointer_counts_at_every_fourth_byte) {
    uintptr_t hidden[MOST_PLACES];
    cycle_enable();
    for (size_t bytes = 16; bytes / 4 <= MOST_PLACES; bytes += 16)
        for (int linked = 0; linked < 2; linked++) {
            size_t count = parents_make(bytes, hidden, linked);
            collect();
            for (size_t i = 0; i < count; i++)
                REQUIRE(is_allocated(hidden[i]) == linked);
        }
}
END_TEST

START_TEST(atomic_objects_are_not_scanned) {
    cycle_enable();
    for (size_t bytes = 64; bytes <= 1 << 22; bytes *= 16) {
        uintptr_t scanned = hidden_child_of(bytes, OBJECT_SCANNED);
        collect();
        ck_assert(is_allocated(scanned));
        uintptr_t atomic = hidden_child_of(bytes, OBJECT_ATOMIC);
        collect();
        ck_assert(!is_allocated(atomic));
        ck_assert_uint_gt(alloc_usable_bytes(root), 0);
    }
}
END_TEST

START_TEST(large_objects_are_scanned_to_their_end) {
    cycle_enable();
    for (size_t bytes = 32769; bytes < 3 << 20; bytes += 99991) {
        uintptr_t hidden = hidden_child_of(bytes & ~(size_t)7, OBJECT_SCANNED);
        collect();
        ck_assert(is_allocated(hidden));
    }
}
END_TEST

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static size_t resident_bytes(void) {
    size_t pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_int_eq(fscanf(file, "%zu %zu", &pages, &resident), 2);
    fclose(file);
    return resident * 4096;
}

START_TEST(sparse_memory_is_neither_read_nor_made_resident) {
    cycle_enable();
    char *map = mmap(NULL, (size_t)1 << 40, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    char *object = alloc_slow((size_t)4 << 30, OBJECT_SCANNED);
    ck_assert(map != MAP_FAILED && object);
    root = object;
    uintptr_t in_map = hidden_child_of(64, OBJECT_SCANNED);
    *(void **)(map + ((size_t)1 << 39)) = (void *)~in_map;
    uintptr_t in_object = hidden_child_of(64, OBJECT_SCANNED);
    *(void **)(object + ((size_t)3 << 30)) = (void *)~in_object;
    root = object;
    collect();
    size_t before = resident_bytes();
    double shortest = 1e9;
    for (int i = 0; i < 5; i++) {
        double start = seconds_now();
        collect();
        shortest = fmin(shortest, seconds_now() - start);
    }
    ck_assert_double_lt(shortest, 0.5);
    ck_assert_uint_lt(resident_bytes(), before + (16 << 20));
    ck_assert(is_allocated(in_map) && is_allocated(in_object));
}
END_TEST

/* The page cache keeps what the page table has forgotten. */
START_TEST(shared_memory_counts_without_entries_in_the_page_table) {
    enum { BYTES = 1 << 20 };
    cycle_enable();
    char *map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(map, MAP_FAILED);
    uintptr_t hidden = hidden_child_of(64, OBJECT_SCANNED);
    *(void **)(map + BYTES / 2) = (void *)~hidden;
    root = NULL;
    ck_assert_int_eq(madvise(map, BYTES, MADV_DONTNEED), 0);
    collect();
    ck_assert(is_allocated(hidden));
    munmap(map, BYTES);
}
END_TEST

__attribute__((noinline)) static uintptr_t free_root(void) {
    uintptr_t hidden = ~(uintptr_t)root;
    free_fast(root);
    root = NULL;
    return hidden;
}

/* What a cache holds is nobody's: it stays, but what it points to does not. */
START_TEST(cached_objects_stay_and_are_not_scanned) {
    cycle_enable();
    uintptr_t hidden = hidden_child_of(64, OBJECT_SCANNED);
    uintptr_t parent = free_root();
    collect();
    ck_assert(is_allocated(parent));
    ck_assert(!is_allocated(hidden));
    void *again = alloc_fast(64);
    ck_assert_uint_eq(~(uintptr_t)again, parent);
}
END_TEST

START_TEST(what_was_collected_is_cleared_before_reuse) {
    cycle_enable();
    static const size_t sizes[] = {16, 48, 500, 5000, 30000, 40000, 3 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int j = 0; j < 200; j++)
            memset(alloc_slow(sizes[i], OBJECT_SCANNED), 0xff, sizes[i]);
        collect();
        for (int j = 0; j < 100; j++) {
            unsigned char *object = alloc_slow(sizes[i], OBJECT_SCANNED);
            for (size_t at = 0; at < sizes[i]; at++)
                REQUIRE(object[at] == 0 || j == 0);
        }
        collect();
    }
}
END_TEST

START_TEST(live_bytes_are_what_was_marked) {
    enum { NODES = 10000 };
    cycle_enable();
    list_make(NODES, 64);
    for (int i = 0; i < 50000; i++)
        ck_assert(alloc_fast(64) || i < 0);
    collect();
    size_t live = AO_load(&heap.live);
    ck_assert_uint_ge(live, NODES * 64);
    ck_assert_uint_lt(live, NODES * 64 + 200000);
    ck_assert_uint_eq(AO_load(&heap.allocated) - AO_load(&heap.freed) - AO_load(&heap.collected),
                      live);
}
END_TEST

START_TEST(the_heap_is_collected_when_due) {
    cycle_enable();
    options.min_heap = 4 << 20;
    for (int i = 0; i < 2000000; i++)
        REQUIRE(alloc_fast(64));
    size_t cycles = cycle_totals().cycles;
    ck_assert_uint_ge(cycles, 128 / 8);
    ck_assert_uint_le(cycles, 128 / 4 + 2);
    ck_assert_uint_lt(pages_used_bytes(), 9 << 20);
    options.gc_every = 1 << 20;
    for (int i = 0; i < 1000000; i++)
        REQUIRE(alloc_fast(64));
    ck_assert_uint_ge(cycle_totals().cycles - cycles, 25);
}
END_TEST

START_TEST(a_program_that_frees_never_collects) {
    cycle_enable();
    for (int i = 0; i < 3000000; i++)
        free_fast(alloc_fast(16 + i % 2000));
    ck_assert_uint_eq(cycle_totals().cycles, 0);
}
END_TEST

/* Ends a mark that has scanned so much. */
static void end_cycle(size_t live, size_t roots, size_t scanned) {
    pace_begin(live, 0);
    pace_work_done(scanned);
    pace_end(live, live, roots);
}

/* The work expected of the next mark grows with what is live when it begins. */
START_TEST(goal_and_trigger_follow_what_survives) {
    options.min_heap = 1 << 20;
    options.limit = SIZE_MAX;
    options.percent = 100;
    ck_assert_uint_eq(pace_trigger(), 1 << 20);
    end_cycle(40 << 20, 8 << 20, 96 << 20);
    ck_assert_uint_eq(pace_goal(), 88 << 20);
    ck_assert_uint_eq(pace_trigger() >> 20, 88 - 6); /* 96 * 88 / 40 / 40 */
    options.percent = 50;
    end_cycle(40 << 20, 8 << 20, 96 << 20);
    ck_assert_uint_eq(pace_goal(), 64 << 20);
    ck_assert_uint_eq(pace_trigger() >> 20, 64 - 4);
    end_cycle(40 << 20, 8 << 20, 1);
    ck_assert_uint_eq(pace_trigger(), 63 << 20);
    end_cycle(40 << 20, 8 << 20, 1 << 30);
    ck_assert_uint_gt(pace_trigger(), 46 << 20);
    ck_assert_uint_lt(pace_trigger(), 48 << 20);
    end_cycle(0, 0, 0);
    ck_assert_uint_eq(pace_trigger(), 1 << 20);
    ck_assert_uint_eq(pace_goal(), 3 << 19);
    end_cycle(SIZE_MAX, 0, 0);
    ck_assert_uint_eq(pace_goal(), SIZE_MAX);
}
END_TEST

START_TEST(a_memory_limit_tightens_the_goal_and_leaves_room_to_go_on) {
    options.min_heap = 1 << 20;
    options.percent = 100;
    options.limit = 100 << 20;
    end_cycle(60 << 20, 8 << 20, 0);
    ck_assert_uint_lt(pace_goal(), 88 << 20);
    ck_assert_uint_gt(pace_goal(), 80 << 20);
    end_cycle(100 << 20, 8 << 20, 0);
    ck_assert_uint_ge(pace_goal(), 110 << 20);
    ck_assert_uint_lt(pace_goal(), 120 << 20);
    ck_assert_uint_gt(pace_trigger(), 100 << 20);
}
END_TEST

START_TEST(a_cycle_that_writing_outruns_is_put_off_twice) {
    const size_t much = PACE_MUCH_WRITTEN + 1;
    options.min_heap = 1 << 20;
    options.percent = 100;
    end_cycle(1000 << 20, 8 << 20, 0);
    ck_assert(!pace_puts_off(PACE_MUCH_WRITTEN));
    ck_assert(pace_puts_off(much) && pace_puts_off(much) && !pace_puts_off(much));
    ck_assert(pace_puts_off(much));
    AO_store(&heap.live, pace_goal());
    ck_assert(!pace_puts_off(much));
    AO_store(&heap.live, 1000 << 20);
    options.gc_every = 1 << 20;
    ck_assert(!pace_puts_off(much));
}
END_TEST

START_TEST(allocation_owes_the_work_that_is_left_until_the_goal) {
    options.min_heap = 1 << 20;
    options.limit = SIZE_MAX;
    AO_store(&heap.live, 80 << 20);
    end_cycle(40 << 20, 0, 0);
    end_cycle(40 << 20, 0, 60 << 20);
    AO_store(&heap.live, 60 << 20);
    pace_begin(60 << 20, 0);
    double before = pace_work_per_byte();
    pace_work_done(1 << 20);
    ck_assert_double_gt(before, 0);
    ck_assert_double_lt(pace_work_per_byte(), before);
    AO_store(&heap.live, 79 << 20);
    pace_work_done(1);
    double near = pace_work_per_byte();
    ck_assert_double_gt(near, before);
    AO_store(&heap.live, 100 << 20);
    pace_work_done(58 << 20);
    ck_assert_double_ge(pace_work_per_byte(), near);
    AO_store(&heap.live, 0);
}
END_TEST

START_TEST(nothing_is_collected_before_it_is_allowed) {
    ck_assert(!cycle_collect(CYCLE_FORCED));
    options.collect = false;
    cycle_enable();
    ck_assert(!cycle_collect(CYCLE_FORCED));
}
END_TEST

/* Where /proc is missing and was not opened before, as in a child after chroot, roots are unknown:
 * all must survive, and go on living when a later collection is possible. */
START_TEST(without_proc_everything_survives) {
    enum { NODES = 1000 };
    cycle_enable();
    list_make(NODES, 64);
    collect();
    size_t live = AO_load(&heap.live);
    char directory[] = "/tmp/tithe-cycle-test-XXXXXX";
    if (geteuid() != 0 || mkdtemp(directory) == NULL || chroot(directory) != 0)
        return;
    struct node *kept = list;
    list = NULL;
    maps_after_fork();
    for (int i = 0; i < 3; i++)
        ck_assert(!cycle_collect(CYCLE_FORCED));
    list = kept;
    ck_assert_uint_eq(list_length(), NODES);
    ck_assert_uint_eq(AO_load(&heap.live), live);
    ck_assert_uint_eq(cycle_totals().cancelled, 3);
}
END_TEST

START_TEST(cycles_go_on_after_chroot) {
    char directory[] = "/tmp/tithe-cycle-test-XXXXXX";
    cycle_enable();
    list_make(1000, 64);
    collect();
    if (geteuid() != 0 || mkdtemp(directory) == NULL || chroot(directory) != 0)
        return;
    size_t live = AO_load(&heap.live);
    list = NULL;
    collect();
    ck_assert_uint_lt(AO_load(&heap.live), live);
}
END_TEST

START_TEST(a_vfork_child_never_collects) {
    int status;
    cycle_enable();
    collect();
    pid_t child = vfork();
    if (child == 0)
        _exit(cycle_collect(CYCLE_FORCED));
    waitpid(child, &status, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    collect();
}
END_TEST

static volatile bool finish;

static void *allocate_for_ever(void *argument) {
    struct node *own = NULL;
    for (size_t i = 0; !finish; i++) {
        struct node *node = alloc_fast(16 + i % 500);
        *node = (struct node){i % 100 ? own : NULL, i};
        own = node;
    }
    return own == argument ? NULL : argument;
}

static int forked_child(void) {
    cycle_after_fork(true);
    bool alone = thread_count() <= 1;
    list_make(1000, 64);
    for (int i = 0; i < 100000; i++)
        free_fast(alloc_fast(16 + i % 3000));
    bool collected = cycle_collect(CYCLE_FORCED);
    return !alone + 2 * !collected + 4 * (list_length() != 1000);
}

/* A fork may happen at any moment of any other thread's allocation or collection. */
START_TEST(a_forked_child_has_a_whole_heap) {
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    cycle_enable();
    options.min_heap = 1 << 20;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, allocate_for_ever, NULL);
    for (int round = 0; round < 100; round++) {
        int status;
        cycle_before_fork();
        pid_t child = fork();
        if (child == 0)
            _exit(forked_child());
        cycle_after_fork(false);
        waitpid(child, &status, 0);
        ck_assert_int_eq(status, 0);
    }
    finish = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

START_TEST(a_full_heap_is_collected_before_it_refuses) {
    options.reserve = 64 << 20;
    options.min_heap = (size_t)1 << 40;
    cycle_enable();
    for (int i = 0; i < 4000; i++)
        REQUIRE(alloc_fast(100000));
    for (int i = 0; i < 1000000; i++)
        REQUIRE(alloc_fast(200));
    ck_assert_uint_gt(cycle_totals().cycles, 5);
    list_make(100, 64);
    void **kept = NULL, **object;
    while ((object = alloc_fast(100000)) != NULL) {
        *object = kept;
        kept = object;
    }
    ck_assert_uint_gt(AO_load(&heap.live), 40 << 20);
    ck_assert_uint_eq(list_length(), 100);
    for (; kept; kept = object) {
        object = *kept;
        free_fast(kept);
    }
    ck_assert_ptr_nonnull(alloc_fast(100000));
}
END_TEST

static volatile bool is_deaf, hears;

/* Takes no signal, not even libc's own, for so many milliseconds. */
static void *be_deaf_for(void *milliseconds) {
    unsigned long all = ~0ul, before;
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    long long end = clock_nanoseconds() + (long long)(uintptr_t)milliseconds * 1000000;
    is_deaf = true;
    while (clock_nanoseconds() < end && !hears)
        continue;
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, sizeof all);
    while (!hears)
        usleep(1000);
    return NULL;
}

static pthread_t start_deaf(uintptr_t milliseconds) {
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, be_deaf_for, (void *)milliseconds), 0);
    while (!is_deaf)
        usleep(100);
    return thread;
}

static void end_deaf(pthread_t thread) {
    hears = true;
    pthread_join(thread, NULL);
}

/* As long as a few tries took, and much less than a stop may. */
START_TEST(a_stop_is_tried_again_for_some_time) {
    cycle_enable();
    options.stop_timeout = 30000;
    list_make(1000, 64);
    pthread_t thread = start_deaf(400);
    collect();
    ck_assert_uint_eq(cycle_totals().cancelled, 0);
    ck_assert_uint_eq(list_length(), 1000);
    end_deaf(thread);
}
END_TEST

START_TEST(a_failed_stop_counts_as_one) {
    cycle_enable();
    strcpy(options.dirty, "none");
    options.stop_timeout = 100;
    pthread_t thread = start_deaf(1 << 30);
    ck_assert(!cycle_collect(CYCLE_FORCED));
    long long total = cycle_totals().stop_total;
    ck_assert_int_gt(cycle_totals().stop_longest, 1000000);
    ck_assert_int_ge(total, cycle_totals().stop_longest);
    ck_assert_uint_eq(cycle_totals().cancelled, 1);
    ck_assert(!cycle_collect(CYCLE_FORCED));
    ck_assert_int_eq(cycle_totals().stop_total, total);
    end_deaf(thread);
    collect();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_list_lives_as_long_as_its_root,
        a_wide_object_keeps_all_its_children,
        the_children_of_a_wide_object_keep_theirs,
        a_random_graph_survives,
        what_hangs_on_a_stack_is_not_left_to_the_stop,
        a_pointer_counts_at_every_fourth_byte,
        atomic_objects_are_not_scanned,
        large_objects_are_scanned_to_their_end,
        sparse_memory_is_neither_read_nor_made_resident,
        shared_memory_counts_without_entries_in_the_page_table,
        cached_objects_stay_and_are_not_scanned,
        what_was_collected_is_cleared_before_reuse,
        live_bytes_are_what_was_marked,
        the_heap_is_collected_when_due,
        a_program_that_frees_never_collects,
        goal_and_trigger_follow_what_survives,
        a_memory_limit_tightens_the_goal_and_leaves_room_to_go_on,
        a_cycle_that_writing_outruns_is_put_off_twice,
        allocation_owes_the_work_that_is_left_until_the_goal,
        nothing_is_collected_before_it_is_allowed,
        without_proc_everything_survives,
        what_cannot_be_known_cancels_cycles_and_is_told,
        cycles_go_on_after_chroot,
        a_vfork_child_never_collects,
        a_stop_is_tried_again_for_some_time,
        a_failed_stop_counts_as_one,
        a_forked_child_has_a_whole_heap,
        a_full_heap_is_collected_before_it_refuses,
    };
    return SUITE_RUN("cycle", tests, 60);
}
