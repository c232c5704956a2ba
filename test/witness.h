/* Witnesses: objects that testify whether the collector kept them.
 *
 * A test makes a group of them, leaves pointers only where it wants to know about, churns, and asks
 * how many are intact. The group remembers its members in a form that no collector takes for a
 * pointer. The program must run under tithe.
 */
#ifndef TITHE_TEST_WITNESS_H
#define TITHE_TEST_WITNESS_H

#include <stddef.h>
#include <stdint.h>

enum { WITNESSES = 64, WITNESS_BYTES = 48 };

struct witnesses {
    uintptr_t hidden[WITNESSES]; /* the complement of each address */
};

/* Makes one witness and enters it in the group at index. */
void *witness_make(struct witnesses *group, unsigned index);

/* How many are still allocated with the contents they were given. */
unsigned witness_intact(const struct witnesses *group);

/* Allocates and frees, allocates and loses, collects several times in between, and overwrites the
 * unused part of the calling thread's stack. */
void witness_churn(void);

#endif
