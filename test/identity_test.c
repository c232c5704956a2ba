/* A process that gives up rights has given them up in every thread, those included that it does not
 * know of. As anybody but root there is nothing to give up, and nothing is shown. */
#include "suite.h"

#include "tithe.h"

#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { NOBODY = 65534 };

/* The lines that tell who a thread is. */
static void identity_of(const char *task, char text[1024]) {
    static const char *const fields[] = {"Uid:", "Gid:", "Groups:", "CapEff:", "CapPrm:"};
    char path[64], line[512];
    text[0] = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", task);
    FILE *status = fopen(path, "r");
    while (status && fgets(line, sizeof line, status))
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            if (strncmp(line, fields[i], strlen(fields[i])) == 0)
                strncat(text, line, 1023 - strlen(text));
    if (status)
        fclose(status);
}

static int count_others(int *threads) {
    char own[1024], its[1024], self[16];
    DIR *tasks = opendir("/proc/self/task");
    int others = 0;
    *threads = 0;
    snprintf(self, sizeof self, "%ld", syscall(SYS_gettid));
    identity_of(self, own);
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        ++*threads;
        identity_of(entry->d_name, its);
        others += its[0] && strcmp(own, its) != 0;
    }
    closedir(tasks);
    return others;
}

/* A thread that has said that it ends is listed for a moment more. */
static void require_nobody_else(void) {
    int threads, others = 0;
    for (int tries = 0; tries < 200 && (others = count_others(&threads)) > 0; tries++)
        usleep(10000);
    ck_assert_int_eq(others, 0);
}

static void require_threads_of_ours(void) {
    int threads;
    ck_assert(tithe_collect());
    ck_assert_int_eq(count_others(&threads), 0);
    ck_assert_int_gt(threads, 1);
}

START_TEST(who_gives_up_rights_has_given_them_up) {
    if (geteuid() != 0)
        return;
    gid_t group = NOBODY;
    require_threads_of_ours();
    ck_assert_int_eq(setgroups(1, &group), 0);
    require_nobody_else();
    require_threads_of_ours();
    ck_assert_int_eq(setresgid(NOBODY, NOBODY, NOBODY), 0);
    require_nobody_else();
    require_threads_of_ours();
    ck_assert_int_eq(setuid(NOBODY), 0);
    require_nobody_else();
    ck_assert_int_eq(seteuid(0), -1);
    free(malloc(100));
    tithe_collect();
    require_nobody_else();
}
END_TEST

START_TEST(rights_may_be_given_up_for_a_while) {
    if (geteuid() != 0)
        return;
    for (int i = 0; i < 5; i++) {
        require_threads_of_ours();
        ck_assert_int_eq(seteuid(NOBODY), 0);
        require_nobody_else();
        ck_assert_int_eq(seteuid(0), 0);
        require_nobody_else();
    }
}
END_TEST

int capset(void *header, const void *data);

START_TEST(capabilities_too) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    if (geteuid() != 0)
        return;
    require_threads_of_ours();
    ck_assert_int_eq(capset(&header, none), 0);
    require_nobody_else();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        who_gives_up_rights_has_given_them_up,
        rights_may_be_given_up_for_a_while,
        capabilities_too,
    };
    return SUITE_RUN("identity", tests, 60);
}
