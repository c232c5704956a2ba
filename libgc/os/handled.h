/* Memory whose missing pages a thread of the program's fills in, by a userfaultfd of the program's.
 *
 * Whoever touches such a page waits for that thread, and in a stop it stands still. So these pages
 * are only read where the page table has them. Ranges are noted and forgotten while no cycle goes
 * on (cycle_while_idle); the conductor asks.
 */
#ifndef TITHE_OS_HANDLED_H
#define TITHE_OS_HANDLED_H

#include <stdbool.h>
#include <stdint.h>

/* With minor, pages that are in memory and not in the page table wait for that thread, too. */
void handled_note(uintptr_t start, uintptr_t end, bool minor);
void handled_forget(uintptr_t start, uintptr_t end);

enum handled { HANDLED_NOT, HANDLED_MISSING, HANDLED_MINOR };

/* Whether any page between the two is such. */
enum handled handled_kind(uintptr_t start, uintptr_t end);

/* Forgets ranges that are nobody's any more, because the program has closed its descriptor. Between
 * cycles, or before one protects anything. */
void handled_settle(void);

#endif
