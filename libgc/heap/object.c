/* The colours; see object.h. */
#include "heap/object.h"

#include "heap/pages.h"
#include "os/log.h"

volatile unsigned char object_black = OBJECT_COLOUR_LOW;

void object_swap_colours(void) { AO_char_store_release(&object_black, object_white()); }

static void verify_span(const struct span *span) {
    for (unsigned i = 0; i < AO_int_load(&span->object_count); i++)
        if (AO_char_load(&span->states[i]) == OBJECT_GREY)
            log_fatal("object %p of %zu bytes was marked and not read",
                      (void *)span_object(span, i), span->object_bytes);
}

void object_verify_none_grey(void) {
    uintptr_t start = heap.objects.start, end = start + pages_used_bytes();
    for (uintptr_t at = start; at < end; at += HEAP_PAGE_BYTES) {
        const struct span *span = heap_span_of(at);
        if (span && span->base == at)
            verify_span(span);
    }
}
