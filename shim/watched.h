/* A program that runs as our child, with its own standard files: it writes what it finds to a
 * directory of ours, and when it has ended we report from there. So nothing the program closes,
 * redirects or limits is in the report's way, and no name is looked up in the program.
 */
#ifndef TITHE_SHIM_WATCHED_H
#define TITHE_SHIM_WATCHED_H

#include "report/report.h"

#include <limits.h>
#include <stdbool.h>

struct watched {
    struct report_options report;
    const char *keep; /* where its files stay; NULL: nowhere */
    int exit_status;  /* of the command, if the program's is 0 and there is something to tell */
    bool children;    /* the programs that it starts are waited for and reported, too */
    bool others;      /* or only reported, as far as they have ended by then */
    bool says_summary;
    char directory[PATH_MAX];
};

/* Sets one of the collector's options for the program. */
void watched_set_option(const char *key, const char *value);

/* Runs the program and reports it. Returns the command's exit status. */
int watched_run(struct watched *watched, char **arguments);

#endif
