/* See doctor.h.
 *
 * Nothing is concluded from versions and rights. The command executes itself under the collector,
 * with a heap of some size, and reads in the lines of statistics what the collector found and how
 * long it stopped. Two heaps give a line, on which larger ones lie.
 */
#include "doctor.h"

#include "program.h"
#include "tithe.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SMALL_MIB = 64,
    LARGE_MIB = 256,
    CYCLES = 3,
    PATIENCE_SECONDS = 3,
    MOST_SECONDS = 60,
    NODE_BYTES = 128
};

static const char usage[] =
    "usage: tithe doctor [PROGRAM]\n"
    "Prints what the collector can use here, how long programs stop for it, and what to change;\n"
    "for PROGRAM, whether it can be served at all.\n";

struct node {
    struct node *left, *right;
    char rest[NODE_BYTES - 2 * sizeof(struct node *)];
};

/* What the lines of one heap said. */
struct finding {
    char mode[128],
        reason[128]; /* reason: of a mode that is not the best, or why nothing is collected */
    unsigned cycles, workers;
    double stop; /* the longest, in milliseconds */
    bool failed; /* the heap was not made */
};

static struct node *make_tree(size_t nodes) {
    struct node *tree = nodes ? malloc(sizeof *tree) : NULL;
    if (nodes && !tree)
        refuse(EXIT_REFUSED, "there is no memory for the trial");
    if (tree) {
        memset(tree->rest, 1, sizeof tree->rest);
        tree->left = make_tree((nodes - 1) / 2);
        tree->right = make_tree(nodes - 1 - (nodes - 1) / 2);
    }
    return tree;
}

static size_t cycles_so_far(void) {
    struct tithe_statistics statistics = {0};
    if (!tithe_get_statistics)
        refuse(EXIT_REFUSED, "the library was not preloaded");
    tithe_get_statistics(&statistics, sizeof statistics);
    return statistics.cycles + statistics.cancelled;
}

/* Like a program at work: what lives stays, is written to here and there, and the rest is lost. */
static int work(size_t bytes) {
    struct node *tree = make_tree(bytes / NODE_BYTES), *at = tree;
    size_t first = cycles_so_far();
    time_t end = time(NULL) + PATIENCE_SECONDS;
    for (unsigned i = 0;; i++) {
        struct node *lost = malloc(sizeof *lost);
        if (!lost)
            return 1;
        memset(lost, 0, sizeof *lost);
        at = (i * 2654435761u) >> 31 ? at->left : at->right;
        if (!at || !at->left || !at->right)
            at = tree;
        at->rest[0] = (char)i;
        if (i % 4096 == 0 && cycles_so_far() >= first + (time(NULL) <= end ? CYCLES : 1))
            return 0;
        if (i % 4096 == 0 && time(NULL) > end + MOST_SECONDS)
            return 0;
    }
}

static void read_line(const char *line, struct finding *finding) {
    const char *stop = strstr(line, " stop "), *workers = strstr(line, " ms of "),
               *mode = strstr(line, " dirty "), *given_up = strstr(line, "nothing is collected: ");
    if (given_up)
        sscanf(given_up + strlen("nothing is collected: "), "%127[^\n]", finding->reason);
    if (!stop || !workers || !mode)
        return;
    double milliseconds = strtod(stop + strlen(" stop "), NULL);
    if (milliseconds > finding->stop)
        finding->stop = milliseconds;
    finding->cycles++;
    finding->workers = strtoul(workers + strlen(" ms of "), NULL, 10);
    sscanf(mode, " dirty %127[^ \n] (%127[^)\n]", finding->mode, finding->reason);
}

/* The heap is made in a child that is preloaded; its lines come through a pipe. */
static struct finding measure(const char *self, unsigned mebibytes) {
    struct finding finding = {.mode = "unknown"};
    char line[4096], size[32];
    int ends[2], status;
    if (pipe(ends) != 0)
        refuse(EXIT_REFUSED, "no pipe is to be had");
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        snprintf(size, sizeof size, "%u", mebibytes);
        program_preload();
        program_prepend("TITHE_OPTIONS", "stats=1");
        char *arguments[] = {"tithe", "doctor", "--measure", size, NULL};
        program_execute(self, arguments);
    }
    close(ends[1]);
    FILE *lines = fdopen(ends[0], "r");
    while (lines && fgets(line, sizeof line, lines))
        read_line(line, &finding);
    if (lines)
        fclose(lines);
    finding.failed = child < 0 || waitpid(child, &status, 0) != child || status != 0;
    return finding;
}

