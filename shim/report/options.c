/* Reading the options of reports; see report.h. */
#include "report/report.h"

#include "report/baseline.h"
#include "report/output.h"
#include "report/own_frames.h"

#include "program.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOP = 10, FRAMES = 24, GROWING = 2 };

const char report_options_help[] =
    "Options of the report:\n"
    "      --baseline=FILE        an earlier report; its leaks are not told again\n"
    "      --check=N              the check reported (the last)\n"
    "      --color=WHEN           auto, always or never\n"
    "      --fold=PATTERN         functions or files that only serve others, not to be told first\n"
    "      --format=FORMAT        text, json, folded (flame graphs), pprof or html\n"
    "      --frames=N|all         frames printed of a stack (24)\n"
    "      --full-names           with all template arguments\n"
    "      --gen-suppressions     print a block for each leak, for --suppressions\n"
    "      --growing=N            checks in a row in which a live group must have grown (2)\n"
    "      --min-bytes=N          leave smaller groups out\n"
    "      --output=FILE          write the report there; %p: the process, %n: the program\n"
    "      --since=N              compare with this check (the one before)\n"
    "      --suppressions=FILE    leaks not to be told; LeakSanitizer's or valgrind's form\n"
    "      --top=N                groups printed (10)\n"
    "      --what=lost|live       live: still reachable memory, too\n";

void report_options_start(struct report_options *options, FILE *stream) {
    *options =
        (struct report_options){.stream = stream, .top = TOP, .frames = FRAMES, .growing = GROWING};
}

static size_t number_of(const char *argument, const char *value) {
    char *end;
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    if (errno || end == value || *end || *value == '-')
        refuse(EXIT_REFUSED, "%s: a number is needed", argument);
    return number;
}

/* Which of the words it is; ends the command if it is none. */
static int word_of(const char *argument, const char *value, const char *const *words, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(value, words[i]) == 0)
            return i;
    refuse(EXIT_REFUSED, "%s: no such value; see --help", argument);
}

static void set_colour(struct report_options *options, const char *argument, const char *value) {
    static const char *const words[] = {"auto", "always", "never"};
    int when = word_of(argument, value, words, 3);
    options->colour_given = when > 0;
    options->colour = when == 1;
}

static void add_suppressions(struct report_options *options, const char *value) {
    if (options->suppression_count == REPORT_MOST_SUPPRESSION_FILES)
        refuse(EXIT_REFUSED, "more than %d files of suppressions", REPORT_MOST_SUPPRESSION_FILES);
    if (access(value, R_OK) != 0)
        refuse(EXIT_REFUSED, "%s: %s", value, strerror(errno));
    options->suppressions[options->suppression_count++] = value;
}

static bool take(struct report_options *options, const char *argument, const char *name,
                 const char *value) {
    static const char *const formats[] = {"text", "json", "folded", "pprof", "html"};
    static const char *const whats[] = {"lost", "live"};
    if (strcmp(name, "--baseline") == 0)
        baseline_read(value);
    else if (strcmp(name, "--check") == 0)
        options->check = number_of(argument, value);
    else if (strcmp(name, "--color") == 0)
        set_colour(options, argument, value);
    else if (strcmp(name, "--fold") == 0)
        own_frames_fold(value);
    else if (strcmp(name, "--format") == 0)
        options->format = word_of(argument, value, formats, 5);
    else if (strcmp(name, "--frames") == 0)
        options->frames = strcmp(value, "all") == 0 ? 0 : number_of(argument, value);
    else if (strcmp(name, "--growing") == 0)
        options->growing = number_of(argument, value);
    else if (strcmp(name, "--min-bytes") == 0)
        options->least = number_of(argument, value);
    else if (strcmp(name, "--output") == 0)
        output_check(options->output = value);
    else if (strcmp(name, "--since") == 0)
        options->since = number_of(argument, value);
    else if (strcmp(name, "--suppressions") == 0)
        add_suppressions(options, value);
    else if (strcmp(name, "--top") == 0)
        options->top = number_of(argument, value);
    else if (strcmp(name, "--what") == 0)
        options->what = word_of(argument, value, whats, 2);
    else
        return false;
    return true;
}

bool report_option(struct report_options *options, char **arguments, int *at) {
    static const char *const with_values[] = {
        "--baseline",  "--check",  "--color", "--fold",         "--format", "--frames", "--growing",
        "--min-bytes", "--output", "--since", "--suppressions", "--top",    "--what",   NULL};
    *at = program_join_value(arguments, *at, with_values);
    const char *argument = arguments[*at], *equals = strchr(argument, '=');
    char name[32];
    if (strcmp(argument, "--gen-suppressions") == 0 ||
        strcmp(argument, "--generate-suppressions") == 0) {
        options->suggest = true;
        return true;
    }
    if (strcmp(argument, "--full-names") == 0) {
        options->full_names = true;
        return true;
    }
    if (strncmp(argument, "--", 2) != 0 || equals == NULL ||
        (size_t)(equals - argument) >= sizeof name)
        return false;
    memcpy(name, argument, equals - argument);
    name[equals - argument] = 0;
    return take(options, argument, name, equals + 1);
}
