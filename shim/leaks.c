/* tithe leaks: the program runs as our child (watched.h), or is asked over a socket. */
#include "leaks.h"

#include "program.h"
#include "watched.h"

#include "os/signal.h"

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

enum { EXIT_LEAKS = 23, ANSWER_SECONDS = 60 };

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
    "      --pid=PID          ask this process\n"
    "      --sample=SIZE      take the stack of one block in so many bytes (512K), for production\n"
    "  -h, --help             print this\n";

struct leaks {
    struct watched watched;
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

/* Options that only become one of the collector's. */
static bool is_passed_on(const char *argument) {
    static const char *const names[][2] = {
        {"--depth", "depth"}, {"--every", "check_every"}, {"--sample", "sample"}};
    static const char *const switches[][3] = {{"--collect", "check_collects", "1"},
                                              {"--dangling", "quarantine", "on"},
                                              {"--dangling=fill", "quarantine", "fill"}};
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        if (strcmp(argument, switches[i][0]) == 0) {
            watched_set_option(switches[i][1], switches[i][2]);
            return true;
        }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = value_of(argument, names[i][0]);
        if (value)
            watched_set_option(names[i][1], value);
        if (value)
            return true;
    }
    return false;
}

/* A fault that is handled and not mended comes again at once, for ever. */
static void refuse_unfit_signal(const char *argument, const char *value) {
    long number = number_of(argument, value, 64);
    if (signal_tells_of_fault(number) || number == SIGABRT || number == SIGKILL ||
        number == SIGSTOP)
        refuse(EXIT_REFUSED, "%s: no check can be asked for by that signal; %d is SIGUSR2",
               argument, SIGUSR2);
}

static bool is_own_option(struct leaks *leaks, char **arguments, int *at) {
    static const char *const with_values[] = {"--depth",  "--every",    "--on-signal",
                                              "--sample", "--exitcode", "--exit-code",
                                              "--pid",    "--keep",     NULL};
    *at = program_join_value(arguments, *at, with_values);
    const char *argument = arguments[*at], *value;
    if (is_passed_on(argument))
        return true;
    if (strcmp(argument, "-o") == 0 || strcmp(argument, "--option") == 0) {
        if (arguments[*at + 1] == NULL)
            refuse(EXIT_REFUSED, "%s needs a value; see tithe leaks --help", argument);
        program_prepend("TITHE_OPTIONS", arguments[++*at]);
    } else if (strcmp(argument, "--children") == 0) {
        leaks->watched.children = true;
    } else if ((value = value_of(argument, "--exitcode")) ||
               (value = value_of(argument, "--exit-code"))) {
        leaks->watched.exit_status = number_of(argument, value, 255);
    } else if ((value = value_of(argument, "--on-signal"))) {
        refuse_unfit_signal(argument, value);
        watched_set_option("check_signal", value);
    } else if (strcmp(argument, "--on-term") == 0) { /* of earlier versions; now it always is so */
    } else if ((value = value_of(argument, "--pid"))) {
        leaks->process = number_of(argument, value, INT_MAX);
    } else if ((value = value_of(argument, "--keep"))) {
        leaks->watched.keep = value;
    } else {
        return false;
    }
    return true;
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
            length = readlinkat(dirfd(files), entry->d_name, leaks->watched.directory,
                                sizeof leaks->watched.directory - 1);
    if (files)
        closedir(files);
    leaks->watched.directory[length > 0 ? length : 0] = 0;
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
    int directory = open(leaks->watched.directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
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
    leaks->watched.report.process = leaks->process;
    leaks->watched.report.check = check;
    leaks->watched.report.stream = stdout;
    if (report_directory(&leaks->watched.report, leaks->watched.directory, &result) != 0)
        return EXIT_REFUSED;
    return result.blocks > 0 ? leaks->watched.exit_status : 0;
}

int leaks_command(char **arguments) {
    struct leaks leaks = {.watched.exit_status = EXIT_LEAKS};
    int at = 0;
    report_options_start(&leaks.watched.report, stderr);
    for (; arguments[at] && arguments[at][0] == '-'; at++) {
        if (strcmp(arguments[at], "--") == 0) {
            at++;
            break;
        }
        if (strcmp(arguments[at], "-h") == 0 || strcmp(arguments[at], "--help") == 0)
            return fputs(usage, stdout) < 0 || fputs(report_options_help, stdout) < 0;
        if (strcmp(arguments[at], "--version") == 0)
            return puts("tithe " TITHE_VERSION) < 0;
        if (!is_own_option(&leaks, arguments, &at) &&
            !report_option(&leaks.watched.report, arguments, &at))
            refuse(EXIT_REFUSED, "unknown option %s; see tithe leaks --help", arguments[at]);
    }
    if (leaks.process)
        return ask(&leaks);
    if (arguments[at] == NULL)
        refuse(EXIT_REFUSED, "no program given; see tithe leaks --help");
    return watched_run(&leaks.watched, arguments + at);
}
