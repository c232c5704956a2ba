/* The os room: address space, parking, maps and residency, tasks, options, the alternate stack. */
#include "suite.h"

#include "os/altstack.h"
#include "os/log.h"
#include "os/maps.h"
#include "os/memory.h"
#include "os/options.h"
#include "os/park.h"
#include "os/registers.h"
#include "os/resident.h"
#include "os/signal.h"
#include "os/tasks.h"
#include "os/vm.h"
#include "os/worker_thread.h"

#if defined(__x86_64__)
#include <asm/prctl.h>
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

START_TEST(region_grows_and_keeps_its_contents) {
    struct vm_region region;
    ck_assert(vm_region_reserve(&region, (size_t)1 << 34));
    ck_assert_uint_eq(region.start % (2 << 20), 0);
    ck_assert_uint_eq(region.committed, 0);
    ck_assert(vm_region_commit(&region, 1, 1 << 16));
    ck_assert_uint_eq(region.committed, 1 << 16);
    memset((void *)region.start, 7, 1 << 16);
    ck_assert(vm_region_commit(&region, (1 << 16) + 1, 1 << 16));
    ck_assert_int_eq(((char *)region.start)[(1 << 16) - 1], 7);
    ck_assert_int_eq(((char *)region.start)[1 << 16], 0);
    ck_assert(!vm_region_commit(&region, ((size_t)1 << 34) + 1, 1));
    vm_region_trim(&region, 1 << 20);
    ck_assert_uint_eq(region.reserved, 1 << 20);
    ck_assert(!vm_region_commit(&region, (1 << 20) + 1, 1));
    ck_assert(vm_region_commit(&region, 1 << 20, 1));
}
END_TEST

/* Whether the system puts them together or not. */
START_TEST(collapsed_pages_keep_what_they_hold) {
    struct vm_region region;
    size_t bytes = 8 << 20;
    ck_assert(vm_region_reserve(&region, bytes) && vm_region_commit(&region, bytes, 1));
    for (size_t i = 0; i < bytes; i += 8)
        *(uint64_t *)(region.start + i) = i;
    ck_assert(vm_release(region.start + (6 << 20), 4096));
    vm_can_collapse();
    vm_collapse(region.start, region.start + bytes);
    for (size_t i = 0; i < bytes; i += 8)
        ck_assert_uint_eq(*(uint64_t *)(region.start + i), i - (6 << 20) < 4096 ? 0 : i);
    vm_collapse(region.start + 4096, region.start + 8192);
}
END_TEST

START_TEST(released_pages_read_as_zero) {
    struct vm_region region;
    ck_assert(vm_region_reserve(&region, 1 << 20) && vm_region_commit(&region, 1 << 20, 1));
    memset((void *)region.start, 7, 1 << 20);
    ck_assert(vm_release(region.start + 8192, 8192));
    ck_assert_int_eq(((char *)region.start)[8191], 7);
    ck_assert_int_eq(((char *)region.start)[8192], 0);
    ck_assert_int_eq(((char *)region.start)[16383], 0);
    ck_assert_int_eq(((char *)region.start)[16384], 7);
    ck_assert(!vm_release(region.start + 1, 100));
}
END_TEST

START_TEST(reservation_leaves_room_under_a_limit) {
    struct rlimit limit = {(rlim_t)8 << 30, (rlim_t)8 << 30};
    ck_assert_uint_eq(vm_reservable((size_t)1 << 40), (size_t)1 << 40);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    ck_assert_uint_eq(vm_reservable((size_t)1 << 40), (size_t)4 << 30);
    ck_assert_uint_eq(vm_reservable(1 << 20), 1 << 20);
}
END_TEST

static struct lock counter_lock = LOCK_OF(RANK_START);
static unsigned counter;

static void *count_up(void *argument) {
    for (int i = 0; i < 200000; i++) {
        lock_take(&counter_lock);
        counter++;
        lock_give(&counter_lock);
    }
    return argument;
}

START_TEST(lock_excludes) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, count_up, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(counter, 800000);
    ck_assert(lock_try(&counter_lock));
    ck_assert(!lock_try(&counter_lock));
}
END_TEST

struct found {
    uintptr_t address;
    struct map map;
    unsigned count;
};

