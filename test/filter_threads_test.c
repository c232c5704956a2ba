/* A filter that is put on all threads in the middle of what they do for collections: none of them
 * makes a call afterwards that malloc itself has no need of. Runs under tithe.
 */
#include "suite.h"
#include "tithe.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, CHILDREN = 40, BEFORE = 30000, AFTER = 20000, BYTES = 200, WRONG = 99 };

static volatile int locked_in;

/* What collections call, and the rest of the program does not. */
static const int killed[] = {SYS_openat, SYS_ioctl,       SYS_clone,      SYS_process_vm_readv,
                             SYS_gettid, SYS_userfaultfd, SYS_getdents64, SYS_readlinkat};
enum { KILLED = sizeof killed / sizeof *killed };

static void lock_in(void) {
    struct sock_filter program[KILLED + 3];
    size_t at = 0;
    program[at++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < KILLED; i++)
        program[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)killed[i],
                                                     KILLED - i, 0);
    program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    struct sock_fprog filter = {(unsigned short)at, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0)
        _exit(WRONG);
    locked_in = 1;
}

static void use_blocks(int count) {
    for (int i = 0; i < count; i++)
        free(memset(malloc(BYTES), i, BYTES));
}

static void *collect_for_ever(void *nothing) {
    unsigned char *kept = memset(malloc(BYTES), 0x5a, BYTES);
    while (!locked_in) {
        tithe_collect();
        use_blocks(100);
    }
    use_blocks(AFTER);
    if (tithe_collect() || kept[0] != 0x5a || kept[BYTES - 1] != 0x5a)
        _exit(WRONG);
    return nothing;
}

/* Each child at another moment. */
static void run_child(int number) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, collect_for_ever, NULL) != 0)
            _exit(WRONG);
    use_blocks(BEFORE + number * 997);
    lock_in();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    _exit(0);
}

START_TEST(nobody_is_killed_by_it) {
    for (int i = 0; i < CHILDREN; i++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0)
            run_child(i);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(status == 0, "child %d: status %#x", i, status);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {nobody_is_killed_by_it};
    return SUITE_RUN("filter_threads", tests, 120);
}
