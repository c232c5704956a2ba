/* From the fork of the program to the report; see watched.h. */
#include "watched.h"

#include "program.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    NAP_MILLISECONDS = 20,
    TELL_MILLISECONDS = 2000,
    CHILDREN_MILLISECONDS = 10000 /* for children that outlive the program */
};

void watched_set_option(const char *key, const char *value) {
    char text[512];
    if (snprintf(text, sizeof text, "%s=%s", key, value) >= (int)sizeof text)
        refuse(EXIT_REFUSED, "%s=%s is too long", key, value);
    program_prepend("TITHE_OPTIONS", text);
}

/* Files of the checks may be written by a program that has changed its user since. */
static void make_directory(struct watched *watched) {
    const char *parent = getenv("TMPDIR");
    if (watched->keep) {
        if (mkdir(watched->keep, 0700) != 0 && errno != EEXIST)
            refuse(EXIT_REFUSED, "%s: %s", watched->keep, strerror(errno));
        if (realpath(watched->keep, watched->directory) == NULL)
            refuse(EXIT_REFUSED, "%s: %s", watched->keep, strerror(errno));
    } else {
        snprintf(watched->directory, sizeof watched->directory, "%s/tithe-leaks.XXXXXX",
                 parent && *parent == '/' ? parent : "/tmp");
        if (mkdtemp(watched->directory) == NULL)
            refuse(EXIT_REFUSED, "%s: %s", watched->directory, strerror(errno));
    }
    if (strpbrk(watched->directory, ":"))
        refuse(EXIT_REFUSED, "%s: the name of the directory may have no colon", watched->directory);
    if (geteuid() == 0)
        chmod(watched->directory, 01733);
}

/* Sockets of processes that still run are left, and the directory with them. Of one that is to be
 * kept, only the sockets of ended processes go. */
