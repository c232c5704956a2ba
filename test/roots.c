/* Every place where a program may keep its only pointer to an object: 64 objects in each survive
 * heavy churn and are collected once the place is cleared.
 *
 * Run under tithe. One test a place; each has a function that puts a pointer there and one that
 * clears it.
 */
#include "witness.h"

#include "tithe.h"

#include <check.h>
#include <dlfcn.h>
#include <elf.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

struct place {
    const char *name;
    void (*prepare)(void); /* may be NULL */
    void (*hold)(unsigned i, void *object);
    void (*settle)(void); /* after the last one; may be NULL */
    void (*clear)(void);
};

/* A few objects may be kept by chance: by a stale register or stack slot of the test itself. */
enum { KEPT_BY_CHANCE = 3, PAGE_BYTES = 4096 };

/* Data, bss and heap. */
static void *data[WITNESSES] = {(void *)1};
static void *bss[WITNESSES];
static void **array;

static void data_hold(unsigned i, void *object) { data[i] = object; }
static void data_clear(void) { memset(data, 0, sizeof data); }
static void bss_hold(unsigned i, void *object) { bss[i] = object; }
static void bss_clear(void) { memset(bss, 0, sizeof bss); }
static void array_prepare(void) { array = calloc(WITNESSES, sizeof *array); }
static void array_hold(unsigned i, void *object) { array[i] = object; }
static void array_clear(void) { memset(array, 0, WITNESSES * sizeof *array); }

/* Through pointers into the middle, with tags in the low and the high bits. */
static void interior_hold(unsigned i, void *object) { bss[i] = (char *)object + 17; }
static void tagged_hold(unsigned i, void *object) {
    bss[i] = (void *)((uintptr_t)object | 3 | (uintptr_t)0xfff8 << 48);
}

/* One past the end, in memory: all that is kept of a header that nothing follows. */
static void past_end_hold(unsigned i, void *object) { array[i] = (char *)object + WITNESS_BYTES; }

/* In a packed structure, where addresses are at odd multiples of four. */
static struct {
    int32_t kind;
    void *pointer;
} __attribute__((packed)) packed[WITNESSES];

static void packed_hold(unsigned i, void *object) { packed[i].pointer = object; }
static void packed_clear(void) { memset(packed, 0, sizeof packed); }

/* A dlopened library's data, bss and thread-local storage. */
static void *library;
static void **library_place;

static void library_open(const char *symbol) {
    library = dlopen(getenv("ROOTS_LIBRARY"), RTLD_NOW);
    ck_assert_msg(library != NULL, "%s", dlerror());
    library_place = dlsym(library, symbol);
    ck_assert_ptr_nonnull(library_place);
}
static void library_data_prepare(void) { library_open("library_data"); }
static void library_bss_prepare(void) { library_open("library_bss"); }
static void library_tls_prepare(void) {
    library_open("library_tls_here");
    void **(*here)(void) = (void **(*)(void))dlsym(library, "library_tls_here");
    library_place = here();
}
static void library_hold(unsigned i, void *object) { library_place[i] = object; }
static void library_clear(void) { memset(library_place, 0, WITNESSES * sizeof(void *)); }

/* Thread-local variables of the program. */
static __thread void *tls[WITNESSES];
static void tls_hold(unsigned i, void *object) { tls[i] = object; }
static void tls_clear(void) { memset(tls, 0, sizeof tls); }

/* Thread-specific data: the first 32 keys and the rest are kept in different places by glibc. */
enum { LOW_KEYS = 16, HIGH_KEYS = 64 };
static pthread_key_t keys[32 + HIGH_KEYS];
static unsigned keys_used;

static void keys_make(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        ck_assert_int_eq(pthread_key_create(&keys[i], NULL), 0);
}
static void low_keys_prepare(void) { keys_make(keys_used = LOW_KEYS); }
static void high_keys_prepare(void) {
    keys_make(32 + HIGH_KEYS);
    memmove(keys, keys + 32, HIGH_KEYS * sizeof *keys);
    keys_used = HIGH_KEYS;
}
static void keys_hold(unsigned i, void *object) {
    *(void **)object = pthread_getspecific(keys[i % keys_used]);
    pthread_setspecific(keys[i % keys_used], object);
}
static void keys_clear(void) {
    for (unsigned i = 0; i < keys_used; i++)
        pthread_setspecific(keys[i], NULL);
}

