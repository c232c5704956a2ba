/* What the reports for people have in common: figures, stacks, chains. */
#ifndef TITHE_SHIM_REPORT_TEXT_H
#define TITHE_SHIM_REPORT_TEXT_H

#include "report/groups.h"
#include "report/report.h"

#include <stdio.h>

struct style {
    const char *strong, *bad, *faint, *plain;
};

struct style text_style(const struct report_options *options);

/* "84.9 KiB"; bytes are exact. "1,203". "2.2 s". */
const char *text_size(size_t bytes, char text[32]);
const char *text_count(size_t count, char text[32]);
const char *text_time(size_t milliseconds, char text[32]);

void text_warnings(const struct groups *groups, FILE *out);
void text_frames(const struct group *group, const struct report_options *options,
                 const struct style *style, FILE *out);
void text_chain(const struct check *check, const char *steps, FILE *out);

#endif
