/* The collector's threads, seen from a program that was preloaded: they have the processors that
 * the process had when it began, and no real-time priority, whatever the thread has that made them.
 */
#include "suite.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void lose(size_t bytes) {
    for (size_t lost = 0; lost < bytes; lost += 400)
        *(volatile char *)malloc(400) = 1;
}

static cpu_set_t processors_of(int tid) {
    cpu_set_t set;
    ck_assert_int_eq(sched_getaffinity(tid, sizeof set, &set), 0);
    return set;
}

static int find_thread(const char *wanted) {
    DIR *tasks = opendir("/proc/self/task");
    int found = 0;
    for (struct dirent *task; !found && (task = readdir(tasks));) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "r");
        if (file && fgets(name, sizeof name, file) && strncmp(name, wanted, strlen(wanted)) == 0)
            found = atoi(task->d_name);
        if (file)
            fclose(file);
    }
    closedir(tasks);
    return found;
}

/* It takes its name when it first runs, and the program may have kept the processors busy. */
static int await_worker(void) {
    int worker = 0;
    for (int naps = 0; worker == 0 && naps < 2000; naps++) {
        usleep(10000);
        worker = find_thread("tithe-worker");
    }
    ck_assert_int_gt(worker, 0);
    return worker;
}

static int first_of(const cpu_set_t *set) {
    int number = 0;
    while (!CPU_ISSET(number, set))
        number++;
    return number;
}

START_TEST(worker_has_not_the_place_of_the_thread_that_made_it) {
    const struct sched_param priority = {10};
    cpu_set_t all = processors_of(0), one;
    int own = sched_getscheduler(0);
    CPU_ZERO(&one);
    CPU_SET(first_of(&all), &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    sched_setscheduler(0, SCHED_FIFO, &priority); /* where that is permitted */
    lose(120 << 20);
    int worker = await_worker();
    cpu_set_t of_worker = processors_of(worker);
    ck_assert(CPU_EQUAL(&of_worker, &all));
    ck_assert_int_eq(sched_getscheduler(worker), own);
    int helper = find_thread("tithe-helper");
    ck_assert(helper == 0 || sched_getscheduler(helper) == own);
}
END_TEST

/* With _i, of the policies that a thread may take without rights. */
START_TEST(worker_has_not_the_policy_of_the_thread_that_made_it) {
    static const int policies[] = {SCHED_BATCH, SCHED_IDLE};
    const struct sched_param none = {0};
    int own = sched_getscheduler(0);
    ck_assert_int_eq(sched_setscheduler(0, policies[_i], &none), 0);
    lose(120 << 20);
    ck_assert_int_eq(sched_getscheduler(await_worker()), own);
}
END_TEST

static void *lose_behind_all(void *unused) {
    ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, 15), 0); /* of this thread */
    lose(120 << 20);
    return unused;
}

START_TEST(worker_is_as_nice_as_the_main_thread_and_a_little_more) {
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, lose_behind_all, NULL), 0);
    pthread_join(thread, NULL);
    int worker = await_worker(), own = getpriority(PRIO_PROCESS, getpid());
    ck_assert_int_ge(getpriority(PRIO_PROCESS, worker), own);
    ck_assert_int_lt(getpriority(PRIO_PROCESS, worker), own + 15);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        worker_has_not_the_place_of_the_thread_that_made_it,
        worker_is_as_nice_as_the_main_thread_and_a_little_more,
    };
    const struct looped loops[] = {{worker_has_not_the_policy_of_the_thread_that_made_it, 2}};
    return SUITE_RUN_LOOPS("workers", tests, loops, 60);
}
