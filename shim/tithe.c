/* The tithe command: runs an unchanged program with its memory served by the collector.
 *
 * It only prepares the environment and executes the program, which keeps this process's id. What
 * the dynamic linker would silently not preload into is refused with a reason.
 */
#include "leaks.h"
#include "program.h"
#include "report/report.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: tithe run [options] PROGRAM [ARGUMENT...]\n"
    "Runs PROGRAM with its malloc served by a garbage collector: what it loses is collected.\n"
    "  -q, --quiet           do not print the line of statistics at the end\n"
    "  -s, --stats           print a line for every collection, too\n"
    "  -o, --option KEY=VAL  set an option (see TITHE_OPTIONS in doc/options.md); repeatable\n"
    "  -h, --help            print this\n"
    "      --version         print the version\n"
    "\n"
    "tithe leaks [options] PROGRAM [ARGUMENT...] reports what PROGRAM loses; see tithe leaks "
    "--help.\n";

static const char *option_value(char **arguments, int *at) {
    if (arguments[*at + 1] == NULL)
        refuse(EXIT_REFUSED, "%s needs a value; see tithe --help", arguments[*at]);
    return arguments[++*at];
}

static bool is_option(const char *argument, const char *brief, const char *full) {
    return strcmp(argument, brief) == 0 || strcmp(argument, full) == 0;
}

static int run(char **arguments) {
    char path[PATH_MAX], summary[32];
    bool quiet = false;
    int at = 0;
    for (; arguments[at] && arguments[at][0] == '-'; at++) {
        if (strcmp(arguments[at], "--") == 0) {
            at++;
            break;
        } else if (is_option(arguments[at], "-h", "--help"))
            return fputs(usage, stdout) < 0;
        else if (is_option(arguments[at], "-q", "--quiet"))
            quiet = true;
        else if (is_option(arguments[at], "-s", "--stats"))
            program_prepend("TITHE_OPTIONS", "stats=1");
        else if (is_option(arguments[at], "-o", "--option"))
            program_prepend("TITHE_OPTIONS", option_value(arguments, &at));
        else
            refuse(EXIT_REFUSED, "unknown option %s; see tithe --help", arguments[at]);
    }
    if (arguments[at] == NULL)
        refuse(EXIT_REFUSED, "no program given; see tithe --help");
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
    if (count >= 2 && strcmp(arguments[1], "report") == 0)
        return report_command(arguments + 2);
    if (count >= 2 && strcmp(arguments[1], "--version") == 0)
        return puts("tithe " TITHE_VERSION) < 0;
    if (count >= 2 && is_option(arguments[1], "-h", "--help"))
        return fputs(usage, stdout) < 0;
    fputs(usage, stderr);
    return EXIT_REFUSED;
}