/* Maps of the program's own: private, shared, made read-only later. */
static void **map;

static void map_make(int flags, int fd) {
    map = mmap(NULL, 65536, PROT_READ | PROT_WRITE, flags, fd, 0);
    ck_assert_ptr_ne(map, MAP_FAILED);
}
static void private_map_prepare(void) { map_make(MAP_PRIVATE | MAP_ANONYMOUS, -1); }
static void shared_map_prepare(void) { map_make(MAP_SHARED | MAP_ANONYMOUS, -1); }
static void memfd_prepare(void) {
    int fd = memfd_create("roots", 0);
    ck_assert_int_eq(ftruncate(fd, 65536), 0);
    map_make(MAP_SHARED, fd);
    close(fd);
}
static void map_hold(unsigned i, void *object) { map[i * 100] = object; }
static void map_protect(void) { ck_assert_int_eq(mprotect(map, 65536, PROT_READ), 0); }
static void map_clear(void) {
    mprotect(map, 65536, PROT_READ | PROT_WRITE);
    memset(map, 0, 65536);
}

/* Machine code: the address as an operand, at odd bytes. */
static void code_prepare(void) { private_map_prepare(); }
static void code_hold(unsigned i, void *object) {
    memcpy((char *)map + i * 13 + 1, &object, sizeof object);
}
static void code_settle(void) { ck_assert_int_eq(mprotect(map, 65536, PROT_READ | PROT_EXEC), 0); }

/* Another thread that holds what it finds in `given` on its stack or in its registers. */
static void *given[WITNESSES];
static sem_t taken;
static volatile bool release_thread;
static pthread_t holder;

static void start_holder(void *(*function)(void *)) {
    sem_init(&taken, 0, 0);
    release_thread = false;
    ck_assert_int_eq(pthread_create(&holder, NULL, function, NULL), 0);
    sem_wait(&taken);
    memset(given, 0, sizeof given);
}
static void given_hold(unsigned i, void *object) { given[i] = object; }
static void holder_clear(void) {
    release_thread = true;
    pthread_join(holder, NULL);
}
static void wait_for_release(void) {
    sem_post(&taken);
    while (!release_thread)
        usleep(1000);
}

static void *hold_on_stack(void *argument) {
    void *volatile own[WITNESSES];
    for (unsigned i = 0; i < WITNESSES; i++)
        own[i] = given[i];
    wait_for_release();
    return own[0] == argument ? NULL : argument;
}
static void stack_settle(void) { start_holder(hold_on_stack); }

static void *hold_past_end(void *argument) {
    void *volatile own[WITNESSES];
    for (unsigned i = 0; i < WITNESSES; i++)
        own[i] = (char *)given[i] + WITNESS_BYTES;
    wait_for_release();
    return own[0] == argument ? NULL : argument;
}
static void past_end_settle(void) { start_holder(hold_past_end); }

static void *hold_with_signals_blocked(void *argument) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    return hold_on_stack(argument);
}
static void blocked_settle(void) { start_holder(hold_with_signals_blocked); }

static void *hold_on_signal_stack_of_program(void *argument) {
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    sigaltstack(&stack, NULL);
    return hold_on_stack(argument);
}
static void altstack_settle(void) { start_holder(hold_on_signal_stack_of_program); }

#if defined(__x86_64__)
/* Eight general and eight vector registers, and nothing on the stack. */
static void *hold_in_registers(void *from) {
    void **own = from;
    __asm__ volatile("movq 0(%0), %%rbx\n"
                     "movq 8(%0), %%r8\n"
                     "movq 16(%0), %%r9\n"
                     "movq 24(%0), %%r10\n"
                     "movq 32(%0), %%r12\n"
                     "movq 40(%0), %%r13\n"
                     "movq 48(%0), %%r14\n"
                     "movq 56(%0), %%r15\n"
                     "movups 64(%0), %%xmm1\n"
                     "movups 80(%0), %%xmm2\n"
                     "movups 96(%0), %%xmm7\n"
                     "movups 112(%0), %%xmm15\n"
                     "movb $1, 128(%0)\n"
                     "1: pause\n"
                     "cmpb $0, (%1)\n"
                     "je 1b\n"
                     :
                     : "r"(own), "r"(&release_thread)
                     : "rbx", "r8", "r9", "r10", "r12", "r13", "r14", "r15", "xmm1", "xmm2", "xmm7",
                       "xmm15", "memory", "cc");
    return NULL;
}

