/* The heap room and the front door, without any collection: pages, spans, caches, large objects,
 * and a random sequence of operations against a model.
 */
#include "suite.h"

#include "alloc/alloc.h"
#include "heap/cache.h"
#include "heap/large.h"
#include "heap/object.h"
#include "heap/pages.h"
#include "heap/sweep.h"
#include "os/options.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct span take_pages(size_t count, size_t alignment) {
    struct span span = {0};
    ck_assert(heap_start());
    ck_assert(pages_take(&span, count, alignment));
    return span;
}

/* White objects in the bin, then black ones. */
START_TEST(a_flush_tells_whether_the_mark_was_outrun) {
    enum { COUNT = 8, BYTES = 64 };
    void *objects[COUNT];
    unsigned class = sizes_span_class(BYTES, OBJECT_SCANNED);
    struct thread *thread = thread_current();
    for (int colour = 0; colour < 2; colour++) {
        for (int i = 0; i < COUNT; i++)
            objects[i] = alloc_fast(BYTES);
        if (colour == 0)
            object_swap_colours();
        AO_char_store(&heap.marking, 1);
        cache_empty(&thread->cache);
        for (int i = 0; i < COUNT; i++)
            free_fast(objects[i]);
        ck_assert(cache_flush(&thread->cache, class) == (colour == 0));
        AO_char_store(&heap.marking, 0);
        cache_empty(&thread->cache);
    }
}
END_TEST

static struct cache_bin *watched_bin;
static volatile int looks, twice;

static void look_for_twins(int number) {
    (void)number;
    looks++;
    for (unsigned i = 0; i < watched_bin->count; i++)
        for (unsigned k = 0; k < i; k++)
            twice += watched_bin->slots[i] == watched_bin->slots[k];
}

/* Where another thread forks meanwhile, the child gives back what it finds in the bin. */
START_TEST(a_bin_holds_nothing_twice_at_any_instant) {
    enum { BYTES = 16, COUNT = 2000, LOOKS = 3000 };
    static void *objects[COUNT];
    struct sigaction action = {.sa_handler = look_for_twins};
    struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    watched_bin = &thread_current()->cache.bins[sizes_span_class(BYTES, OBJECT_SCANNED)];
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    while (looks < LOOKS && twice == 0) {
        for (int i = 0; i < COUNT; i++)
            objects[i] = alloc_fast(BYTES);
        for (int i = 0; i < COUNT; i++)
            free_fast(objects[i]);
    }
    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    ck_assert_int_eq(twice, 0);
}
END_TEST

START_TEST(pages_are_joined_when_given_back) {
    struct span spans[16];
    for (int i = 0; i < 16; i++)
        spans[i] = take_pages(4, HEAP_PAGE_BYTES);
    for (int i = 1; i < 16; i++)
        ck_assert_uint_eq(spans[i].base, spans[i - 1].base + 4 * HEAP_PAGE_BYTES);
    for (int i = 0; i < 16; i += 2)
        pages_give(&spans[i], false);
    for (int i = 1; i < 16; i += 2)
        pages_give(&spans[i], false);
    ck_assert_uint_eq(pages_idle_bytes(), 64 * HEAP_PAGE_BYTES);
    struct span whole = take_pages(64, HEAP_PAGE_BYTES);
    ck_assert_uint_eq(whole.base, spans[0].base);
    ck_assert(!whole.zeroed);
    ck_assert_uint_eq(pages_idle_bytes(), 0);
}
END_TEST

START_TEST(pages_are_aligned_on_demand) {
    for (size_t alignment = HEAP_PAGE_BYTES; alignment <= 1 << 24; alignment *= 2) {
        struct span small = take_pages(1, HEAP_PAGE_BYTES), span = take_pages(3, alignment);
        ck_assert_uint_eq(span.base % alignment, 0);
        ck_assert_uint_gt(small.page_count, 0);
    }
}
END_TEST

START_TEST(released_pages_are_known_to_be_zero) {
    struct span span = take_pages(8, HEAP_PAGE_BYTES);
    ck_assert(span.zeroed);
    memset((void *)span.base, 1, 8 * HEAP_PAGE_BYTES);
    pages_give(&span, true);
    ck_assert(pages_release_all());
    ck_assert(!pages_release_all());
    struct span again = take_pages(8, HEAP_PAGE_BYTES);
    ck_assert_uint_eq(again.base, span.base);
    ck_assert(again.zeroed && !again.stale);
    for (size_t i = 0; i < 8 * HEAP_PAGE_BYTES; i++)
        REQUIRE(((char *)again.base)[i] == 0);
}
END_TEST

