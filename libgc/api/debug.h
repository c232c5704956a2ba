/* Debugging objects, for the files that look into them: the header, and what it tells.
 *
 * Reading one takes no lock; with the world running, an object may be freed meanwhile.
 */
#ifndef TITHE_API_DEBUG_H
#define TITHE_API_DEBUG_H

#include "api/api.h"

enum { DEBUG_FREED_BYTE = 0xdb, DEBUG_END_BYTES = sizeof(GC_word) };

struct header {
    const char *file;
    GC_word line;
    GC_word bytes; /* the client's */
    GC_word check; /* tells a header, and whether the object was freed; written last */
};

_Static_assert(sizeof(struct header) == 32, "exported.c tells this size");

enum debug_state { DEBUG_NONE, DEBUG_ALLOCATED, DEBUG_FREED };

static inline GC_word debug_check_of(const struct header *header, enum debug_state state) {
    return (state == DEBUG_ALLOCATED ? 0xfedcedcb5a5aa5a5u : 0xefebdeadbeeffe0du) ^ (GC_word)header;
}

static inline enum debug_state debug_state(const struct header *header) {
    if (header->check == debug_check_of(header, DEBUG_ALLOCATED))
        return DEBUG_ALLOCATED;
    return header->check == debug_check_of(header, DEBUG_FREED) ? DEBUG_FREED : DEBUG_NONE;
}

static inline char *debug_client_part(struct header *header) { return (char *)(header + 1); }

/* Whether the mark behind the client's part is as it was written. */
bool debug_end_is_whole(struct header *header);

/* One line on standard error about an object, by its client's part. */
void debug_report(const char *what, const void *object, const char *file, size_t line,
                  size_t bytes);

/* There are debugging objects in this process. */
extern volatile bool debug_used;

/* Freed ones are left to the collector; set when it starts. */
extern bool debug_delays_free;

#endif
