/* Questions and the first answer; see unknown.h. */
#include "roots/unknown.h"

#include <atomic_ops.h>
#include <stddef.h>

enum { MOST_QUESTIONS = 8 };

static const char *(*questions[MOST_QUESTIONS])(bool stopped);
static unsigned count;

/* The first reason of this cycle. Any thread sets it, if it is NULL; the conductor clears it while
 * no marker is at work. The text is constant, so no barrier goes with it. */
static volatile AO_t reason;

bool roots_ask(const char *(*question)(bool stopped)) {
    if (count == MOST_QUESTIONS)
        return false;
    questions[count++] = question;
    return true;
}

void roots_cannot_know(const char *why) { AO_compare_and_swap_full(&reason, 0, (AO_t)why); }

void unknown_begin(void) { AO_store(&reason, 0); }

const char *unknown_ask(bool stopped) {
    for (unsigned i = 0; i < count; i++) {
        const char *why = questions[i](stopped);
        if (why)
            roots_cannot_know(why);
    }
    return unknown_reason();
}

const char *unknown_reason(void) { return (const char *)AO_load(&reason); }
