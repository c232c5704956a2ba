/* Suppressions: leaks somebody knows of and does not want to hear about.
 *
 * Lines "leak:PATTERN" as LeakSanitizer has them: the pattern is looked for in functions, source
 * files and modules of the stack, and compared with the group's id; * stands for anything, ^ and $
 * for the ends. And valgrind's blocks of Memcheck:Leak with fun:, obj: and "..." lines, whose
 * functions may be named as they stand in the file or in readable form.
 */
#ifndef TITHE_SHIM_REPORT_SUPPRESSIONS_H
#define TITHE_SHIM_REPORT_SUPPRESSIONS_H

#include "report/groups.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct suppressions;

struct suppressions *suppressions_make(void);
void suppressions_free(struct suppressions *suppressions);

/* Adds what a file says, in either form. Ends the command with one line when it cannot be read. */
void suppressions_read(struct suppressions *suppressions, const char *path);

/* Adds one line in LeakSanitizer's form. False when it is none. */
bool suppressions_add(struct suppressions *suppressions, const char *line);

/* Has every group that one applies to say by which. */
void suppressions_apply(struct suppressions *suppressions, struct groups *groups);

/* Writes a block for each lost group, by the names of its functions, so that it holds for the next
 * build, too; where there are none, by the files of the code. */
void suppressions_suggest(const struct groups *groups, FILE *out);

/* Tells those that have suppressed no lost group. */
void suppressions_each_unused(const struct suppressions *suppressions,
                              void (*visit)(const char *name, void *context), void *context);

#endif
