/* The private stack, and where the thread's own begins to count; see mark_here.h. */
#include "leak/mark_here.h"

#include "leak/unwind.h"

#include "cycle/assist.h"
#include "cycle/cycle.h"
#include "mark/scan.h"
#include "os/vm.h"
#include "roots/ranges.h"

enum { STACK_BYTES = 256 << 10 };

static struct vm_region stack;
static const uintptr_t *registers; /* of a thread whose frames are passed over, or NULL */

static bool make_stack(void) {
    if (stack.reserved > 0)
        return true;
    if (!vm_region_make(&stack, STACK_BYTES))
        return false;
    if (!roots_exclude(stack.start, stack.start + STACK_BYTES)) {
        vm_region_end(&stack);
        return false;
    }
    return true;
}

bool mark_here(struct mark_from from) {
    struct unwind_caller caller;
    struct assist_live live = {.interrupted = from.interrupted};
    if (!make_stack())
        return false;
    if (from.function && unwind_to_caller((uintptr_t)from.function, from.function_bytes, &caller)) {
        live.stack_pointer = caller.sp;
        registers = caller.saved;
    }
    bool done = cycle_collect_on(stack.start + STACK_BYTES, live);
    registers = NULL;
    return done;
}

void mark_here_push(struct marker *marker) {
    for (int i = 0; registers && i < UNWIND_SAVED; i++)
        scan_word(marker, registers[i]);
}
