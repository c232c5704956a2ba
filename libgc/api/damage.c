/* Debugging objects that were written where they should not have been: found in the stop of each
 * cycle, a bounded number of them, and told afterwards by a thread of the program's.
 *
 * Found there because nobody is writing them then. The finder is the conductor, in the stop; who
 * tells takes what was found with one exchange, so that nothing is told twice.
 */
#include "api/debug.h"

#include "heap/object.h"

enum { MOST_DAMAGED = 64 };

struct damage {
    const char *what, *file;
    void *object;
    size_t line, bytes;
};

static struct damage damages[MOST_DAMAGED]; /* the conductor while count is 0; then who tells */
static volatile unsigned count;
static unsigned found; /* the conductor */

static bool is_untouched(struct header *header) {
    const unsigned char *part = (const unsigned char *)debug_client_part(header);
    for (size_t i = 0; i < header->bytes; i++)
        if (part[i] != DEBUG_FREED_BYTE)
            return false;
    return true;
}

static const char *damage_of(struct header *header) {
    switch (debug_state(header)) {
    case DEBUG_ALLOCATED:
        return debug_end_is_whole(header) ? NULL : "found smashed object, written past its end:";
    case DEBUG_FREED:
        return !debug_delays_free || is_untouched(header)
                   ? NULL
                   : "found smashed object, written after it was freed:";
    default:
        return NULL;
    }
}

static void look_at(void *object, size_t bytes, void *unused) {
    struct header *header = object;
    (void)unused;
    if (found == MOST_DAMAGED || bytes < sizeof *header + DEBUG_END_BYTES ||
        debug_state(header) == DEBUG_NONE ||
        header->bytes > bytes - sizeof *header - DEBUG_END_BYTES)
        return;
    const char *what = damage_of(header);
    if (what)
        damages[found++] = (struct damage){what, header->file, debug_client_part(header),
                                           header->line, header->bytes};
}

static bool is_live(unsigned char state) { return state == object_live_colour(); }

void debug_find_damage(void) {
    if (!debug_used || AO_int_load_acquire(&count) > 0)
        return;
    found = 0;
    api_each_object(is_live, look_at, NULL);
    AO_int_store_release(&count, found);
}

void debug_print_damage(void) {
    static struct lock printing = LOCK_OF(RANK_PRINTING);
    if (AO_int_load_acquire(&count) == 0 || !lock_try(&printing))
        return;
    unsigned all = AO_int_load_acquire(&count);
    GC_err_printf("tithe: found %u smashed heap objects:\n", all);
    for (unsigned i = 0; i < all; i++) {
        const struct damage *damage = &damages[i];
        debug_report(damage->what, damage->object, damage->file, damage->line, damage->bytes);
    }
    AO_int_store_release(&count, 0);
    lock_give(&printing);
}

bool debug_describe(const void *address, const char **file, int *line, size_t *bytes) {
    const struct header *header = address;
    if (GC_size(address) < sizeof *header || debug_state(header) != DEBUG_ALLOCATED)
        return false;
    *file = header->file;
    *line = header->line;
    *bytes = header->bytes;
    return true;
}
