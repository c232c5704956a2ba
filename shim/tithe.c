/* The tithe command: runs an unchanged program with its memory served by the collector.
 *
 * It only prepares the environment and executes the program, which keeps this process's id. What
 * the dynamic linker would silently not preload into is refused with a reason.
 */
#include "doctor.h"
#include "leaks.h"
#include "program.h"
#include "report/report.h"
#include "watched.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_RETURNED = 23 };

static const char usage[] =
    "usage: tithe run [options] PROGRAM [ARGUMENT...]\n"
    "Runs PROGRAM with its malloc served by a garbage collector: what it loses is collected.\n"
    "  -q, --quiet           do not print the line of statistics at the end\n"
    "  -s, --stats           print a line for every collection, too\n"
    "  -o, --option KEY=VAL  set an option (see TITHE_OPTIONS in doc/options.md); repeatable\n"
    "      --trial           collect nothing, and report what would have been collected, and what "
    "of\n"
    "                        that the program used afterwards; the exit status is the program's, "
    "or\n"
    "                        23 if that is 0 and something was (--exitcode=N)\n"
    "  -h, --help            print this\n"
    "      --version         print the version\n"
    "\n"
    "tithe leaks [options] PROGRAM [ARGUMENT...] reports what PROGRAM loses; see tithe leaks "
    "--help.\n"
    "tithe doctor [PROGRAM] tells what the collector can use here, and what to change.\n";

static const char *option_value(char **arguments, int *at) {
    if (arguments[*at + 1] == NULL)
        refuse(EXIT_REFUSED, "%s needs a value; see tithe --help", arguments[*at]);
    return arguments[++*at];
}

static bool is_option(const char *argument, const char *brief, const char *full) {
    return strcmp(argument, brief) == 0 || strcmp(argument, full) == 0;
}

/* --trial, and what only makes sense with it. */
static bool is_trial_option(struct watched *watched, char **arguments, int *at, bool *trial) {
    static const char exitcode[] = "--exitcode=", keep[] = "--keep=";
    static const char *const with_values[] = {"--exitcode", "--keep", NULL};
    *at = program_join_value(arguments, *at, with_values);
    const char *argument = arguments[*at];
    if (strcmp(argument, "--trial") == 0)
        *trial = true;
    else if (strncmp(argument, exitcode, sizeof exitcode - 1) == 0)
        watched->exit_status = atoi(argument + sizeof exitcode - 1);
    else if (strncmp(argument, keep, sizeof keep - 1) == 0)
        watched->keep = argument + sizeof keep - 1;
    else
        return report_option(&watched->report, arguments, at);
    return true;
}

static int run(char **arguments) {
    struct watched watched = {.exit_status = EXIT_RETURNED, .others = true};
    char path[PATH_MAX], summary[32];
    bool quiet = false, trial = false, reports = false;
    int at = 0;
    report_options_start(&watched.report, stderr);
    for (; arguments[at] && arguments[at][0] == '-'; at++) {
        if (strcmp(arguments[at], "--") == 0) {
            at++;
            break;
        } else if (is_option(arguments[at], "-h", "--help"))
            return fputs(usage, stdout) < 0;
        else if (strcmp(arguments[at], "--version") == 0)
            return puts("tithe " TITHE_VERSION) < 0;
        else if (is_option(arguments[at], "-q", "--quiet"))
            quiet = true;
        else if (is_option(arguments[at], "-s", "--stats"))
            program_prepend("TITHE_OPTIONS", "stats=1");
        else if (is_option(arguments[at], "-o", "--option"))
            program_prepend("TITHE_OPTIONS", option_value(arguments, &at));
        else if (is_trial_option(&watched, arguments, &at, &trial))
            reports = true;
        else
            refuse(EXIT_REFUSED, "unknown option %s; see tithe --help", arguments[at]);
    }
    if (arguments[at] == NULL)
        refuse(EXIT_REFUSED, "no program given; see tithe --help");
    if (reports && !trial)
        refuse(EXIT_REFUSED, "options of the report need --trial; see tithe --help");
    if (trial) {
        watched_set_option("trial", "1");
        watched.says_summary = !quiet;
        return watched_run(&watched, arguments + at);
    }
    program_find(arguments[at], path);
    program_preload();
    if (!quiet) {
        snprintf(summary, sizeof summary, "summary=%d", (int)getpid());
        program_prepend("TITHE_OPTIONS", summary);
    }
    program_execute(path, arguments + at);
}

int main(int count, char **arguments) {
    if (count >= 2 && strcmp(arguments[1], "run") == 0)
        return run(arguments + 2);
    if (count >= 2 && strcmp(arguments[1], "leaks") == 0)
        return leaks_command(arguments + 2);
    if (count >= 2 && strcmp(arguments[1], "doctor") == 0)
        return doctor_command(arguments + 2);
    if (count >= 2 && strcmp(arguments[1], "report") == 0)
        return report_command(arguments + 2);
    if (count >= 2 && strcmp(arguments[1], "--version") == 0)
        return puts("tithe " TITHE_VERSION) < 0;
    if (count >= 2 && is_option(arguments[1], "-h", "--help"))
        return fputs(usage, stdout) < 0;
    fputs(usage, stderr);
    return EXIT_REFUSED;
}
