/* Thousands of small maps that a mark has read: the stop asks about all of them together, and what
 * has changed in one or come between two is read all the same. */
#include "suite.h"

#include "heap/layout.h"
#include "mark/jobs.h"
#include "mark/rescan.h"
#include "os/dirty.h"
#include "os/maps.h"
#include "roots/ranges.h"
#include "roots/roots.h"
#include "roots/unknown.h"
#include "thread/thread.h"
#include "thread/world.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    SLOTS = 6000, /* more than any list of ours has room for at first */
    CHANGED = 5000,
    PAGE = 4096,
    STRIDE = 4 * PAGE, /* a page, a guard, and a hole of two */
    PLAIN = PROT_READ | PROT_WRITE,
    MOST_FOUND = 4 * SLOTS
};

static uintptr_t slots;

static uintptr_t slot_at(size_t i) { return slots + i * STRIDE; }
static uintptr_t hole_at(size_t i) { return slot_at(i) + 2 * PAGE; }

static void map_at(uintptr_t at, size_t bytes, int kind, int file) {
    void *map = mmap((void *)at, bytes, PLAIN, kind | MAP_FIXED, file, 0);
    ck_assert_ptr_eq(map, (void *)at);
}

static void map_page(uintptr_t at) {
    map_at(at, PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    *(volatile char *)at = 1;
}

static void protect(uintptr_t at, int protection) {
    ck_assert_int_eq(mprotect((void *)at, PAGE, protection), 0);
}

static void make_slots(void) {
    size_t bytes = (size_t)SLOTS * STRIDE;
    void *place = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(place != MAP_FAILED && munmap(place, bytes) == 0);
    slots = (uintptr_t)place;
    for (size_t i = 0; i < SLOTS; i++) {
        map_at(slot_at(i), 2 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
        *(volatile char *)slot_at(i) = 1;
        protect(slot_at(i) + PAGE, PROT_NONE);
    }
}

/* What the plan before has found. */
static struct job found[MOST_FOUND];
static size_t found_count;

/* Jobs about stretches add others. */
static void take_jobs(void) {
    struct marker marker = {0};
    struct job job;
    while (jobs_take(&job)) {
        if (job.kind == JOB_STRETCH || job.kind == JOB_STRETCH_STOPPED)
            rescan_run(&marker, &job);
        ck_assert_uint_lt(found_count, MOST_FOUND);
        found[found_count++] = job;
    }
}

static void plan(enum roots_scope scope) {
    static unsigned char copy[SCAN_COPY_BYTES];
    struct marker marker = {.copy = copy};
    found_count = 0;
    unknown_begin();
    lock_take(&thread_registry_lock);
    ck_assert(roots_make_room(thread_count()));
    if (scope == ROOTS_TRACKED)
        roots_look(scope);
    ck_assert(roots_plan(&marker, scope));
    take_jobs();
    if (scope != ROOTS_TRACKED)
        ck_assert(roots_plan_late(&marker));
    take_jobs();
    lock_give(&thread_registry_lock);
}

/* False where nothing can be tracked, so that there is nothing to be seen. */
static bool begin_mark(void) {
    ck_assert(heap_start() && maps_open());
    if (dirty_open() == DIRTY_NONE || !dirty_arm())
        return false;
    thread_current();
    world_freeze(thread_self, NULL);
    make_slots();
    plan(ROOTS_TRACKED);
    return true;
}

static bool is_read(const struct job *job) {
    return job->kind == JOB_ROOTS || job->kind == JOB_SAFE_ROOTS;
}

/* How often an address is read. */
static size_t times_read(uintptr_t address) {
    size_t times = 0;
    for (size_t i = 0; i < found_count; i++)
        times += is_read(&found[i]) && found[i].start <= address && address < found[i].end;
    return times;
}

static bool is_read_as(uintptr_t address, enum scan_mode mode) {
    bool any = false;
    for (size_t i = 0; i < found_count; i++)
        any |= is_read(&found[i]) && found[i].mode == mode && found[i].start <= address &&
               address < found[i].end;
    return any;
}

static size_t slots_read(void) {
    size_t count = 0;
    for (size_t i = 0; i < found_count; i++)
        count += is_read(&found[i]) && found[i].end > slots && found[i].start < slot_at(SLOTS);
    return count;
}

enum { FEW = 400 /* small parts that are read again in each stop */ };

START_TEST(what_is_as_it_was_is_not_read_again) {
    if (!begin_mark())
        return;
    for (size_t i = 0; i < SLOTS; i++)
        REQUIRE(times_read(slot_at(i)) == 1);
    plan(ROOTS_WRITTEN);
    ck_assert_uint_lt(slots_read(), FEW);
    ck_assert_uint_lt(found_count, SLOTS / 4);
    ck_assert_uint_eq(times_read(slot_at(CHANGED)), 0);
}
END_TEST

START_TEST(what_was_written_is) {
    if (!begin_mark())
        return;
    for (size_t i = SLOTS / 4; i < SLOTS; i += 100)
        *(volatile char *)(slot_at(i) + 100) = 2;
    plan(ROOTS_WRITTEN);
    for (size_t i = SLOTS / 4; i < SLOTS; i++)
        REQUIRE((times_read(slot_at(i)) > 0) == ((i - SLOTS / 4) % 100 == 0));
}
END_TEST

/* Rounds take what was written before the stop. */
START_TEST(what_was_written_is_read_in_the_round_that_follows) {
    if (!begin_mark())
        return;
    *(volatile char *)slot_at(CHANGED) = 2;
    found_count = 0;
    rescan_take_count();
    ck_assert(roots_plan_written());
    take_jobs();
    ck_assert_uint_ge(rescan_take_count(), PAGE);
    ck_assert_uint_eq(times_read(slot_at(CHANGED)), 1);
    ck_assert_uint_lt(found_count, SLOTS / 4);
    plan(ROOTS_WRITTEN);
    ck_assert_uint_eq(times_read(slot_at(CHANGED)), 0);
}
END_TEST

START_TEST(maps_that_came_between_are) {
    if (!begin_mark())
        return;
    for (size_t i = SLOTS / 4; i < SLOTS; i += 100)
        map_page(hole_at(i) + PAGE);
    plan(ROOTS_WRITTEN);
    for (size_t i = SLOTS / 4; i < SLOTS; i++)
        REQUIRE((times_read(hole_at(i) + PAGE) > 0) == ((i - SLOTS / 4) % 100 == 0));
}
END_TEST

/* More than there is room to remember: all maps are listed. */
START_TEST(so_are_more_than_a_list_has_room_for) {
    if (!begin_mark())
        return;
    for (size_t i = 0; i < SLOTS; i++)
        map_page(hole_at(i) + PAGE);
    plan(ROOTS_WRITTEN);
    for (size_t i = 0; i < SLOTS; i++)
        REQUIRE(times_read(hole_at(i) + PAGE) > 0);
}
END_TEST

/* The page cache has its page, and the page table has not. */
START_TEST(so_is_a_file_in_memory_that_nobody_has_touched) {
    if (!begin_mark())
        return;
    int file = memfd_create("stretches", MFD_CLOEXEC);
    ck_assert_int_eq(ftruncate(file, 2 * PAGE), 0);
    ck_assert_int_eq(pwrite(file, "pointer", 7, PAGE), 7);
    map_at(hole_at(CHANGED), 2 * PAGE, MAP_SHARED, file);
    map_at(hole_at(CHANGED + 500), 2 * PAGE, MAP_PRIVATE, file);
    plan(ROOTS_WRITTEN);
    ck_assert_uint_gt(times_read(hole_at(CHANGED) + PAGE), 0);
    ck_assert_uint_gt(times_read(hole_at(CHANGED + 500) + PAGE), 0);
}
END_TEST

START_TEST(so_is_what_was_mapped_anew_in_the_same_place) {
    if (!begin_mark())
        return;
    ck_assert_int_eq(munmap((void *)slot_at(CHANGED), PAGE), 0);
    map_page(slot_at(CHANGED));
    plan(ROOTS_WRITTEN);
    ck_assert_uint_gt(times_read(slot_at(CHANGED)), 0);
}
END_TEST

START_TEST(so_is_what_was_moved) {
    if (!begin_mark())
        return;
    void *to = (void *)hole_at(CHANGED + 7);
    ck_assert_ptr_eq(
        mremap((void *)slot_at(CHANGED), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
    plan(ROOTS_WRITTEN);
    ck_assert_uint_gt(times_read((uintptr_t)to), 0);
}
END_TEST

START_TEST(what_became_code_is_read_as_such) {
    if (!begin_mark())
        return;
    protect(slot_at(CHANGED), PROT_READ | PROT_EXEC);
    plan(ROOTS_WRITTEN);
    ck_assert(is_read_as(slot_at(CHANGED), SCAN_CODE));
    ck_assert_uint_eq(times_read(slot_at(CHANGED + 1)), 0);
}
END_TEST

START_TEST(what_was_written_and_closed_is_read) {
    if (!begin_mark())
        return;
    *(volatile char *)slot_at(CHANGED) = 2;
    protect(slot_at(CHANGED), PROT_NONE);
    protect(slot_at(CHANGED + 1), PROT_NONE);
    protect(slot_at(CHANGED + 2) + PAGE, PLAIN);
    *(volatile char *)(slot_at(CHANGED + 2) + PAGE) = 2;
    plan(ROOTS_WRITTEN);
    ck_assert_uint_gt(times_read(slot_at(CHANGED)), 0);
    ck_assert_uint_eq(times_read(slot_at(CHANGED + 1)), 0);
    ck_assert_uint_gt(times_read(slot_at(CHANGED + 2) + PAGE), 0);
}
END_TEST

static struct thread *add_thread(uintptr_t pointer) {
    lock_take(&thread_registry_lock);
    struct thread *thread = thread_adopt(1 << 24);
    thread->stack_pointer = pointer;
    lock_give(&thread_registry_lock);
    return thread;
}

START_TEST(a_stack_is_read_as_one_though_nothing_was_written) {
    if (!begin_mark())
        return;
    add_thread(slot_at(CHANGED) + 512);
    plan(ROOTS_WRITTEN);
    ck_assert(is_read_as(slot_at(CHANGED), SCAN_STACK));
}
END_TEST

/* Of a stack with known bounds only the live part counts, whatever was written below. */
START_TEST(the_dead_part_of_a_stack_is_not_read) {
    if (!begin_mark())
        return;
    struct thread *thread = add_thread(slot_at(CHANGED) + 2048);
    thread->stack_low = slot_at(CHANGED);
    thread->stack_high = slot_at(CHANGED) + PAGE;
    memset((void *)slot_at(CHANGED), 3, PAGE);
    plan(ROOTS_WRITTEN);
    ck_assert_uint_eq(times_read(slot_at(CHANGED) + 1024), 0);
    ck_assert(is_read_as(slot_at(CHANGED) + 2048, SCAN_STACK));
}
END_TEST

START_TEST(what_the_program_excludes_is_not_read) {
    if (!begin_mark())
        return;
    memset((void *)slot_at(CHANGED), 3, PAGE);
    ck_assert(roots_exclude(slot_at(CHANGED) + 1024, slot_at(CHANGED) + 2048));
    plan(ROOTS_WRITTEN);
    ck_assert_uint_gt(times_read(slot_at(CHANGED) + 1000), 0);
    ck_assert_uint_eq(times_read(slot_at(CHANGED) + 1500), 0);
    ck_assert_uint_gt(times_read(slot_at(CHANGED) + 2048), 0);
}
END_TEST

/* What could not be read while the program ran, because a part of it had gone. */
static void read_in_vain(uintptr_t start, uintptr_t end) {
    static unsigned char copy[SCAN_COPY_BYTES];
    struct marker marker = {.copy = copy};
    rescan_run(&marker, &(struct job){start, end, JOB_ROOTS, SCAN_WORDS});
}

START_TEST(what_could_not_be_read_is_read_in_the_stop_and_nothing_else) {
    if (!begin_mark())
        return;
    rescan_forget_missed();
    read_in_vain(slot_at(CHANGED), hole_at(CHANGED) + PAGE);
    ck_assert(rescan_take_missed(roots_distrust));
    plan(ROOTS_WRITTEN);
    ck_assert_uint_gt(times_read(slot_at(CHANGED)), 0);
    ck_assert_uint_eq(times_read(slot_at(CHANGED + 1)), 0);
    plan(ROOTS_TRACKED);
    plan(ROOTS_WRITTEN);
    ck_assert_uint_eq(times_read(slot_at(CHANGED)), 0);
    for (size_t i = 0; i < SLOTS / 4; i++)
        read_in_vain(hole_at(i), hole_at(i) + PAGE);
    ck_assert(!rescan_take_missed(roots_distrust));
    ck_assert(rescan_take_missed(roots_distrust));
}
END_TEST

/* In the next mark, pages that were protected in this one are read, written or not. */
START_TEST(each_mark_reads_all_of_it) {
    if (!begin_mark())
        return;
    plan(ROOTS_WRITTEN);
    plan(ROOTS_TRACKED);
    for (size_t i = 0; i < SLOTS; i++)
        REQUIRE(times_read(slot_at(i)) == 1);
    roots_relax();
    plan(ROOTS_ALL);
    for (size_t i = 0; i < SLOTS; i++)
        REQUIRE(times_read(slot_at(i)) == 1);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        what_is_as_it_was_is_not_read_again,
        what_was_written_is,
        what_was_written_is_read_in_the_round_that_follows,
        maps_that_came_between_are,
        so_are_more_than_a_list_has_room_for,
        so_is_a_file_in_memory_that_nobody_has_touched,
        so_is_what_was_mapped_anew_in_the_same_place,
        so_is_what_was_moved,
        what_became_code_is_read_as_such,
        what_was_written_and_closed_is_read,
        a_stack_is_read_as_one_though_nothing_was_written,
        the_dead_part_of_a_stack_is_not_read,
        what_the_program_excludes_is_not_read,
        what_could_not_be_read_is_read_in_the_stop_and_nothing_else,
        each_mark_reads_all_of_it,
    };
    return SUITE_RUN("stretches", tests, 120);
}
