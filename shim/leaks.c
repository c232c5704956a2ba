/* tithe leaks: the program runs as our child, with its own standard files; it writes what it finds
 * to a directory of ours, and when it has ended we report from there. So nothing the program
 * closes, redirects or limits is in the report's way, and no name is looked up in the program.
 */
#include "leaks.h"

#include "program.h"
#include "report/report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_LEAKS = 23,
    ANSWER_SECONDS = 60,
    NAP_MILLISECONDS = 20,
    TELL_MILLISECONDS = 2000,
    CHILDREN_MILLISECONDS = 10000 /* for children that outlive the program */
};

static const char usage[] =
    "usage: tithe leaks [options] PROGRAM [ARGUMENT...]\n"
    "       tithe leaks [options] --pid=PID\n"
    "Runs PROGRAM and reports the memory that it lost: unreachable and never freed. With --pid, "
    "asks\n"
    "a program that was started like this and still runs for a report, and does not end it.\n"
    "The report goes to standard error, with --pid to standard output.\n"
    "The exit status is the program's, or 23 if that is 0 and something was lost.\n"
    "  -o, --option KEY=VAL   set an option of the collector (doc/options.md); repeatable\n"
    "      --children         report the programs that PROGRAM starts, too\n"
    "      --collect          free what a check has told, so that the program can go on\n"
    "      --dangling[=fill]  tell of pointers to freed blocks, too, which are reused only when\n"
    "                         nothing leads to them; fill: with 0xdf\n"
    "      --depth=N          frames of an allocation stack that are kept (32)\n"
    "      --every=SECONDS    check now and then while it runs, too\n"
    "      --exitcode=N       the exit status for leaks (23; 0: always the program's)\n"
    "      --keep=DIRECTORY   keep the check files there, for tithe report\n"
    "      --on-signal=N      check when the program gets this signal, unless it handles that "
    "itself\n"
    "      --on-term          check when SIGTERM is about to end the program\n"
    "      --pid=PID          ask this process\n"
    "      --sample=SIZE      take the stack of one block in so many bytes (512K), for production\n"
    "  -h, --help             print this\n";

struct leaks {
    struct report_options report;
    const char *keep;
    char directory[PATH_MAX];
    int exit_status;
    bool children;
    pid_t process; /* --pid */
};

/* The value of --name=value, or NULL. */
static const char *value_of(const char *argument, const char *name) {
    size_t length = strlen(name);
    return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1
                                                                           : NULL;
}

static long number_of(const char *argument, const char *value, long most) {
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    if (errno || end == value || *end || number < 0 || number > most)
        refuse(EXIT_REFUSED, "%s: a number from 0 to %ld is needed", argument, most);
    return number;
}

static void set_option(const char *key, const char *value) {
    char text[512];
    if (snprintf(text, sizeof text, "%s=%s", key, value) >= (int)sizeof text)
        refuse(EXIT_REFUSED, "%s=%s is too long", key, value);
    program_prepend("TITHE_OPTIONS", text);
}

/* Options that only become one of the collector's. */
static bool is_passed_on(const char *argument) {
    static const char *const names[][2] = {{"--depth", "depth"},
                                           {"--every", "check_every"},
                                           {"--on-signal", "check_signal"},
                                           {"--sample", "sample"}};
    static const char *const switches[][3] = {{"--collect", "check_collects", "1"},
                                              {"--dangling", "quarantine", "on"},
                                              {"--dangling=fill", "quarantine", "fill"},
                                              {"--on-term", "check_at_term", "1"}};
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        if (strcmp(argument, switches[i][0]) == 0) {
            set_option(switches[i][1], switches[i][2]);
            return true;
        }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = value_of(argument, names[i][0]);
        if (value)
            set_option(names[i][1], value);
        if (value)
            return true;
    }
    return false;
}

static bool is_own_option(struct leaks *leaks, char **arguments, int *at) {
    const char *argument = arguments[*at], *value;
    if (is_passed_on(argument))
        return true;
    if (strcmp(argument, "-o") == 0 || strcmp(argument, "--option") == 0) {
        if (arguments[*at + 1] == NULL)
            refuse(EXIT_REFUSED, "%s needs a value; see tithe leaks --help", argument);
        program_prepend("TITHE_OPTIONS", arguments[++*at]);
    } else if (strcmp(argument, "--children") == 0) {
        leaks->children = true;
    } else if ((value = value_of(argument, "--exitcode")) ||
               (value = value_of(argument, "--exit-code"))) {
        leaks->exit_status = number_of(argument, value, 255);
    } else if ((value = value_of(argument, "--pid"))) {
        leaks->process = number_of(argument, value, INT_MAX);
    } else if ((value = value_of(argument, "--keep"))) {
        leaks->keep = value;
    } else {
        return false;
    }
    return true;
}

