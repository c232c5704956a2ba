/* LeakSanitizer's calls for programs, which many programs make where they are linked to it; their
 * names and meanings are those of sanitizer/lsan_interface.h. Without leak hunting they do nothing.
 */
#include "leak/check.h"
#include "leak/record.h"
#include "real.h"

#include "cycle/cycle.h"
#include "roots/ranges.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_LEAKS = 23 };

TITHE_EXPORT void __lsan_disable(void);
TITHE_EXPORT void __lsan_enable(void);
TITHE_EXPORT void __lsan_ignore_object(const void *object);
TITHE_EXPORT void __lsan_register_root_region(const void *start, size_t bytes);
TITHE_EXPORT void __lsan_unregister_root_region(const void *start, size_t bytes);
TITHE_EXPORT void __lsan_do_leak_check(void);
TITHE_EXPORT int __lsan_do_recoverable_leak_check(void);

void __lsan_disable(void) { record_ignore_begin(); }
void __lsan_enable(void) { record_ignore_end(); }
void __lsan_ignore_object(const void *object) { record_ignore(object); }

struct region {
    uintptr_t start, end;
};

static void add(void *region) {
    roots_add(((struct region *)region)->start, ((struct region *)region)->end);
}

static void drop(void *region) {
    roots_remove(((struct region *)region)->start, ((struct region *)region)->end);
}

void __lsan_register_root_region(const void *start, size_t bytes) {
    struct region region = {(uintptr_t)start, (uintptr_t)start + bytes};
    cycle_while_idle(add, &region);
}

void __lsan_unregister_root_region(const void *start, size_t bytes) {
    struct region region = {(uintptr_t)start, (uintptr_t)start + bytes};
    cycle_while_idle(drop, &region);
}

/* Ends the program if there are leaks, and is the last check otherwise. */
void __lsan_do_leak_check(void) {
    if (record_is_on() && check_in_program(CHECK_EXIT, (struct mark_from){0}) > 0)
        _exit(EXIT_LEAKS);
}

int __lsan_do_recoverable_leak_check(void) {
    return record_is_on() && check_in_program(CHECK_CALL, (struct mark_from){0}) > 0;
}
