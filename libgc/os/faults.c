/* Counting calls and letting one fail; see faults.h. */
#include "os/faults.h"

#include "os/log.h"

#include <atomic_ops.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define CALL(name)                                                                                 \
    { #name, SYS_##name }

static const struct {
    const char *name;
    long number;
} calls[] = {
    CALL(mmap),
    CALL(munmap),
    CALL(mprotect),
    CALL(madvise),
    CALL(mremap),
    CALL(mincore),
    CALL(ioctl),
    CALL(userfaultfd),
    CALL(openat),
    CALL(read),
    CALL(pread64),
    CALL(pwrite64),
    CALL(write),
    CALL(getdents64),
    CALL(readlinkat),
    CALL(fstat),
    CALL(fcntl),
    CALL(process_vm_readv),
    CALL(clone),
    CALL(futex),
    CALL(nanosleep),
    CALL(sigaltstack),
    CALL(prlimit64),
    CALL(rt_tgsigqueueinfo),
    CALL(getcpu),
    CALL(sched_getaffinity),
    CALL(sched_setaffinity),
    CALL(setpriority),
    CALL(socket),
    CALL(bind),
    CALL(listen),
    CALL(accept4),
    CALL(ppoll),
    CALL(sendto),
    CALL(unlinkat),
    CALL(renameat2),
};

enum { CALLS = sizeof calls / sizeof *calls, LARGEST_ERROR = 133 };

bool faults_wanted;

static volatile AO_t counts[CALLS]; /* any thread, by addition; nothing is ordered by them */
static unsigned chosen = CALLS;     /* this and the following are constant once faults_wanted is */
static unsigned long at;
static bool from_on;
static long answer;

static unsigned call_named(const char *name, size_t length) {
    unsigned i = 0;
    while (i < CALLS && (strlen(calls[i].name) != length || memcmp(calls[i].name, name, length)))
        i++;
    return i;
}

static long error_named(const char *name, size_t length) {
    for (int error = 1; error <= LARGEST_ERROR; error++) {
        const char *known = strerrorname_np(error);
        if (known && strlen(known) == length && memcmp(known, name, length) == 0)
            return error;
    }
    return 0;
}

static bool is_word(const char *text, size_t length, const char *word) {
    return length == strlen(word) && memcmp(text, word, length) == 0;
}

bool faults_set(const char *text, size_t length) {
    if (is_word(text, length, "count")) {
        chosen = CALLS;
        return faults_wanted = true;
    }
    const char *end = text + length, *first = memchr(text, '/', length);
    const char *second = first ? memchr(first + 1, '/', end - first - 1) : NULL;
    if (second == NULL)
        return false;
    unsigned call = call_named(text, first - text);
    long error = error_named(second + 1, end - second - 1);
    char *digits_end;
    unsigned long number = strtoul(first + 1, &digits_end, 10);
    bool open = *digits_end == '+';
    if (call == CALLS || error == 0 || number == 0 || digits_end + open != second)
        return false;
    memset((void *)counts, 0, sizeof counts);
    chosen = call;
    at = number;
    from_on = open;
    answer = -error;
    return faults_wanted = true;
}

/* A wake that did not happen would be a fault of nobody's. */
static bool can_fail(long number, long second) {
    return number != SYS_futex || (second & FUTEX_CMD_MASK) == FUTEX_WAIT;
}

long faults_answer(long number, long second) {
    for (unsigned i = 0; i < CALLS; i++) {
        if (calls[i].number != number || !can_fail(number, second))
            continue;
        unsigned long count = AO_fetch_and_add1(&counts[i]) + 1;
        bool hit = i == chosen && (from_on ? count >= at : count == at);
        return hit ? answer : 0;
    }
    return 0;
}

void faults_say(void) {
    char text[512];
    size_t length = 0;
    if (!faults_wanted || chosen != CALLS)
        return;
    for (unsigned i = 0; i < CALLS && length < sizeof text; i++)
        if (AO_load(&counts[i]))
            length += snprintf(text + length, sizeof text - length, " %s=%lu", calls[i].name,
                               (unsigned long)AO_load(&counts[i]));
    log_line("calls:%s", length ? text : " none");
}
