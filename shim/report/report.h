/* Reports of leak checks: what `tithe leaks` and `tithe report` print of check files.
 *
 * A check file holds addresses (doc/leak-checks.md); names are looked up here, in the command's own
 * process, by libdw.
 */
#ifndef TITHE_SHIM_REPORT_REPORT_H
#define TITHE_SHIM_REPORT_REPORT_H

#include <stdbool.h>
#include <stdio.h>

enum report_format { REPORT_TEXT, REPORT_JSON, REPORT_FOLDED, REPORT_PPROF, REPORT_HTML };
enum report_what { REPORT_LOST, REPORT_LIVE };

enum { REPORT_MOST_SUPPRESSION_FILES = 16 };

struct report_options {
    enum report_format format;
    enum report_what what; /* for folded stacks */
    const char *output;    /* NULL: the stream below */
    FILE *stream;
    size_t top;       /* groups printed */
    size_t frames;    /* printed of a stack; 0: all */
    size_t least;     /* bytes below which a group is left out */
    unsigned growing; /* checks in a row in which a live group must have grown */
    unsigned check;   /* the number of the one reported; 0: the last */
    unsigned since;   /* the number of the one compared with; 0: the one before */
    int process;      /* 0: all of the directory */
    int program;      /* of a trial, other processes are told only if a block of theirs came back */
    bool colour, colour_given, suggest, full_names;
    const char *suppressions[REPORT_MOST_SUPPRESSION_FILES];
    size_t suppression_count;
};

struct report_result {
    size_t groups, blocks, bytes; /* lost, and not suppressed, of the checks reported; of a trial
                                     what came back */
    size_t suppressed_groups, suppressed_bytes;
    size_t checks; /* reported */

    /* Of the directory's processes that were not reported: how many there are, what the last checks
     * of these tell, and which of them lost most. */
    struct report_others {
        size_t processes, losing;
        size_t blocks, bytes;
        int most_process;
        size_t most_bytes;
        char most_program[64];
    } others;
};

/* The defaults, with a stream to print to. */
void report_options_start(struct report_options *options, FILE *stream);

/* Takes the option arguments[*at], and what belongs to it. False when it is none of ours. A value
 * that makes no sense ends the command with one line. */
bool report_option(struct report_options *options, char **arguments, int *at);

/* What those options are, for people. */
extern const char report_options_help[];

/* Reports the processes whose checks lie in a directory, one after the other. Returns 0, or 1 and a
 * line said when there was nothing to report or something could not be read. */
int report_directory(const struct report_options *options, const char *directory,
                     struct report_result *result);

/* tithe report [OPTIONS] DIRECTORY: the command. Returns its exit status. */
int report_command(char **arguments);

#endif