static void find_map(const struct map *map, void *context) {
    struct found *found = context;
    found->count++;
    if (found->address - map->start < map->end - map->start)
        found->map = *map;
}

static struct map map_of(const void *address) {
    struct found found = {.address = (uintptr_t)address};
    ck_assert(maps_open());
    ck_assert(maps_each(find_map, &found));
    ck_assert_uint_gt(found.count, 5);
    return found.map;
}

START_TEST(maps_are_told_apart) {
    static int data = 1;
    int on_stack;
    size_t bytes = 65536;
    void *private = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int fd = memfd_create("a name (deleted) with spaces", 0);
    ck_assert_int_eq(ftruncate(fd, bytes), 0);
    void *named = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct map map = map_of(&on_stack);
    ck_assert_int_eq(map.kind, MAP_KIND_MAIN_STACK);
    map = map_of(&data);
    ck_assert_int_eq(map.kind, MAP_KIND_FILE);
    ck_assert(map.writable && !map.shared);
    map = map_of((void *)(uintptr_t)map_of);
    ck_assert(map.kind == MAP_KIND_FILE && map.executable && !map.writable);
    map = map_of(private);
    ck_assert(map.kind == MAP_KIND_MEMORY && map.readable && !map.writable && !map.shared);
    map = map_of(shared);
    ck_assert(map.kind == MAP_KIND_MEMORY && map.writable && map.shared);
    map = map_of(named);
    ck_assert(map.kind == MAP_KIND_MEMORY && map.shared);
}
END_TEST

struct writable {
    struct map maps[256];
    unsigned count;
};

static void add_writable(const struct map *map, void *context) {
    struct writable *writable = context;
    if (map->writable && writable->count < 256)
        writable->maps[writable->count++] = *map;
}

