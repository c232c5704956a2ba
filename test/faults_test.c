/* The os room when the kernel refuses: each test lets calls of one name fail. */
#include "suite.h"

#include "os/descriptor.h"
#include "os/dirty.h"
#include "os/faults.h"
#include "os/maps.h"
#include "os/memory.h"
#include "os/tasks.h"
#include "os/vm.h"
#include "os/worker_thread.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static bool let_fail(const char *fault) { return faults_set(fault, strlen(fault)); }

START_TEST(only_what_has_a_meaning_is_taken) {
    static const char *const wrong[] = {"",
                                        "counts",
                                        "mmap",
                                        "mmap/1",
                                        "mmap//ENOMEM",
                                        "mmap/0/ENOMEM",
                                        "mmap/1/ENOTHING",
                                        "mmap/1++/ENOMEM",
                                        "mmap/x/ENOMEM",
                                        "mmap/1/ENOMEM/",
                                        "map/1/ENOMEM",
                                        "/1/ENOMEM"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!let_fail(wrong[i]), "%s", wrong[i]);
    ck_assert(!faults_wanted);
    ck_assert(let_fail("mmap/7+/ENOMEM"));
    ck_assert(let_fail("count"));
    ck_assert(faults_wanted);
}
END_TEST

START_TEST(the_one_call_fails) {
    struct vm_region region;
    ck_assert(let_fail("mmap/2/ENOMEM"));
    ck_assert(vm_region_reserve(&region, 1 << 20));
    ck_assert(!vm_region_reserve(&region, 1 << 20));
    ck_assert(vm_region_reserve(&region, 1 << 20));
}
END_TEST

START_TEST(a_region_is_made_whole_or_not_at_all) {
    struct vm_region region = {0};
    ck_assert(let_fail("mprotect/1+/ENOMEM"));
    ck_assert(!vm_region_make(&region, 1 << 20));
    ck_assert_uint_eq(region.reserved, 0);
    ck_assert(let_fail("count"));
    ck_assert(vm_region_make(&region, 1 << 20));
    memset((void *)region.start, 1, 1 << 20);
}
END_TEST

static bool count_task(int tid, void *count) {
    ++*(int *)count;
    return tid > 0;
}

START_TEST(a_list_of_threads_that_ends_too_early_is_none) {
    int count = 0;
    ck_assert(let_fail("getdents64/2/ENOMEM"));
    ck_assert(!tasks_each(count_task, &count));
    ck_assert_int_eq(count, 1);
    ck_assert(tasks_each(count_task, &count));
}
END_TEST

/* A thread that nothing can be read about may still run. */
START_TEST(a_thread_is_gone_only_by_proof) {
    ck_assert(!tasks_is_gone(tasks_self()));
    ck_assert(tasks_is_gone(0x7ffffff));
    static const char *const faults[] = {"openat/1+/EMFILE", "openat/1+/ENOENT", "read/1+/EINTR",
                                         "read/1+/ESRCH"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        ck_assert(let_fail(faults[i]));
        ck_assert_int_eq(tasks_state(tasks_self()), 0);
        ck_assert(!tasks_is_gone(tasks_self()));
        ck_assert(tasks_is_gone(0x7ffffff));
    }
}
END_TEST

/* What was not read for want of something else is no hole; a later look finds the way again. */
START_TEST(refused_reading_is_known_and_does_not_last) {
    char from[64] = "what is read", to[64] = "";
    ck_assert(maps_open());
    ck_assert(let_fail("process_vm_readv/1/ENOMEM"));
    size_t got =
        memory_read(to, (uintptr_t)from, sizeof from); /* by the file, if that can be had */
    ck_assert(got == 0 || (got == sizeof from && strcmp(to, from) == 0));
    ck_assert(memory_is_refused());
    ck_assert(!maps_are_open());
    ck_assert(maps_open());
    ck_assert(maps_are_open());
    ck_assert(!memory_is_refused());
    ck_assert_uint_eq(memory_read(to, (uintptr_t)from, sizeof from), sizeof from);
    ck_assert_str_eq(to, from);
    ck_assert_uint_eq(memory_read(to, 64, sizeof to), 0);
    ck_assert(!memory_is_refused());
}
END_TEST