static void say_facility(const char *name, bool there, const char *used_for) {
    printf("%-24s %s (%s)\n", name, there ? "yes" : "no", used_for);
}

static void say_facilities(void) {
    struct utsname kernel;
    char text[8192] = "";
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    bool proc = fd >= 0 && read(fd, text, sizeof text - 1) > 0;
    const char *seccomp = strstr(text, "\nSeccomp:");
    if (fd >= 0)
        close(fd);
    if (uname(&kernel) == 0)
        printf("%-24s %s, %s\n", "kernel", kernel.release, kernel.machine);
    printf("%-24s %u\n", "user", (unsigned)geteuid());
    say_facility("/proc", proc, "lists of maps and threads; without it nothing is collected");
    say_facility("/proc/self/pagemap", access("/proc/self/pagemap", R_OK) == 0,
                 "which pages are there and written");
    if (proc)
        say_facility("seccomp filter",
                     seccomp && strtol(seccomp + strlen("\nSeccomp:"), NULL, 10) > 0,
                     "what it refuses is done without");
}

static void say_advice(const struct finding *found) {
    if (strstr(found->reason, "filter"))
        puts("to change: let the container's seccomp profile permit userfaultfd.\n"
             "  Docker: add \"userfaultfd\" to the names in a copy of its default.json, and run "
             "with\n"
             "    --security-opt seccomp=FILE\n"
             "  Kubernetes: securityContext.seccompProfile: {type: Localhost, localhostProfile: "
             "FILE}\n"
             "  systemd: SystemCallFilter=userfaultfd in addition");
    else if (strstr(found->reason, "older"))
        puts("to change: Linux 6.7 or newer (Debian 12: its backports).");
    else if (strstr(found->reason, "pagemap") || access("/proc/self/maps", R_OK) != 0)
        puts("to change: let the process have its own /proc (mount -t proc proc /proc).");
    else if (strstr(found->reason, "userfaultfd"))
        puts("to change: a kernel with CONFIG_USERFAULTFD, and no rule of a security module "
             "against it.");
}

static void say_stops(const struct finding *small, const struct finding *large) {
    static const unsigned sizes[] = {256, 1024, 4096};
    double each = (large->stop - small->stop) / (LARGE_MIB - SMALL_MIB);
    if (each < 0)
        each = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        printf("stop at %4u MiB live      %.1f ms%s\n", sizes[i],
               large->stop + each * (sizes[i] - LARGE_MIB),
               sizes[i] == LARGE_MIB ? "" : " (expected)");
}

static int examine(const char *self) {
    say_facilities();
    fflush(stdout);
    struct finding small = measure(self, SMALL_MIB), large = measure(self, LARGE_MIB);
    if (small.failed || large.failed) {
        printf("%-24s %s\n", "mode", small.mode);
        printf("a trial with %u MiB did not end well: no stops are told\n",
               small.failed ? SMALL_MIB : LARGE_MIB);
        return 1;
    }
    if (large.cycles == 0 || small.cycles == 0) {
        printf("%-24s nothing is collected here: %s\n", "mode",
               large.reason[0] ? large.reason : "no collection ended in time");
        say_advice(&large);
        return 1;
    }
    printf("%-24s %s%s%s%s\n", "mode", large.mode, large.reason[0] ? " (" : "", large.reason,
           large.reason[0] ? ")" : "");
    printf("%-24s %u\n", "workers", large.workers);
    say_stops(&small, &large);
    say_advice(&large);
    return 0;
}

int doctor_command(char **arguments) {
    char path[PATH_MAX], self[PATH_MAX] = "";
    if (arguments[0] && strcmp(arguments[0], "--help") == 0)
        return fputs(usage, stdout) < 0;
    if (arguments[0] && strcmp(arguments[0], "--measure") == 0 && arguments[1])
        return work(strtoul(arguments[1], NULL, 10) << 20);
    if (arguments[0] && (arguments[0][0] == '-' || arguments[1]))
        refuse(EXIT_REFUSED, "doctor takes one program at most; see tithe doctor --help");
    if (arguments[0]) {
        program_find(arguments[0], path);
        printf("%-24s %s: can be served\n", "program", path);
    }
    program_find_self(self);
    return examine(self);
}
