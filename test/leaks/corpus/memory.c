/* Other places that hold pointers: maps, libraries, coroutines, the kernel, odd words. */
#include "corpus.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { MAP_BYTES = 65536, STACK_BYTES = 65536 };

static void **map(int flags, int fd) {
    return mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);
}

static void map_alive(void) { map(MAP_PRIVATE | MAP_ANONYMOUS, -1)[100] = malloc(80); }
static void shared_alive(void) { map(MAP_SHARED | MAP_ANONYMOUS, -1)[100] = malloc(80); }

static void file_alive(void) {
    int fd = memfd_create("corpus", 0);
    if (ftruncate(fd, MAP_BYTES) == 0)
        map(MAP_SHARED, fd)[100] = malloc(80);
}

static void map_gone(void) {
    void **words = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    words[100] = malloc(80);
    munmap(words, MAP_BYTES);
}

static void map_discarded(void) {
    void **words = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    words[100] = malloc(80);
    madvise(words, MAP_BYTES, MADV_DONTNEED);
}

static void map_read_only(void) {
    void **words = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    words[100] = malloc(80);
    mprotect(words, MAP_BYTES, PROT_READ);
}

/* An allocator of the program's own: objects of its lead to blocks of malloc's. */
static void pool_alive(void) {
    static char *pool;
    pool = (char *)map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (int i = 0; i < 100; i++)
        *(void **)(pool + i * 48 + 8) = malloc(81);
}

static void break_alive(void) {
    void **words = sbrk(4096);
    words[5] = malloc(82);
}

static void *open_library(void) { return dlopen(getenv("CORPUS_LIBRARY"), RTLD_NOW); }

static void library_alive(void) {
    void (*keep)(size_t) = (void (*)(size_t))dlsym(open_library(), "library_keep");
    keep(83);
}

static void library_closed(void) {
    void *library = open_library();
    void (*keep)(size_t) = (void (*)(size_t))dlsym(library, "library_keep");
    keep(83);
    dlclose(library);
}

static void library_lost(void) {
    void *library = open_library();
    void (*lose)(size_t) = (void (*)(size_t))dlsym(library, "library_lose");
    lose(84);
    dlclose(library);
}

static ucontext_t outside, inside;

static void hold_and_yield(void) {
    void *volatile block = malloc(85);
    CORPUS_USE(block);
    swapcontext(&inside, &outside);
    CORPUS_USE(block);
}

static void run_coroutine(void *stack) {
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = STACK_BYTES;
    inside.uc_link = &outside;
    makecontext(&inside, hold_and_yield, 0);
    swapcontext(&outside, &inside);
}

static void coroutine_alive(void) {
    corpus_kept[0] = malloc(STACK_BYTES);
    run_coroutine(corpus_kept[0]);
}

static void coroutine_in_map(void) {
    run_coroutine(mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0));
}

static void coroutine_gone(void) {
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    run_coroutine(stack);
    memset(&inside, 0, sizeof inside);
    munmap(stack, STACK_BYTES);
}

static int add_to_epoll(void) {
    int poll = epoll_create1(0), ends[2];
    if (pipe(ends) != 0)
        abort();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = malloc(86)};
    epoll_ctl(poll, EPOLL_CTL_ADD, ends[0], &event);
    event.data.ptr = NULL;
    CORPUS_USE(&event);
    return poll;
}

static void epoll_alive(void) { add_to_epoll(); }
static void epoll_closed(void) { close(add_to_epoll()); }

static void tick(union sigval value) { (void)value; }

/* Libc makes a thread that blocks all signals. */
static void timer_thread(void) {
    timer_t timer;
    struct itimerspec far = {.it_value = {1000, 0}};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = tick};
    event.sigev_value.sival_ptr = malloc(87);
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &far, NULL);
    memset(&event, 0, sizeof event);
    CORPUS_USE(malloc(88));
}