/* The same where memory is read through its file. */
START_TEST(refused_reading_of_the_file_is_known) {
    char from[64] = "what is read", to[64] = "";
    ck_assert(let_fail("process_vm_readv/1+/EPERM"));
    ck_assert(maps_open());
    ck_assert(memory_is_read_by_file());
    ck_assert_uint_eq(memory_read(to, (uintptr_t)from, sizeof from), sizeof from);
    ck_assert_uint_eq(memory_read(to, 64, sizeof to), 0);
    ck_assert(!memory_is_refused());
    ck_assert(let_fail("pread64/1+/EINTR"));
    ck_assert_uint_eq(memory_read(to, (uintptr_t)from, sizeof from), 0);
    ck_assert(memory_is_refused());
}
END_TEST

static void never(void *nothing) {
    (void)nothing;
    _exit(9);
}

START_TEST(no_thread_with_half_a_copy_of_its_memory_begins) {
    struct vm_region block;
    static volatile unsigned tid;
    ck_assert(maps_open());
    ck_assert(vm_region_make(&block, worker_thread_block_bytes(65536)));
    ck_assert(let_fail("process_vm_readv/1/ENOMEM"));
    ck_assert_int_lt(worker_thread_start(block.start, 65536, never, NULL, &tid), 0);
}
END_TEST

static void count_map(const struct map *map, void *count) {
    (void)map;
    ++*(int *)count;
}

START_TEST(a_list_of_maps_that_cannot_be_read_is_none) {
    int count = 0;
    ck_assert(maps_open());
    ck_assert(let_fail("pread64/1+/EINTR"));
    ck_assert(!maps_each(count_map, &count));
    ck_assert(let_fail("pread64/1/EINTR"));
    ck_assert(maps_each(count_map, &count));
}
END_TEST

/* A program that closes a descriptor and opens another gets the number it expects, however low the
 * limit. */
START_TEST(low_numbers_are_the_programs) {
    struct descriptor ours = DESCRIPTOR_CLOSED;
    struct rlimit limit = {64, 64};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    close(0);
    ck_assert(descriptor_open(&ours, "/dev/null"));
    ck_assert_int_gt(ours.fd, 7);
    ck_assert_int_eq(open("/dev/null", O_RDONLY), 0);
    close(0);
    ck_assert(let_fail("fcntl/1+/EMFILE"));
    struct descriptor other = DESCRIPTOR_CLOSED;
    ck_assert(!descriptor_open(&other, "/dev/null"));
    ck_assert_int_lt(other.fd, 0);
    ck_assert_int_eq(open("/dev/null", O_RDONLY), 0);
}
END_TEST

/* Neither a crash where the page that is tried has no memory, nor a descriptor more each time. */
START_TEST(written_pages_are_asked_for_again) {
    ck_assert(let_fail("mprotect/1+/ENOMEM"));
    ck_assert_int_eq(dirty_open(), DIRTY_NONE);
    ck_assert_int_eq(dirty_open(), DIRTY_NONE);
    ck_assert(let_fail("count"));
    int before = dup(0);
    close(before);
    for (int i = 0; i < 20; i++) {
        dirty_after_fork();
        dirty_open();
    }
    int after = dup(0);
    ck_assert_int_eq(after, before);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        only_what_has_a_meaning_is_taken,
        the_one_call_fails,
        a_region_is_made_whole_or_not_at_all,
        a_list_of_threads_that_ends_too_early_is_none,
        a_thread_is_gone_only_by_proof,
        refused_reading_is_known_and_does_not_last,
        refused_reading_of_the_file_is_known,
        no_thread_with_half_a_copy_of_its_memory_begins,
        a_list_of_maps_that_cannot_be_read_is_none,
        low_numbers_are_the_programs,
        written_pages_are_asked_for_again,
    };
    return SUITE_RUN("faults", tests, 30);
}