/* Past the first sixteen megabytes of a class, in a large heap. */
START_TEST(classes_with_many_objects_have_blocks_of_their_own) {
    enum { BLOCK = 2 << 20, BLOCK_COUNT = 512, COUNT = 200000, FIRST = 150000 };
    static const size_t bytes[] = {144, 208};
    static unsigned char found[BLOCK_COUNT];
    ck_assert(heap_start() && pages_reserve(HEAP_LARGE_BYTES));
    for (int i = 0; i < COUNT; i++)
        for (int class = 0; class < 2; class ++) {
            uintptr_t object = (uintptr_t)alloc_fast(bytes[class]);
            size_t block = (object - heap.objects.start) / BLOCK;
            ck_assert_uint_lt(block, BLOCK_COUNT);
            if (i >= FIRST)
                found[block] |= 1 << class;
        }
    for (int i = 0; i < BLOCK_COUNT; i++)
        ck_assert_uint_ne(found[i], 3);
}
END_TEST

START_TEST(page_table_leads_to_the_span_and_forgets_it) {
    ck_assert(heap_start());
    void *object = large_take(100000, HEAP_PAGE_BYTES, OBJECT_SCANNED, false);
    uintptr_t base = (uintptr_t)object;
    struct span *span = heap_span_of(base + 99999);
    ck_assert_ptr_nonnull(span);
    ck_assert_ptr_eq(span, heap_span_of(base));
    struct object found;
    ck_assert(object_find(base + 12345, &found));
    ck_assert_uint_eq(object_address(found), base);
    large_give(span, object);
    ck_assert(!object_find(base + 12345, &found));
    ck_assert(!object_find(base, &found));
}
END_TEST

START_TEST(large_objects_grow_and_shrink_in_place) {
    char *object = alloc_slow(1 << 20, OBJECT_SCANNED);
    memset(object, 3, 1 << 20);
    ck_assert_ptr_eq(alloc_resize(object, 3 << 20), object);
    ck_assert_uint_eq(alloc_usable_bytes(object), 3 << 20);
    ck_assert_int_eq(object[(1 << 20) - 1], 3);
    ck_assert_ptr_eq(alloc_resize(object, 1 << 19), object);
    ck_assert_uint_eq(alloc_usable_bytes(object), 1 << 19);
    char *blocker = alloc_slow(1 << 20, OBJECT_SCANNED), *moved = alloc_resize(object, 64 << 20);
    ck_assert_ptr_ne(blocker, NULL);
    ck_assert_int_eq(moved[(1 << 19) - 1], 3);
    free_slow(moved);
}
END_TEST

START_TEST(counters_follow_objects) {
    void *large = alloc_slow(1 << 20, OBJECT_SCANNED);
    size_t live = AO_load(&heap.live);
    ck_assert_uint_ge(live, 1 << 20);
    free_slow(large);
    ck_assert_uint_eq(AO_load(&heap.live), live - (1 << 20));
    ck_assert_uint_eq(AO_load(&heap.freed), 1 << 20);
}
END_TEST

START_TEST(atomic_objects_have_spans_of_their_own) {
    void *scanned = alloc_slow(100, OBJECT_SCANNED), *atomic = alloc_slow(100, OBJECT_ATOMIC);
    ck_assert_ptr_ne(heap_span_of((uintptr_t)scanned), heap_span_of((uintptr_t)atomic));
    ck_assert_int_eq(sizes_kind(heap_span_of((uintptr_t)atomic)->span_class), OBJECT_ATOMIC);
    free_fast(atomic);
    ck_assert_ptr_eq(alloc_slow(100, OBJECT_ATOMIC), atomic);
}
END_TEST

START_TEST(emptied_spans_give_their_pages_back) {
    enum { OBJECTS = 20000 };
    static void *objects[OBJECTS];
    for (int i = 0; i < OBJECTS; i++)
        memset(objects[i] = alloc_fast(500), 1, 500);
    size_t used = pages_used_bytes();
    for (int i = 0; i < OBJECTS; i++)
        free_fast(objects[i]);
    cache_empty(&thread_current()->cache);
    ck_assert_uint_gt(pages_idle_bytes(), OBJECTS * 500 * 9 / 10);
    for (int i = 0; i < OBJECTS; i++)
        objects[i] = alloc_fast(1000);
    ck_assert_uint_lt(pages_used_bytes(), used * 5 / 2);
}
END_TEST

