/* Where the program's signal handlers begin: on the stack where they would have begun without us.
 *
 * The kernel has a signal stack of ours (os/signal_stack.h), so handlers with SA_ONSTACK begin
 * there. Instead of the handler the kernel is given an entry of ours, one for each handler: it
 * blocks all signals, moves the frame to the program's own signal stack, or to the one that was
 * interrupted if there is none, unblocks them, and goes on in the handler. On its return the frame
 * is given the kernel's setting back. Where the kernel's signal stack is not ours, or the handler
 * did not begin on it, the entry goes straight on.
 *
 * Signals that wait together are delivered one upon the other, the last one's entry runs first. It
 * then finds that it interrupted another entry, and moves that one's frame first.
 *
 * An entry that interrupted a section of ours (os/section.h) does not go on in the handler: the
 * signal is sent to the thread once more, with all that it tells, and waits until the section ends.
 *
 * Only on x86-64. Elsewhere there are no entries, and the program's signal stacks stay its own.
 */
#ifndef TITHE_OS_HANDLER_ENTRY_H
#define TITHE_OS_HANDLER_ENTRY_H

#include "os/signal.h"

#include <stdbool.h>

bool handler_entry_moves(void);

/* In place of a handler that is to be installed; flags change accordingly. Async-signal-safe. */
void handler_entry_hide(struct signal_action *action);

/* What the program installed, in place of what the kernel tells. */
void handler_entry_show(struct signal_action *action);

/* In a handler of ours that got a signal for the program, with all signals blocked and the frame of
 * this context: the program's handler takes its place. Does not return, if handlers can be moved.
 */
void handler_entry_forward(int number, void *context, const struct signal_action *action);

/* In such a handler of ours: whether it interrupted a section. Then the signal comes once more when
 * that ends, and the handler returns. */
bool handler_entry_put_off(int number, void *context);

#endif
