/* Making, churning and counting witnesses; see witness.h. */
#include "witness.h"

#include "tithe.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void fill(unsigned char *object, uintptr_t hidden) {
    for (unsigned i = sizeof(void *); i < WITNESS_BYTES; i++)
        object[i] = (unsigned char)(hidden * 31 + i);
}

/* The first word is the test's, for links. */
void *witness_make(struct witnesses *group, unsigned index) {
    unsigned char *object = malloc(WITNESS_BYTES);
    uintptr_t hidden = ~(uintptr_t)object;
    memset(object, 0, WITNESS_BYTES);
    fill(object, hidden);
    group->hidden[index] = hidden;
    return object;
}

static int is_intact(uintptr_t hidden) {
    unsigned char *object = (unsigned char *)~hidden, expected[WITNESS_BYTES];
    if (malloc_usable_size(object) < WITNESS_BYTES)
        return 0;
    fill(expected, hidden);
    return memcmp(object + sizeof(void *), expected + sizeof(void *),
                  WITNESS_BYTES - sizeof(void *)) == 0;
}

unsigned witness_intact(const struct witnesses *group) {
    unsigned intact = 0;
    for (unsigned i = 0; i < WITNESSES; i++)
        intact += is_intact(group->hidden[i]);
    return intact;
}

__attribute__((noinline)) static void overwrite_stack(void) {
    volatile unsigned char buffer[32768];
    for (size_t i = 0; i < sizeof buffer; i++)
        buffer[i] = (unsigned char)i;
}

__attribute__((noinline)) static void lose(size_t count) {
    for (size_t i = 0; i < count; i++) {
        void *volatile lost = malloc(16 + i % 1000);
        memset(lost, 0xa5, 16);
        if (i % 3 == 0)
            free(lost);
    }
}

void witness_churn(void) {
    for (int round = 0; round < 4; round++) {
        lose(20000);
        overwrite_stack();
        tithe_collect();
    }
}