START_TEST(impossible_sizes_are_refused) {
    ck_assert_ptr_null(alloc_slow(SIZE_MAX, OBJECT_SCANNED));
    ck_assert_ptr_null(alloc_slow(SIZE_MAX / 2, OBJECT_SCANNED));
    ck_assert_ptr_null(alloc_slow((size_t)1 << 46, OBJECT_SCANNED));
    ck_assert_ptr_null(alloc_cleared(SIZE_MAX - 4096, OBJECT_SCANNED));
    ck_assert_ptr_null(alloc_aligned((size_t)1 << 62, 1, OBJECT_SCANNED));
    char *object = alloc_slow(100, OBJECT_SCANNED);
    ck_assert_ptr_null(alloc_resize(object, SIZE_MAX / 4));
    ck_assert_uint_ge(alloc_usable_bytes(object), 100);
}
END_TEST

START_TEST(foreign_pointers_are_left_alone) {
    static char foreign[100] = "foreign";
    free_slow(NULL);
    free_slow(foreign);
    ck_assert_uint_eq(alloc_usable_bytes(foreign), 0);
    char *copy = alloc_resize(foreign, 50);
    ck_assert_ptr_ne(copy, foreign);
    ck_assert_str_eq(copy, "foreign");
    ck_assert_str_eq(foreign, "foreign");
}
END_TEST

/* Misuse must end the process with one line that names the pointer. */
static void expect_abort(void (*misuse)(void)) {
    int ends[2], status;
    char said[512] = "";
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        misuse();
        _exit(0);
    }
    close(ends[1]);
    ck_assert_int_gt(read(ends[0], said, sizeof said - 1), 0);
    waitpid(child, &status, 0);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    ck_assert_ptr_nonnull(strstr(said, "free of 0x"));
}

static void *volatile victim;

static void free_twice_at_once(void) {
    victim = alloc_fast(100);
    free_fast(victim);
    free_fast(victim);
}
static void free_twice_later(void) {
    victim = alloc_fast(100);
    free_fast(victim);
    cache_empty(&thread_current()->cache);
    free_fast(victim);
    cache_empty(&thread_current()->cache);
}
static void free_middle(void) {
    victim = alloc_fast(100);
    free_fast((char *)victim + 16);
    cache_empty(&thread_current()->cache);
}
static void free_large_twice(void) {
    victim = alloc_fast(1 << 20);
    free_fast(victim);
    free_fast(victim);
}
static void free_middle_of_large(void) {
    victim = alloc_fast(1 << 20);
    free_fast((char *)victim + 4096);
}

START_TEST(misuse_is_diagnosed) {
    expect_abort(free_twice_at_once);
    expect_abort(free_twice_later);
    expect_abort(free_middle);
    expect_abort(free_large_twice);
    expect_abort(free_middle_of_large);
}
END_TEST

/* The model: what each block should be. Every operation checks it; contents tell the block. */
enum { BLOCKS = 400, OPERATIONS = 150000 };

struct block {
    unsigned char *start;
    size_t bytes;
    unsigned char pattern;
};

static struct block blocks[BLOCKS];
static uint64_t random_state;

