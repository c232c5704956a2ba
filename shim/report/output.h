/* Where reports go: the command's own stream, or files, whose name may tell of the process: %p is
 * its number, %n what the program is called, %% a percent sign. Formats of which a file can hold
 * only one report have one file for each process; without %p or %n all but the first get their
 * number before the suffix.
 */
#ifndef TITHE_SHIM_REPORT_OUTPUT_H
#define TITHE_SHIM_REPORT_OUTPUT_H

#include "report/check_file.h"
#include "report/report.h"

/* Ends the command with a line where no such file could be written: before anything is run. */
void output_check(const char *name);

/* Where the next report is to be printed, until the next call. NULL, and a line said, when the file
 * cannot be written. */
FILE *output_open(const struct report_options *options, const struct check *check);

/* All is written. False, and a line said, when it is not. */
bool output_close(const struct report_options *options);

#endif