enum { IN_REGISTERS = 16, REGISTER_THREADS = WITNESSES / IN_REGISTERS };
static pthread_t register_threads[REGISTER_THREADS];
static struct {
    void *objects[IN_REGISTERS];
    volatile char loaded;
} in_registers[REGISTER_THREADS];

static void registers_settle(void) {
    release_thread = false;
    for (unsigned i = 0; i < REGISTER_THREADS; i++) {
        memcpy(in_registers[i].objects, given + i * IN_REGISTERS, sizeof in_registers[i].objects);
        in_registers[i].loaded = 0;
        pthread_create(&register_threads[i], NULL, hold_in_registers, &in_registers[i]);
    }
    for (unsigned i = 0; i < REGISTER_THREADS; i++)
        while (!in_registers[i].loaded)
            usleep(1000);
    memset(given, 0, sizeof given);
    memset(in_registers, 0, sizeof in_registers);
}
static void registers_clear(void) {
    release_thread = true;
    for (unsigned i = 0; i < REGISTER_THREADS; i++)
        pthread_join(register_threads[i], NULL);
}
#endif

/* A fibre that is not running, its stack in a map or in the heap. */
static ucontext_t test_context, fibre_context;
static void *fibre_stack;

static void fibre(void) {
    void *volatile own[WITNESSES];
    for (unsigned i = 0; i < WITNESSES; i++)
        own[i] = given[i];
    swapcontext(&fibre_context, &test_context);
    given[0] = own[0];
}
static void fibre_start(void *stack) {
    fibre_stack = stack;
    getcontext(&fibre_context);
    fibre_context.uc_stack.ss_sp = stack;
    fibre_context.uc_stack.ss_size = 65536;
    fibre_context.uc_link = &test_context;
    makecontext(&fibre_context, fibre, 0);
    swapcontext(&test_context, &fibre_context);
    memset(given, 0, sizeof given);
}
static void mapped_fibre_settle(void) {
    fibre_start(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}
static void heap_fibre_settle(void) { fibre_start(malloc(65536)); }
static void fibre_clear(void) {
    swapcontext(&test_context, &fibre_context);
    memset(fibre_stack, 0, 65536);
    memset(&fibre_context, 0, sizeof fibre_context);
    memset(&test_context, 0, sizeof test_context);
    memset(given, 0, sizeof given);
}

/* Words that only the kernel has. */
static int epoll, event_fds[WITNESSES];
static timer_t timers[WITNESSES];

static void epoll_prepare(void) { epoll = epoll_create1(0); }
static void epoll_hold(unsigned i, void *object) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = object};
    event_fds[i] = eventfd(0, 0);
    ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, event_fds[i], &event), 0);
}
static void epoll_clear(void) {
    for (unsigned i = 0; i < WITNESSES; i++)
        ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_DEL, event_fds[i], NULL), 0);
}
static void timer_hold(unsigned i, void *object) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    event.sigev_value.sival_ptr = object;
    ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &event, &timers[i]), 0);
}
static void timer_clear(void) {
    for (unsigned i = 0; i < WITNESSES; i++)
        timer_delete(timers[i]);
}

