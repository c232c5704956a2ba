/* What the files of the probes share: saying one value, and a few words for how many of a herd
 * live. */
#ifndef TITHE_TEST_LIBGC_PROBES_H
#define TITHE_TEST_LIBGC_PROBES_H

#include "herd.h"

/* Prints "name: value". */
void say(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline void say_number(const char *name, long value) { say(name, "%ld", value); }
static inline void say_flag(const char *name, bool value) { say(name, "%s", value ? "yes" : "no"); }

/* How many of a herd: "most", "few" or "some". */
const char *share(int count);

/* How many of a herd are kept: "all" means every one, because one that dies too early is one too
 * many; "none" allows for those that a conservative look at the stack finds. */
const char *kept(int count);

/* Runs the function in a process of its own and says how that ended, and by what words it
 * complained: whether its standard error holds the text (NULL: it is not asked). */
void say_end(const char *name, void (*function)(void), const char *text);

void probe_defaults(void);
void probe_settings(void);
void probe_sizes(void);
void probe_objects(void);
void probe_checks(void);
void probe_kinds(void);
void probe_typed(void);
void probe_links(void);
void probe_finalizers(void);
void probe_more_finalizers(void);
void probe_collection(void);
void probe_statistics(void);
void probe_roots(void);
void probe_threads(void);
void probe_debugging(void);
void probe_ends(void);

#endif
