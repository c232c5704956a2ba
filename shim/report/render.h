/* The forms a report takes; each writes one check's groups to a stream. */
#ifndef TITHE_SHIM_REPORT_RENDER_H
#define TITHE_SHIM_REPORT_RENDER_H

#include "report/groups.h"
#include "report/report.h"

#include <stdio.h>

void render_text(const struct groups *groups, const struct report_options *options, FILE *out);

/* The same of a trial. */
void render_trial(const struct groups *groups, const struct report_options *options, FILE *out);

/* One object; doc/leaks.schema.json describes it. */
void render_json(const struct groups *groups, const struct report_options *options, FILE *out);

/* A line a group: functions from the outermost on, between semicolons, and bytes. */
void render_folded(const struct groups *groups, const struct report_options *options, FILE *out);

/* The same groups as a compressed profile for pprof. */
void render_pprof(const struct groups *groups, const struct report_options *options, FILE *out);

/* All checks of a process, oldest first, as one page. */
void render_html(const struct groups *const *checks, size_t count,
                 const struct report_options *options, FILE *out);

#endif