static uint64_t random_below(uint64_t bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

static size_t random_bytes(void) {
    switch (random_below(20)) {
    case 0:
        return random_below(1 << 20);
    case 1:
        return 0;
    case 2:
    case 3:
        return random_below(SIZES_LARGEST_SMALL + 100);
    default:
        return random_below(1 << random_below(12));
    }
}

/* The first and the last bytes carry the pattern. */
static void block_write(struct block *block) {
    size_t edge = block->bytes < 64 ? block->bytes : 64;
    block->pattern = random_below(256);
    memset(block->start, block->pattern, edge);
    memset(block->start + block->bytes - edge, block->pattern, edge);
}

static void block_check(const struct block *block, size_t bytes) {
    size_t edge = block->bytes < 64 ? block->bytes : 64;
    for (size_t i = 0; i < edge && i < bytes; i++)
        REQUIRE(block->start[i] == block->pattern);
    for (size_t i = block->bytes - edge; i < block->bytes && bytes >= block->bytes; i++)
        REQUIRE(block->start[i] == block->pattern);
}

static void check_overlap(const struct block *block) {
    size_t usable = alloc_usable_bytes(block->start);
    REQUIRE(usable >= block->bytes);
    REQUIRE(usable >= 1);
    REQUIRE((uintptr_t)block->start % SIZES_GRANULE == 0);
    for (const struct block *other = blocks; other < blocks + BLOCKS; other++) {
        if (other == block || other->start == NULL)
            continue;
        bool apart = other->start + alloc_usable_bytes(other->start) <= block->start ||
                     block->start + usable <= other->start;
        REQUIRE(apart);
    }
}

static void block_make(struct block *block) {
    size_t bytes = random_bytes();
    unsigned char *start;
    switch (random_below(4)) {
    case 0:
        start = alloc_cleared(bytes, random_below(2));
        for (size_t i = 0; i < bytes; i++)
            REQUIRE(start[i] == 0);
        break;
    case 1: {
        size_t alignment = (size_t)16 << random_below(14);
        start = alloc_aligned(alignment, bytes, OBJECT_SCANNED);
        REQUIRE((uintptr_t)start % alignment == 0);
        break;
    }
    case 2:
        start = alloc_slow(bytes, OBJECT_ATOMIC);
        break;
    default:
        start = alloc_fast(bytes);
    }
    *block = (struct block){start, bytes, 0};
    check_overlap(block);
    block_write(block);
}

static void block_change(struct block *block) {
    block_check(block, block->bytes);
    if (random_below(3) == 0) {
        size_t bytes = 1 + random_bytes(), both = bytes < block->bytes ? bytes : block->bytes;
        block->start = alloc_resize(block->start, bytes);
        block_check(block, both);
        block->bytes = bytes;
        check_overlap(block);
        block_write(block);
    } else {
        free_fast(block->start);
        block->start = NULL;
    }
}

static void random_start(void) {
    const char *given = getenv("TITHE_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2 + 1;
    printf("heap: TITHE_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    random_state = seed | 1;
}

static void check_pages(const struct span *span) {
    for (unsigned page = 0; page < span->page_count; page++)
        REQUIRE(heap_span_of(span->base + (uintptr_t)page * HEAP_PAGE_BYTES) == span);
}

static void take_or_give_pages(struct span *span) {
    if (span->page_count > 0) {
        check_pages(span);
        pages_give(span, random_below(2));
        span->page_count = 0;
        return;
    }
    size_t count = 1 + random_below(random_below(50) == 0 ? 600 : 8);
    *span = (struct span){.span_class = 1 + random_below(4)};
    ck_assert(count > 8 || random_below(3) == 0 ? pages_take(span, count, HEAP_PAGE_BYTES)
                                                : pages_take_together(span, count));
    for (unsigned page = 0; span->zeroed && page < span->page_count; page++)
        REQUIRE(*(uintptr_t *)(span->base + (uintptr_t)page * HEAP_PAGE_BYTES) == 0);
    for (unsigned page = 0; page < span->page_count; page++)
        *(uintptr_t *)(span->base + (uintptr_t)page * HEAP_PAGE_BYTES) = 1;
}

/* The page table is what a second owner would be seen in. */
START_TEST(pages_have_one_owner_each) {
    enum { SPANS = 2000, STEPS = 200000 };
    static struct span spans[SPANS];
    ck_assert(heap_start());
    random_start();
    for (int i = 0; i < STEPS; i++) {
        take_or_give_pages(&spans[random_below(SPANS)]);
        if (random_below(5000) == 0)
            pages_release_all();
    }
    for (int i = 0; i < SPANS; i++)
        if (spans[i].page_count > 0)
            check_pages(&spans[i]);
}
END_TEST

START_TEST(random_operations_match_the_model) {
    random_start();
    for (int i = 0; i < OPERATIONS; i++) {
        struct block *block = &blocks[random_below(BLOCKS)];
        if (block->start)
            block_change(block);
        else
            block_make(block);
        if (random_below(5000) == 0)
            pages_release_all();
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_flush_tells_whether_the_mark_was_outrun,
        a_bin_holds_nothing_twice_at_any_instant,
        pages_are_joined_when_given_back,
        pages_are_aligned_on_demand,
        released_pages_are_known_to_be_zero,
        classes_with_many_objects_have_blocks_of_their_own,
        page_table_leads_to_the_span_and_forgets_it,
        large_objects_grow_and_shrink_in_place,
        counters_follow_objects,
        atomic_objects_have_spans_of_their_own,
        emptied_spans_give_their_pages_back,
        impossible_sizes_are_refused,
        foreign_pointers_are_left_alone,
        misuse_is_diagnosed,
        pages_have_one_owner_each,
        random_operations_match_the_model,
    };
    return SUITE_RUN("heap", tests, 120);
}
