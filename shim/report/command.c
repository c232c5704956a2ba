/* tithe report: reports check files that were kept. */
#include "report/report.h"

#include "program.h"

#include <string.h>

static const char usage[] = "usage: tithe report [options] DIRECTORY\n"
                            "Reports leak checks that `tithe leaks --keep=DIRECTORY` has kept.\n"
                            "      --process=PID          only of this process\n"
                            "  -h, --help                 print this\n";

static bool take_process(struct report_options *options, const char *argument) {
    static const char name[] = "--process=";
    if (strncmp(argument, name, sizeof name - 1) != 0)
        return false;
    if (sscanf(argument + sizeof name - 1, "%d", &options->process) != 1)
        refuse(EXIT_REFUSED, "%s: a number is needed", argument);
    return true;
}

int report_command(char **arguments) {
    struct report_options options;
    struct report_result result = {0};
    const char *directory = NULL;
    report_options_start(&options, stdout);
    for (int at = 0; arguments[at]; at++) {
        if (arguments[at][0] != '-' && directory == NULL) {
            directory = arguments[at];
            continue;
        }
        if (strcmp(arguments[at], "--version") == 0)
            return puts("tithe " TITHE_VERSION) < 0;
        if (strcmp(arguments[at], "-h") == 0 || strcmp(arguments[at], "--help") == 0)
            return fputs(usage, stdout) < 0 || fputs(report_options_help, stdout) < 0;
        if (!take_process(&options, arguments[at]) && !report_option(&options, arguments, &at))
            refuse(EXIT_REFUSED,
                   "%s is neither an option nor the one directory; see tithe report --help",
                   arguments[at]);
    }
    if (directory == NULL)
        refuse(EXIT_REFUSED, "one directory is needed; see tithe report --help");
    return report_directory(&options, directory, &result);
}