/* However the kernel was asked. The main stack may have grown between. */
START_TEST(writable_maps_are_the_same) {
    static struct writable all, some;
    int fd = memfd_create("another name", 0);
    ck_assert_int_eq(ftruncate(fd, 65536), 0);
    mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    mmap(NULL, 65536, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(maps_open());
    ck_assert(maps_each(add_writable, &all));
    ck_assert(maps_each_writable(add_writable, &some));
    ck_assert_uint_gt(all.count, 5);
    ck_assert_uint_eq(some.count, all.count);
    for (unsigned i = 0; i < all.count; i++) {
        const struct map *one = &all.maps[i], *other = &some.maps[i];
        ck_assert(one->start == other->start || one->kind == MAP_KIND_MAIN_STACK);
        ck_assert_uint_eq(one->end, other->end);
        ck_assert_int_eq(one->kind, other->kind);
        ck_assert(one->readable == other->readable && one->executable == other->executable);
        ck_assert(one->shared == other->shared && one->cached == other->cached);
    }
}
END_TEST

/* More maps than one read of the kernel's list brings. */
START_TEST(many_maps_are_all_seen) {
    enum { MAPS = 5000 };
    static void *maps[MAPS];
    struct found found = {0};
    for (int i = 0; i < MAPS; i++)
        maps[i] = mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(maps_open());
    ck_assert(maps_each(find_map, &found));
    ck_assert_uint_ge(found.count, MAPS);
    struct map map = map_of(maps[MAPS / 2]);
    ck_assert(map.readable && map.start <= (uintptr_t)maps[MAPS / 2]);
}
END_TEST

struct resident {
    uintptr_t first, last;
    size_t bytes;
};

static void add_resident(uintptr_t start, uintptr_t end, void *context) {
    struct resident *resident = context;
    if (resident->bytes == 0)
        resident->first = start;
    resident->last = end;
    resident->bytes += end - start;
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

START_TEST(only_touched_pages_are_resident) {
    size_t bytes = (size_t)1 << 40, page = vm_page_bytes();
    char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert_ptr_ne(map, MAP_FAILED);
    map[bytes / 2] = 1;
    map[bytes / 2 + 2 * page] = 1;
    ck_assert(maps_open());
    if (strcmp(resident_method(), "pagemap_scan") == 0) {
        struct resident resident = {0};
        double start = seconds_now();
        resident_each((uintptr_t)map, (uintptr_t)map + bytes, false, add_resident, &resident);
        ck_assert_double_lt(seconds_now() - start, 0.1);
        ck_assert_uint_eq(resident.bytes, 2 * page);
        ck_assert_uint_eq(resident.first, (uintptr_t)map + bytes / 2);
    }
}
END_TEST

START_TEST(unchanged_pages_of_a_private_file_map_are_left_out) {
    char path[] = "/tmp/tithe-os-test-XXXXXX", page[4096] = "file";
    int fd = mkstemp(path);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(write(fd, page, sizeof page), sizeof page);
    char *map = mmap(NULL, 4 * sizeof page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    unlink(path);
    map[sizeof page] = map[0];
    struct resident resident = {0};
    ck_assert(maps_open());
    resident_each((uintptr_t)map, (uintptr_t)map + 4 * sizeof page, true, add_resident, &resident);
    if (strcmp(resident_method(), "mincore") != 0)
        ck_assert_uint_eq(resident.bytes, sizeof page);
}
END_TEST

START_TEST(reading_survives_missing_memory) {
    size_t page = vm_page_bytes();
    char *map = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char copy[64];
    map[page - 1] = 5;
    munmap(map + page, page);
    ck_assert_uint_eq(memory_read(copy, (uintptr_t)map + page - 8, sizeof copy), 8);
    ck_assert_int_eq(copy[7], 5);
    ck_assert_uint_eq(memory_read(copy, (uintptr_t)map + page, sizeof copy), 0);
    ck_assert_uint_eq(memory_read(copy, (uintptr_t)map + 2 * page, sizeof copy), sizeof copy);
}
END_TEST

/* Kills the process for process_vm_readv, as filters of services do. */
static void filter_reading(void) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof program / sizeof *program, program};
    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

START_TEST(reading_works_inside_a_sandbox) {
    static int data = 42;
    int copy = 0;
    size_t page = vm_page_bytes();
    char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(map + page, page);
    filter_reading();
    ck_assert(maps_open());
    ck_assert_uint_eq(memory_read(&copy, (uintptr_t)&data, sizeof copy), sizeof copy);
    ck_assert_int_eq(copy, 42);
    ck_assert_uint_eq(memory_read(&copy, (uintptr_t)map + page - 2, sizeof copy), 2);
}
END_TEST

static bool see_task(int tid, void *context) {
    int *sum = context;
    sum[0]++;
    sum[1] += tid == tasks_self();
    return true;
}

START_TEST(tasks_are_counted) {
    pthread_t thread;
    int seen[2] = {0, 0};
    ck_assert_int_eq(tasks_count(), 1);
    pthread_create(&thread, NULL, (void *(*)(void *))(void *)pause, NULL);
    ck_assert_int_eq(tasks_count(), 2);
    ck_assert(tasks_each(see_task, seen));
    ck_assert_int_eq(seen[0], 2);
    ck_assert_int_eq(seen[1], 1);
    ck_assert_int_eq(tasks_state(tasks_self()), 'R');
    ck_assert_int_eq(tasks_state(0x7ffffff), 0);
}
END_TEST

/* The program may open no more files. */
static void fill_table(void) {
    struct rlimit none = {3, 3};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(open("/dev/null", O_RDONLY), -1);
}

START_TEST(threads_are_listed_and_told_from_the_dead_without_opening_files) {
    pthread_t thread;
    int seen[2] = {0, 0};
    ck_assert(maps_open());
    tasks_open();
    pthread_create(&thread, NULL, (void *(*)(void *))(void *)pause, NULL);
    fill_table();
    for (int i = 0; i < 3; i++)
        ck_assert(tasks_each(see_task, seen));
    ck_assert_int_eq(seen[0], 6);
    ck_assert_int_eq(tasks_count(), 2);
    ck_assert_int_eq(tasks_state(tasks_self()), 0);
    ck_assert(!tasks_is_gone(tasks_self()));
    ck_assert(!tasks_block(tasks_self(), SIGUSR1));
    ck_assert(tasks_is_gone(0x7ffffff));
}
END_TEST

/* Ends with 0 once the main thread is known to be dead. */
static void *outlive_main(void *argument) {
    for (int i = 0; i < 5000 && !tasks_is_gone(tasks_process()); i++)
        usleep(1000);
    _exit(!tasks_is_gone(tasks_process()) || tasks_is_gone(tasks_self()));
    return argument;
}

static void *end_at_once(void *argument) { pthread_exit(argument); }

/* The first thread that calls pthread_exit has libc open a library for it. */
static void end_main(bool full) {
    pthread_t thread;
    pthread_create(&thread, NULL, end_at_once, NULL);
    pthread_join(thread, NULL);
    ck_assert(maps_open() && !tasks_is_gone(tasks_process()));
    if (full)
        fill_table();
    pthread_create(&thread, NULL, outlive_main, NULL);
    pthread_exit(NULL);
}

START_TEST(a_dead_main_thread_is_known_as_such) {
    for (int full = 0; full < 2; full++) {
        int status;
        pid_t child = fork();
        if (child == 0)
            end_main(full);
        waitpid(child, &status, 0);
        ck_assert_int_eq(status, 0);
    }
}
END_TEST

/* The log goes to a file in which the warnings are counted. */
static int warnings_of(const char *text) {
    char path[] = "/tmp/tithe-os-test-XXXXXX", line[4096];
    int fd = mkstemp(path), lines = 0;
    ck_assert(log_to_file(path));
    options_read(text);
    ssize_t length = read(fd, line, sizeof line);
    for (ssize_t i = 0; i < length; i++)
        lines += line[i] == '\n';
    unlink(path);
    close(fd);
    return lines;
}

START_TEST(options_are_read) {
    ck_assert_int_eq(warnings_of(NULL), 0);
    ck_assert_int_eq(
        warnings_of("gc_every=256K::stats=on:percent=50:min_heap=2G:mask=no:unaligned=1"), 0);
    ck_assert_uint_eq(options.gc_every, 256 << 10);
    ck_assert_uint_eq(options.percent, 50);
    ck_assert_uint_eq(options.min_heap, (size_t)2 << 30);
    ck_assert(options.stats && !options.mask && options.unaligned);
}
END_TEST

START_TEST(wrong_options_change_nothing) {
    struct options before = options;
    ck_assert_int_eq(warnings_of("nosuch=1"), 1);
    ck_assert_int_eq(warnings_of("percent=0"), 1);
    ck_assert_int_eq(warnings_of("percent"), 1);
    ck_assert_int_eq(warnings_of("percent=12x"), 1);
    ck_assert_int_eq(warnings_of("percent=12KK"), 1);
    ck_assert_int_eq(warnings_of("gc_every=99999999999999999999"), 1);
    ck_assert_int_eq(warnings_of("gc_every=-1"), 1);
    ck_assert_int_eq(warnings_of("stats=maybe:stats="), 2);
    ck_assert_mem_eq(&before, &options, sizeof options);
}
END_TEST

START_TEST(a_log_file_that_cannot_be_written_is_said) {
    ck_assert(!log_to_file("/nonexistent/log"));
}
END_TEST

struct visitor {
    uintptr_t frame;
    int calls;
};

static void visit_altstack(void *context) {
    struct visitor *visitor = context;
    visitor->frame = (uintptr_t)__builtin_frame_address(0);
    visitor->calls++;
}

START_TEST(function_runs_on_the_other_stack) {
    static char stack[65536];
    struct visitor visitor = {0, 0};
    volatile uintptr_t frozen = 0;
    volatile int before = 42;
    altstack_call((uintptr_t)(stack + sizeof stack - 1), visit_altstack, &visitor, &frozen);
    ck_assert_int_eq(before, 42);
    ck_assert_int_eq(visitor.calls, 1);
    ck_assert_uint_ge(visitor.frame, (uintptr_t)stack);
    ck_assert_uint_lt(visitor.frame, (uintptr_t)stack + sizeof stack);
    ck_assert_uint_lt(frozen, (uintptr_t)&before);
    ck_assert_uint_gt(frozen + 4096, (uintptr_t)&before);
}
END_TEST

static void *volatile word_seen;
static volatile uintptr_t stack_seen;
static volatile size_t register_bytes;

static void add_bytes(const void *start, size_t bytes, void *context) {
    (void)start, (void)context;
    register_bytes += bytes;
}

static void take_signal(int number, siginfo_t *info, void *context) {
    (void)number;
    word_seen = signal_word(info);
    stack_seen = signal_stack_pointer(context);
    registers_visit(context, add_bytes, NULL);
}

#if defined(__x86_64__)

static bool was_visited;
static const char *looked_for;

static void look(const void *start, size_t bytes, void *context) {
    (void)context;
    was_visited |= (uintptr_t)looked_for - (uintptr_t)start < bytes;
}

static bool is_visited(const ucontext_t *context, const void *address) {
    looked_for = address;
    was_visited = false;
    registers_visit(context, look, NULL);
    return was_visited;
}

/* A frame in which no component beyond SSE's was in use, whatever lies in its place. */
static void look_at_frame(int number, siginfo_t *info, void *context) {
    ucontext_t *user = context;
    char *vectors = (char *)user->uc_mcontext.fpregs;
    uint64_t *in_use = (uint64_t *)(vectors + 512), before = *in_use;
    (void)number, (void)info;
    REQUIRE(is_visited(user, &user->uc_mcontext.gregs[REG_R15]));
    REQUIRE(is_visited(user, &user->uc_mcontext.gregs[REG_RIP]));
    REQUIRE(!is_visited(user, &user->uc_mcontext.gregs[REG_CR2]));
    REQUIRE(!is_visited(user, &user->uc_mcontext.__reserved1[0]));
    REQUIRE(is_visited(user, vectors + 32) && !is_visited(user, vectors + 32 + 10));
    REQUIRE(is_visited(user, vectors + 160) && is_visited(user, vectors + 160 + 255));
    REQUIRE(!is_visited(user, vectors + 8) && !is_visited(user, vectors + 160 + 256));
    *in_use = before | 4;
    bool told = is_visited(user, vectors + 576);
    *in_use = before & 3;
    bool told_of_none = is_visited(user, vectors + 576);
    *in_use = before;
    REQUIRE(told && !told_of_none);
    word_seen = info;
}

START_TEST(only_what_a_frame_holds_is_a_register) {
    int number = signal_choose(SIGRTMAX);
    if (!__builtin_cpu_supports("avx"))
        return;
    registers_prepare();
    ck_assert(signal_install(number, look_at_frame));
    kill(getpid(), number);
    ck_assert_ptr_nonnull(word_seen);
}
END_TEST

START_TEST(segment_bases_are_noted) {
    static char segment[64];
    uintptr_t bases[REGISTERS_BASES] = {0};
    ck_assert_int_eq(syscall(SYS_arch_prctl, ARCH_SET_GS, segment), 0);
    registers_note_bases(bases);
    ck_assert_uint_eq(bases[0], (uintptr_t)pthread_self());
    ck_assert_uint_eq(bases[1], (uintptr_t)segment);
}
END_TEST

#endif

START_TEST(signal_carries_a_word) {
    int number = signal_choose(SIGRTMAX), word;
    ck_assert_int_eq(number, SIGRTMAX - 1);
    ck_assert(signal_install(number, take_signal));
    ck_assert(!signal_is_default(number));
    ck_assert_int_eq(signal_choose(SIGRTMAX), number - 1);
    ck_assert_int_eq(signal_send(tasks_self(), number, &word), 0);
    ck_assert_ptr_eq(word_seen, &word);
    ck_assert_uint_gt(stack_seen + 65536, (uintptr_t)&word);
    ck_assert_uint_gt(register_bytes, 400);
    kill(getpid(), number);
    ck_assert_ptr_ne(word_seen, &word);
    sigqueue(getpid(), number, (union sigval){.sival_ptr = &word});
    ck_assert_ptr_ne(word_seen, &word);
    ck_assert_int_lt(signal_send(0x7ffffff, number, &word), 0);
}
END_TEST

struct sleeper {
    pthread_t thread;
    int pipe[2];
    volatile int tid;
};

static void *sleep_until_told(void *context) {
    struct sleeper *sleeper = context;
    char told;
    sleeper->tid = tasks_self();
    ck_assert_int_eq(read(sleeper->pipe[0], &told, 1), 1);
    return NULL;
}

static cpu_set_t processors_of(int tid) {
    cpu_set_t set;
    CPU_ZERO(&set);
    ck_assert_int_eq(sched_getaffinity(tid, sizeof set, &set), 0);
    return set;
}

static int processor_of(const cpu_set_t *set, int number) {
    int processor = 0;
    while (!CPU_ISSET(processor, set) || number-- > 0)
        processor++;
    return processor;
}

static void pin(int tid, int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    ck_assert_int_eq(sched_setaffinity(tid, sizeof set, &set), 0);
}

static void check_kept_off(int tid, int like, const cpu_set_t *may, int here) {
    pin(tasks_self(), here);
    worker_thread_keep_off(tid, like);
    cpu_set_t now = processors_of(tid), wanted = *may;
    if (CPU_COUNT(may) > 1)
        CPU_CLR(here, &wanted);
    ck_assert(CPU_EQUAL(&now, &wanted));
}

static void sleeper_start(struct sleeper *sleeper) {
    sleeper->tid = 0;
    ck_assert_int_eq(pipe(sleeper->pipe), 0);
    ck_assert_int_eq(pthread_create(&sleeper->thread, NULL, sleep_until_told, sleeper), 0);
    while (sleeper->tid == 0)
        usleep(100);
}

static void sleeper_end(struct sleeper *sleeper) {
    ck_assert_int_eq(write(sleeper->pipe[1], "", 1), 1);
    pthread_join(sleeper->thread, NULL);
}

/* On a machine with one processor it stays where it is. */
/* The program's own thread-local memory lies between the thread pointer and libc's. */
static __thread volatile char large[100000];
static volatile unsigned worker_tid;

static void use_libc(void *result) {
    errno = 0;
    *(volatile long *)result = strtol("42", NULL, 10) + errno;
}

START_TEST(a_worker_has_libcs_memory_beside_much_of_the_programs) {
    struct vm_region block;
    volatile long result = 0;
    large[sizeof large / 2] = 1;
    ck_assert(maps_open());
    ck_assert(vm_region_make(&block, worker_thread_block_bytes(65536)));
    worker_tid = 1;
    ck_assert_int_eq(
        worker_thread_start(block.start, 65536, use_libc, (void *)&result, &worker_tid), 0);
    while (worker_tid)
        usleep(100);
    ck_assert_int_eq(result, 42);
}
END_TEST

START_TEST(sleeping_thread_is_kept_off_the_callers_processor) {
    struct sleeper sleeper, like;
    cpu_set_t all = processors_of(0), one;
    int first = processor_of(&all, 0), last = processor_of(&all, CPU_COUNT(&all) - 1);
    sleeper_start(&sleeper);
    sleeper_start(&like);
    check_kept_off(sleeper.tid, like.tid, &all, first);
    check_kept_off(sleeper.tid, like.tid, &all, last);
    pin(like.tid, first);
    one = processors_of(like.tid);
    check_kept_off(sleeper.tid, like.tid, &one, first);
    check_kept_off(sleeper.tid, like.tid, &one, last);
    worker_thread_keep_off(0, like.tid); /* has just ended */
    one = processors_of(tasks_self());
    ck_assert_int_eq(CPU_COUNT(&one), 1);
    ck_assert_int_eq(processor_of(&one, 0), last);
    sleeper_end(&sleeper);
    sleeper_end(&like);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        region_grows_and_keeps_its_contents,
        collapsed_pages_keep_what_they_hold,
        released_pages_read_as_zero,
        reservation_leaves_room_under_a_limit,
        lock_excludes,
        maps_are_told_apart,
        writable_maps_are_the_same,
        many_maps_are_all_seen,
        only_touched_pages_are_resident,
        unchanged_pages_of_a_private_file_map_are_left_out,
        reading_survives_missing_memory,
        reading_works_inside_a_sandbox,
        tasks_are_counted,
        threads_are_listed_and_told_from_the_dead_without_opening_files,
        a_dead_main_thread_is_known_as_such,
        options_are_read,
        wrong_options_change_nothing,
        a_log_file_that_cannot_be_written_is_said,
        function_runs_on_the_other_stack,
        signal_carries_a_word,
#if defined(__x86_64__)
        only_what_a_frame_holds_is_a_register,
        segment_bases_are_noted,
#endif
        a_worker_has_libcs_memory_beside_much_of_the_programs,
        sleeping_thread_is_kept_off_the_callers_processor,
    };
    return SUITE_RUN("os", tests, 30);
}