static const struct place places[] = {
    {"data", NULL, data_hold, NULL, data_clear},
    {"bss", NULL, bss_hold, NULL, bss_clear},
    {"heap", array_prepare, array_hold, NULL, array_clear},
    {"interior", NULL, interior_hold, NULL, bss_clear},
    {"past the end, heap", array_prepare, past_end_hold, NULL, array_clear},
    {"tagged", NULL, tagged_hold, NULL, bss_clear},
    {"packed", NULL, packed_hold, NULL, packed_clear},
    {"library data", library_data_prepare, library_hold, NULL, library_clear},
    {"library bss", library_bss_prepare, library_hold, NULL, library_clear},
    {"library TLS", library_tls_prepare, library_hold, NULL, library_clear},
    {"TLS", NULL, tls_hold, NULL, tls_clear},
    {"low keys", low_keys_prepare, keys_hold, NULL, keys_clear},
    {"high keys", high_keys_prepare, keys_hold, NULL, keys_clear},
    {"private map", private_map_prepare, map_hold, NULL, map_clear},
    {"shared map", shared_map_prepare, map_hold, NULL, map_clear},
    {"memfd", memfd_prepare, map_hold, NULL, map_clear},
    {"read-only map", private_map_prepare, map_hold, map_protect, map_clear},
    {"read-only memfd", memfd_prepare, map_hold, map_protect, map_clear},
    {"machine code", code_prepare, code_hold, code_settle, map_clear},
    {"thread stack", NULL, given_hold, stack_settle, holder_clear},
    {"past the end, stack", NULL, given_hold, past_end_settle, holder_clear},
    {"signals blocked", NULL, given_hold, blocked_settle, holder_clear},
    {"program's signal stack", NULL, given_hold, altstack_settle, holder_clear},
#if defined(__x86_64__)
    {"registers", NULL, given_hold, registers_settle, registers_clear},
#endif
    {"fibre in a map", NULL, given_hold, mapped_fibre_settle, fibre_clear},
    {"fibre in the heap", NULL, given_hold, heap_fibre_settle, fibre_clear},
    {"epoll", epoll_prepare, epoll_hold, NULL, epoll_clear},
    {"timer", NULL, timer_hold, NULL, timer_clear},
};

__attribute__((noinline)) static void fill_place(const struct place *place,
                                                 struct witnesses *group) {
    if (place->prepare)
        place->prepare();
    for (unsigned i = 0; i < WITNESSES; i++)
        place->hold(i, witness_make(group, i));
    if (place->settle)
        place->settle();
}

START_TEST(place_is_a_root) {
    const struct place *place = &places[_i];
    struct witnesses group;
    fill_place(place, &group);
    witness_churn();
    unsigned intact = witness_intact(&group);
    ck_assert_msg(intact == WITNESSES, "%s: %u of %d kept", place->name, intact, WITNESSES);
    place->clear();
    witness_churn();
    intact = witness_intact(&group);
    ck_assert_msg(intact <= KEPT_BY_CHANCE, "%s: %u still there", place->name, intact);
}
END_TEST

/* Elsewhere the table of symbols lies among machine code, and the shim leaves it alone. */
#if defined(__x86_64__)
/* The page of libc's table of symbols where free is, which the shim has changed. The sizes of
 * functions, which nobody needs, make room. */
static ElfW(Sym) * names_find(void) {
    Dl_info info;
    struct link_map *map;
    ElfW(Sym) *symbol = NULL;
    const char *strings = NULL;
    if (dladdr1((void *)gnu_get_libc_version, &info, (void **)&map, RTLD_DL_LINKMAP) == 0)
        return NULL;
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_SYMTAB)
            symbol = (ElfW(Sym) *)entry->d_un.d_ptr;
        else if (entry->d_tag == DT_STRTAB)
            strings = (const char *)entry->d_un.d_ptr;
    }
    while (strcmp(strings + symbol->st_name, "free") != 0)
        symbol++;
    uintptr_t before = (uintptr_t)symbol % PAGE_BYTES / sizeof *symbol;
    return symbol - before;
}

__attribute__((noinline)) static void fill_names(ElfW(Sym) * names, struct witnesses *group) {
    void *page = (void *)((uintptr_t)names & ~(uintptr_t)(PAGE_BYTES - 1));
    ck_assert_int_eq(mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE), 0);
    for (unsigned i = 0; i < WITNESSES; i++)
        names[i].st_size = (uintptr_t)witness_make(group, i);
    ck_assert_int_eq(mprotect(page, PAGE_BYTES, PROT_READ), 0);
}

START_TEST(what_the_shim_changes_in_libc_is_no_root) {
    ElfW(Sym) *names = names_find();
    struct witnesses group;
    ck_assert_ptr_nonnull(names);
    fill_names(names, &group);
    witness_churn();
    unsigned intact = witness_intact(&group);
    ck_assert_msg(intact <= KEPT_BY_CHANCE, "%u still there", intact);
}
END_TEST
#endif

int main(void) {
    if (&tithe_collect == NULL) {
        fputs("roots: run this under tithe\n", stderr);
        return 1;
    }
    Suite *suite = suite_create("roots");
    TCase *tests = tcase_create("places");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, place_is_a_root, 0, sizeof places / sizeof *places);
#if defined(__x86_64__)
    tcase_add_test(tests, what_the_shim_changes_in_libc_is_no_root);
#endif
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
