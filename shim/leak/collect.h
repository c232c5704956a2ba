/* Collecting: what a check has found lost, and has written to its file, is freed, so that a program
 * that leaks goes on running while its leaks are hunted.
 *
 * The mark of that very check has shown that nothing leads to it; it is as safe as what the
 * collector does without leak hunting.
 */
#ifndef TITHE_SHIM_LEAK_COLLECT_H
#define TITHE_SHIM_LEAK_COLLECT_H

/* Frees the blocks of the list of lost ones (lost.h). By the checking thread, which may be one of
 * the collector's. */
void collect_lost(void);

#endif
