/* What broke programs under other preloaded collectors and allocators, where no other suite is
 * about it: names that a preload must not take, dispositions it must not touch, maps it must not
 * read whole. Run under tithe. */
#include "suite.h"

#include "tithe.h"

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const char *file_with(const char *name) {
    Dl_info info;
    void *found = dlsym(RTLD_DEFAULT, name);
    return found && dladdr(found, &info) ? info.dli_fname : NULL;
}

/* A program with an allocator of its own frees by that what libc's strdup has from it. */
START_TEST(what_libc_allocates_for_itself_is_left_to_libc) {
    static const char *const names[] = {"strdup",  "strndup",  "wcsdup",   "asprintf", "vasprintf",
                                        "getline", "getdelim", "realpath", "getcwd",   "opendir"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_msg(strstr(file_with(names[i]), "libc.so"), "%s", names[i]);
    ck_assert(strstr(file_with("malloc"), "libtithe"));
    ck_assert(strstr(file_with("malloc_usable_size"), "libtithe"));
}
END_TEST

static void on_fault(int number, siginfo_t *info, void *context) {
    (void)number, (void)info, (void)context;
}

static bool is_mine(int number) {
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_sigaction == on_fault &&
           (now.sa_flags & (SA_SIGINFO | SA_NODEFER)) == (SA_SIGINFO | SA_NODEFER);
}

START_TEST(dispositions_of_faults_are_the_programs) {
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGPWR, SIGXCPU, SIGUSR1, SIGUSR2};
    struct sigaction mine = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER}, now;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        ck_assert(tithe_collect());
        ck_assert_int_eq(sigaction(numbers[i], NULL, &now), 0);
        ck_assert(now.sa_handler == SIG_DFL);
        ck_assert_int_eq(sigaction(numbers[i], &mine, NULL), 0);
        ck_assert(tithe_collect());
        ck_assert(is_mine(numbers[i]));
    }
}
END_TEST

/* A terabyte of which little is there, as runtimes and sanitizers reserve it. */
START_TEST(a_vast_map_is_read_where_it_is_there) {
    size_t bytes = (size_t)1 << 40, distance = bytes / 64;
    char *vast = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (vast == MAP_FAILED)
        return; /* the system grants no such */
    for (int i = 0; i < 64; i++) {
        char **place = (char **)(vast + i * distance);
        *place = malloc(100);
        memset(*place, i + 1, 100);
    }
    for (int round = 0; round < 3; round++) {
        ck_assert(tithe_collect());
        for (int i = 0; i < 20000; i++)
            memset(malloc(100), 0xee, 100);
    }
    for (int i = 0; i < 64; i++)
        for (int at = 0; at < 100; at++)
            ck_assert_int_eq((*(char **)(vast + i * distance))[at], i + 1);
    munmap(vast, bytes);
}
END_TEST

/* A second libc, with an allocator of its own, whose blocks are nobody's here. */
START_TEST(another_name_space_has_its_own_malloc) {
    void *space = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
    if (space == NULL)
        return; /* the static room for thread-local memory is used up */
    void *(*its_malloc)(size_t) = (void *(*)(size_t))dlsym(space, "malloc");
    void (*its_free)(void *) = (void (*)(void *))dlsym(space, "free");
    char *(*its_strdup)(const char *) = (char *(*)(const char *))dlsym(space, "strdup");
    for (int i = 0; i < 1000; i++) {
        char *block = its_malloc(100), *text = its_strdup("text");
        memset(block, 1, 100);
        if (i % 300 == 0)
            ck_assert(tithe_collect());
        ck_assert_str_eq(text, "text");
        its_free(text);
        its_free(block);
    }
}
END_TEST

static int find_ours(struct dl_phdr_info *info, size_t bytes, void *found) {
    (void)bytes;
    if (strstr(info->dlpi_name, "libtithe") == NULL)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_TLS)
            *(size_t *)found = info->dlpi_phdr[i].p_memsz;
    return 1;
}

/* What is loaded later needs some of the little room there is for it. The build that checks ranks
 * keeps there what is held. */
START_TEST(little_of_the_static_thread_local_memory_is_ours) {
    size_t bytes = 0;
    ck_assert_int_eq(dl_iterate_phdr(find_ours, &bytes), 1);
    ck_assert_uint_gt(bytes, 0);
#ifndef TITHE_RANKS
    ck_assert_uint_le(bytes, 64);
#endif
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        what_libc_allocates_for_itself_is_left_to_libc,
        dispositions_of_faults_are_the_programs,
        a_vast_map_is_read_where_it_is_there,
        another_name_space_has_its_own_malloc,
        little_of_the_static_thread_local_memory_is_ours,
    };
    return SUITE_RUN("hazards", tests, 120);
}