static void timer_alive(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    event.sigev_value.sival_ptr = malloc(87);
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    event.sigev_value.sival_ptr = NULL;
    CORPUS_USE(&event);
}

static void low_bits(void) { corpus_kept[0] = (void *)((uintptr_t)malloc(88) | 7); }
static void high_bits(void) { corpus_kept[0] = (void *)((uintptr_t)malloc(88) | 0xfffbul << 48); }
static void inside_alive(void) { corpus_kept[0] = (char *)malloc(300) + 150; }

struct packed {
    int number;
    void *block;
} __attribute__((packed));

static void packed_alive(void) {
    static struct packed packed;
    packed.block = malloc(89);
    CORPUS_USE(&packed);
}

static void in_array(void) {
    void **table = calloc(1000, sizeof *table);
    for (int i = 0; i < 1000; i++)
        table[i] = malloc(16);
    corpus_kept[0] = table;
}

static void in_large_block(void) {
    void **table = calloc(1 << 20, sizeof *table);
    table[(1 << 20) - 1] = malloc(90);
    corpus_kept[0] = table;
}

static void static_local(void) {
    static void *block;
    block = malloc(91);
    CORPUS_USE(&block);
}

static void on_signal(int number) {
    (void)number;
    CORPUS_USE(malloc(92));
}

static void in_handler(void) {
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
}

static void in_environment(void) {
    char *text = malloc(93);
    strcpy(text, "CORPUS=1");
    putenv(text);
}

extern void __lsan_ignore_object(const void *object) __attribute__((weak));
extern void __lsan_disable(void) __attribute__((weak));
extern void __lsan_enable(void) __attribute__((weak));

static void ignored(void) {
    void **owner = calloc(2, sizeof *owner);
    owner[1] = malloc(94);
    if (__lsan_ignore_object)
        __lsan_ignore_object(owner);
    CORPUS_USE(owner);
}

static void disabled(void) {
    if (__lsan_disable)
        __lsan_disable();
    CORPUS_USE(malloc(95));
    if (__lsan_enable)
        __lsan_enable();
}

const struct leak_case memory_cases[] = {
    {"map_alive", 0, 0, map_alive, 0},
    {"shared_alive", 0, 0, shared_alive, 0},
    {"file_alive", 0, 0, file_alive, 0},
    {"map_gone", 1, 80, map_gone, 0},
    {"map_discarded", 1, 80, map_discarded, 0},
    {"map_read_only", 0, 0, map_read_only, 0},
    {"pool_alive", 0, 0, pool_alive, 0},
    {"break_alive", 0, 0, break_alive, 0},
    {"library_alive", 0, 0, library_alive, 0},
    {"library_closed", 1, 83, library_closed, 0},
    {"library_lost", 1, 84, library_lost, 0},
    {"coroutine_alive", 0, 0, coroutine_alive, 0},
    {"coroutine_in_map", 0, 0, coroutine_in_map, 0},
    {"coroutine_gone", 1, 85, coroutine_gone, 0},
    {"epoll_alive", 0, 0, epoll_alive, 0},
    {"epoll_closed", 1, 86, epoll_closed, 0},
    {"timer_alive", 0, 0, timer_alive, 0},
    {"timer_thread", 1, 88, timer_thread, 0},
    {"low_bits", 0, 0, low_bits, 0},
    {"high_bits", 0, 0, high_bits, 0},
    {"inside_alive", 0, 0, inside_alive, 0},
    {"packed_alive", 0, 0, packed_alive, 0},
    {"in_array", 0, 0, in_array, 0},
    {"in_large_block", 0, 0, in_large_block, 0},
    {"static_local", 0, 0, static_local, 0},
    {"in_handler", 1, 92, in_handler, 0},
    {"in_environment", 0, 0, in_environment, 0},
    {"ignored", 0, 0, ignored, 0},
    {"disabled", 0, 0, disabled, 0},
    {NULL, 0, 0, NULL, 0},
};