/* Files of the checks may be written by a program that has changed its user since. */
static void make_directory(struct leaks *leaks) {
    const char *parent = getenv("TMPDIR");
    if (leaks->keep) {
        if (mkdir(leaks->keep, 0700) != 0 && errno != EEXIST)
            refuse(EXIT_REFUSED, "%s: %s", leaks->keep, strerror(errno));
        if (realpath(leaks->keep, leaks->directory) == NULL)
            refuse(EXIT_REFUSED, "%s: %s", leaks->keep, strerror(errno));
    } else {
        snprintf(leaks->directory, sizeof leaks->directory, "%s/tithe-leaks.XXXXXX",
                 parent && *parent == '/' ? parent : "/tmp");
        if (mkdtemp(leaks->directory) == NULL)
            refuse(EXIT_REFUSED, "%s: %s", leaks->directory, strerror(errno));
    }
    if (strpbrk(leaks->directory, ":"))
        refuse(EXIT_REFUSED, "%s: the name of the directory may have no colon", leaks->directory);
    if (geteuid() == 0)
        chmod(leaks->directory, 01733);
}

/* Sockets of processes that still run are left, and the directory with them. Of one that is to be
 * kept, only the sockets of ended processes go. */
static void clear_directory(const struct leaks *leaks) {
    DIR *directory = opendir(leaks->directory);
    int left = 0;
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        const char *suffix = strrchr(entry->d_name, '.');
        bool is_socket = suffix && strcmp(suffix, ".socket") == 0;
        if (is_socket && kill(atoi(entry->d_name), 0) == 0) {
            fprintf(stderr, "tithe: process %d still runs: tithe leaks --pid=%d asks it\n",
                    atoi(entry->d_name), atoi(entry->d_name));
            left++;
        } else if (entry->d_name[0] != '.' && (is_socket || leaks->keep == NULL)) {
            unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    if (directory)
        closedir(directory);
    if (left == 0 && leaks->keep == NULL)
        rmdir(leaks->directory);
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
static void start_program(const char *path, char **arguments, const sigset_t *mask) {
    child = fork();
    if (child < 0)
        refuse(EXIT_REFUSED, "no new process: %s", strerror(errno));
    if (child > 0)
        return;
    sigprocmask(SIG_SETMASK, mask, NULL);
    program_preload();
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

static bool has_check(const struct leaks *leaks, pid_t process) {
    char prefix[32];
    bool found = false;
    DIR *directory = opendir(leaks->directory);
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
static void await_rest(struct leaks *leaks, int status) {
    struct sigaction action = {.sa_handler = end_waiting};
    bool is_daemon = WIFEXITED(status) && !has_check(leaks, child);
    long long waited = 0;
    if (!leaks->children && !is_daemon)
        return;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (!await_one_more(&waited, is_daemon ? LLONG_MAX : CHILDREN_MILLISECONDS))
        continue;
    leaks->children |= is_daemon;
}

static int run(struct leaks *leaks, char **arguments) {
    char path[PATH_MAX];
    sigset_t all, before;
    struct report_result result = {0};
    program_find(arguments[0], path);
    make_directory(leaks);
    set_option("leaks", leaks->directory);
    if (leaks->report.what == REPORT_LIVE)
        set_option("chains", "1");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    start_program(path, arguments, &before);
    arrange_signals();
    sigprocmask(SIG_SETMASK, &before, NULL);
    int status = await_program();
    await_rest(leaks, status);
    leaks->report.process = leaks->children ? 0 : child;
    int failed = report_directory(&leaks->report, leaks->directory, &result);
    clear_directory(leaks);
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "tithe: %s was ended by signal %d (%s)%s\n", arguments[0], WTERMSIG(status),
                strsignal(WTERMSIG(status)), failed ? " before it was checked" : "");
        return 128 + WTERMSIG(status);
    }
    if (failed)
        return WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_REFUSED;
    return WEXITSTATUS(status) == 0 && result.blocks > 0 ? leaks->exit_status : WEXITSTATUS(status);
}

static bool has_socket(int at, const char *path, pid_t process) {
    char name[PATH_MAX];
    struct stat status;
    snprintf(name, sizeof name, "%s/%d.socket", path, (int)process);
    return fstatat(at, name, &status, 0) == 0 && S_ISSOCK(status.st_mode);
}

/* One thread's files: one of them is the directory, unless the program has closed it. */
static bool find_among_files(struct leaks *leaks, const char *thread) {
    char path[PATH_MAX];
    ssize_t length = -1;
    snprintf(path, sizeof path, "/proc/%d/task/%s/fd", (int)leaks->process, thread);
    DIR *files = opendir(path);
    for (struct dirent *entry; files && length < 0 && (entry = readdir(files));)
        if (entry->d_name[0] != '.' && has_socket(dirfd(files), entry->d_name, leaks->process))
            length = readlinkat(dirfd(files), entry->d_name, leaks->directory,
                                sizeof leaks->directory - 1);
    if (files)
        closedir(files);
    leaks->directory[length > 0 ? length : 0] = 0;
    return length > 0;
}

/* The listener has a table of files of its own. Not by the environment, which programs overwrite to
 * change their title. */
static void find_directory(struct leaks *leaks) {
    char path[64];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/task", (int)leaks->process);
    DIR *threads = opendir(path);
    if (threads == NULL)
        refuse(EXIT_REFUSED, "process %d: %s", (int)leaks->process,
               errno == ENOENT ? "there is no such process" : strerror(errno));
    for (struct dirent *entry; !found && (entry = readdir(threads));)
        found = entry->d_name[0] != '.' && find_among_files(leaks, entry->d_name);
    closedir(threads);
    if (!found)
        refuse(EXIT_REFUSED, "process %d was not started by tithe leaks, or is another user's",
               (int)leaks->process);
}

static int connect_to(const struct leaks *leaks) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {ANSWER_SECONDS, 0};
    int directory = open(leaks->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%d.socket", directory,
             (int)leaks->process);
    if (fd < 0 || directory < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        refuse(EXIT_REFUSED, "process %d does not listen: %s", (int)leaks->process,
               strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    close(directory);
    return fd;
}

static int ask(struct leaks *leaks) {
    char answer[256] = "";
    struct report_result result = {0};
    unsigned check;
    find_directory(leaks);
    int fd = connect_to(leaks);
    if (write(fd, "check\n", 6) != 6 || read(fd, answer, sizeof answer - 1) <= 0)
        refuse(EXIT_REFUSED, "process %d does not answer", (int)leaks->process);
    close(fd);
    if (sscanf(answer, "done %u", &check) != 1)
        refuse(EXIT_REFUSED, "process %d: %.*s", (int)leaks->process, (int)strcspn(answer, "\n"),
               answer);
    leaks->report.process = leaks->process;
    leaks->report.check = check;
    leaks->report.stream = stdout;
    if (report_directory(&leaks->report, leaks->directory, &result) != 0)
        return EXIT_REFUSED;
    return result.blocks > 0 ? leaks->exit_status : 0;
}

int leaks_command(char **arguments) {
    struct leaks leaks = {.exit_status = EXIT_LEAKS};
    int at = 0;
    report_options_start(&leaks.report, stderr);
    for (; arguments[at] && arguments[at][0] == '-'; at++) {
        if (strcmp(arguments[at], "--") == 0) {
            at++;
            break;
        }
        if (strcmp(arguments[at], "-h") == 0 || strcmp(arguments[at], "--help") == 0)
            return fputs(usage, stdout) < 0 || fputs(report_options_help, stdout) < 0;
        if (strcmp(arguments[at], "--version") == 0)
            return puts("tithe " TITHE_VERSION) < 0;
        if (!is_own_option(&leaks, arguments, &at) && !report_option(&leaks.report, arguments, &at))
            refuse(EXIT_REFUSED, "unknown option %s; see tithe leaks --help", arguments[at]);
    }
    if (leaks.process)
        return ask(&leaks);
    if (arguments[at] == NULL)
        refuse(EXIT_REFUSED, "no program given; see tithe leaks --help");
    return run(&leaks, arguments + at);
}
