/* A baseline: leaks that an earlier run had, which are not to be told again.
 *
 * It is an earlier report, as JSON or for people; what counts of it are the ids of groups, which
 * survive a new build. A report for people holds only those that were printed.
 */
#ifndef TITHE_SHIM_REPORT_BASELINE_H
#define TITHE_SHIM_REPORT_BASELINE_H

#include "report/groups.h"

/* Reads a report. Ends the command with one line when it cannot be read, or tells of no check. */
void baseline_read(const char *path);

/* Lost groups that it has are suppressed by it, unless something else does. */
void baseline_apply(struct groups *groups);

#endif
