/* The registers of an interrupted thread, exactly as far as they are there.
 *
 * A signal frame has holes: words that the kernel reserves, and parts for vector registers that
 * were not in use, which hold what lay on the stack before. A stale address there would keep its
 * block alive. So only what the frame says was saved is told. What a frame does not have, the bases
 * of segments, a thread notes for itself.
 */
#ifndef TITHE_OS_REGISTERS_H
#define TITHE_OS_REGISTERS_H

#include <stddef.h>
#include <stdint.h>

/* Finds out where the processor saves what. Before the first call of the next; repeating it is
 * harmless. */
void registers_prepare(void);

/* Calls visit for each memory range of the context that holds contents of registers. */
void registers_visit(const void *context, void (*visit)(const void *, size_t, void *), void *to);

/* How many bytes the vector registers of a context on x86-64 take. */
size_t registers_vector_bytes(const void *vectors);

/* The bases of the calling thread's segments, in which programs keep pointers. */
enum { REGISTERS_BASES = 2 };
void registers_note_bases(uintptr_t bases[REGISTERS_BASES]);

#endif
