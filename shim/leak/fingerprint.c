/* A sum over the words that are not zero, each with its place; see fingerprint.h. */
#include "leak/fingerprint.h"

#include "os/memory.h"
#include "os/resident.h"

#include <string.h>

enum { COPY_BYTES = 16384 };

struct reading {
    uintptr_t start, end;
    uint64_t sum;
};

static uint64_t sum_of(const unsigned char *words, size_t offset, size_t bytes) {
    uint64_t sum = 0;
    for (size_t at = 0; at + sizeof(uint64_t) <= bytes; at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, words + at, sizeof word);
        if (word != 0)
            sum += (word ^ (word >> 29)) * (0x9e3779b97f4a7c15u + 2 * (offset + at));
    }
    return sum;
}

/* The program may have closed a page of it: it is copied. */
static void add_run(uintptr_t start, uintptr_t end, void *context) {
    unsigned char copy[COPY_BYTES];
    struct reading *reading = context;
    start = start > reading->start ? start : reading->start;
    end = end < reading->end ? end : reading->end;
    while (start < end) {
        size_t want = end - start < sizeof copy ? end - start : sizeof copy;
        size_t got = memory_read(copy, start, want);
        reading->sum += sum_of(copy, start - reading->start, got);
        start += want;
    }
}

uint32_t fingerprint(struct object object) {
    uintptr_t start = object_address(object);
    size_t bytes = object.span->object_bytes;
    struct reading reading = {start, start + bytes, 0};
    if (object.span->closed)
        return 0;
    if (span_is_large(object.span))
        resident_each(start, start + bytes, false, add_run, &reading);
    else
        reading.sum = sum_of((const unsigned char *)start, 0, bytes);
    uint32_t result = reading.sum ^ reading.sum >> 32;
    return result ? result : 1;
}
