/*
 * Runs one program and reports what it cost: measure LIBRARY PROGRAM [ARGUMENT]...
 * LIBRARY is preloaded into PROGRAM only; an empty one means none.
 *
 * Prints as its last line a JSON object with the wall time and the user and system CPU time in
 * seconds, the peak resident set in KiB and the status (128 + signal where a signal ended it).
 *
 * A program of its own because Linux lets a process inherit, over fork and exec, the peak resident
 * set of the process that started it: under Python no program would seem to need less than Python.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

/* Does not outlive its parent, which is killed where a run takes too long. */
static _Noreturn void become(const char *library, char **words) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (*library)
        setenv("LD_PRELOAD", library, 1);
    else
        unsetenv("LD_PRELOAD");
    execv(words[0], words);
    perror(words[0]);
    _exit(127);
}

static int status_of(int wait_status) {
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s LIBRARY PROGRAM [ARGUMENT]...\n", argv[0]);
        return 2;
    }
    double start = seconds_now();
    pid_t child = fork();
    CHECK(child >= 0, "a process starts");
    if (child == 0)
        become(argv[1], argv + 2);
    int wait_status;
    struct rusage usage;
    CHECK(wait4(child, &wait_status, 0, &usage) == child, "the process ends");
    printf("{\"wall\": %.6f, \"user\": %.6f, \"system\": %.6f, \"peak_kib\": %ld, "
           "\"status\": %d}\n",
           seconds_now() - start, seconds_of(usage.ru_utime), seconds_of(usage.ru_stime),
           usage.ru_maxrss, status_of(wait_status));
    return 0;
}