static void clear_directory(const struct watched *watched) {
    DIR *directory = opendir(watched->directory);
    int left = 0;
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        const char *suffix = strrchr(entry->d_name, '.');
        bool is_socket = suffix && strcmp(suffix, ".socket") == 0;
        if (is_socket && kill(atoi(entry->d_name), 0) == 0) {
            fprintf(stderr, "tithe: process %d still runs: tithe leaks --pid=%d asks it\n",
                    atoi(entry->d_name), atoi(entry->d_name));
            left++;
        } else if (entry->d_name[0] != '.' && (is_socket || watched->keep == NULL)) {
            unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    if (directory)
        closedir(directory);
    if (left == 0 && watched->keep == NULL)
        rmdir(watched->directory);
}

static volatile pid_t child;

static void pass_on(int number) {
    if (child > 0)
        kill(child, number);
}

/* The terminal sends its own to the program, too; we wait for what that makes of them. */
static void arrange_signals(void) {
    static const int passed[] = {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
    struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
        sigaction(passed[i], &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGQUIT, &action, NULL);
}

/* Its signals are as they were for us when we were started. */
static void start_program(const struct watched *watched, const char *path, char **arguments,
                          const sigset_t *mask) {
    char process[32];
    child = fork();
    if (child < 0)
        refuse(EXIT_REFUSED, "no new process: %s", strerror(errno));
    if (child > 0)
        return;
    sigprocmask(SIG_SETMASK, mask, NULL);
    program_preload();
    snprintf(process, sizeof process, "%d", (int)getpid());
    if (watched->says_summary)
        watched_set_option("summary", process);
    program_execute(path, arguments);
}

/* When the program is stopped, so are we, for the shell's sake. */
static int await_program(void) {
    int status;
    for (;;) {
        pid_t found = waitpid(child, &status, WUNTRACED);
        if (found < 0 && errno != EINTR)
            refuse(EXIT_REFUSED, "the program cannot be waited for: %s", strerror(errno));
        if (found != child)
            continue;
        if (!WIFSTOPPED(status))
            return status;
        raise(SIGSTOP);
        kill(child, SIGCONT);
    }
}

static volatile sig_atomic_t impatient;

static void end_waiting(int number) {
    (void)number;
    impatient = 1;
}

static bool has_check(const struct watched *watched, pid_t process) {
    char prefix[32];
    bool found = false;
    DIR *directory = opendir(watched->directory);
    int length = snprintf(prefix, sizeof prefix, "%d.", (int)process);
    for (struct dirent *entry; !found && directory && (entry = readdir(directory));)
        found = strncmp(entry->d_name, prefix, length) == 0 &&
                strstr(entry->d_name + length, ".check") != NULL;
    if (directory)
        closedir(directory);
    return found;
}

/* What the program has left running became our child when its parent ended. True when none is left
 * or patience is. */
static bool await_one_more(long long *milliseconds, long long patience) {
    const struct timespec nap = {0, NAP_MILLISECONDS * 1000000};
    pid_t found = waitpid(-1, NULL, WNOHANG);
    if (found < 0 && errno == ECHILD)
        return true;
    if (found > 0)
        return false;
    nanosleep(&nap, NULL);
    *milliseconds += NAP_MILLISECONDS;
    if (*milliseconds == TELL_MILLISECONDS)
        fprintf(stderr,
                "tithe: waiting for what the program has left running; ^C ends the waiting\n");
    return impatient || *milliseconds >= patience;
}

/* A program that has become a daemon ended without a check, and goes on as another process: then
 * that is the one to be reported, whenever it ends. */
static void await_rest(struct watched *watched, int status) {
    struct sigaction action = {.sa_handler = end_waiting};
    bool is_daemon = WIFEXITED(status) && !has_check(watched, child);
    long long waited = 0;
    if (!watched->children && !is_daemon)
        return;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (!await_one_more(&waited, is_daemon ? LLONG_MAX : CHILDREN_MILLISECONDS))
        continue;
    watched->children |= is_daemon;
}

/* What the report leaves out, in a line: processes that the program has started. */
static void tell_of_others(const struct report_others *others) {
    const char *plural = others->processes == 1 ? "" : "es";
    if (others->losing > 0)
        fprintf(
            stderr,
            "tithe: %zu other process%s checked, %zu lost memory: %zu bytes in %zu block%s, most "
            "in %s[%d]; --children reports them\n",
            others->processes, plural, others->losing, others->bytes, others->blocks,
            others->blocks == 1 ? "" : "s", others->most_program, others->most_process);
    else if (others->processes > 0)
        fprintf(stderr, "tithe: %zu other process%s checked, nothing lost\n", others->processes,
                plural);
}

/* The program's own, unless that is 0 and somebody lost something. */
static int exit_status_of(const struct watched *watched, int status,
                          const struct report_result *result) {
    bool lost = result->blocks > 0 || result->others.blocks > 0;
    return WEXITSTATUS(status) == 0 && lost ? watched->exit_status : WEXITSTATUS(status);
}

static const char *to_be_removed; /* when a signal ends the report; or NULL */

static void end_report(int number) {
    if (to_be_removed && fork() == 0) {
        execl("/bin/rm", "rm", "-rf", "--", to_be_removed, (char *)NULL);
        _exit(1);
    }
    wait(NULL);
    _exit(128 + number);
}

/* The program has ended, so these are for us: who does not want the report need not wait for it. */
static void let_report_be_ended(const struct watched *watched) {
    static const int numbers[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = end_report};
    to_be_removed = watched->keep ? NULL : watched->directory;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}

int watched_run(struct watched *watched, char **arguments) {
    char path[PATH_MAX];
    sigset_t all, before;
    struct report_result result = {0};
    program_find(arguments[0], path);
    make_directory(watched);
    watched_set_option("leaks", watched->directory);
    if (watched->report.what == REPORT_LIVE)
        watched_set_option("chains", "1");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    start_program(watched, path, arguments, &before);
    arrange_signals();
    sigprocmask(SIG_SETMASK, &before, NULL);
    int status = await_program();
    await_rest(watched, status);
    let_report_be_ended(watched);
    watched->report.process = watched->children || watched->others ? 0 : child;
    watched->report.program = child;
    bool was_checked = has_check(watched, child);
    int failed = report_directory(&watched->report, watched->directory, &result);
    tell_of_others(&result.others);
    clear_directory(watched);
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "tithe: %s was ended by signal %d (%s)%s\n", arguments[0], WTERMSIG(status),
                strsignal(WTERMSIG(status)), failed ? " before it was checked" : "");
        return 128 + WTERMSIG(status);
    }
    if (failed) {
        if (!was_checked)
            fprintf(
                stderr,
                "tithe: %s was not checked: it ended by a system call of its own, or as another "
                "program, which loads no library\n",
                arguments[0]);
        return WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_REFUSED;
    }
    return exit_status_of(watched, status, &result);
}
