/* Which function the program left by; see exit.h. */
#include "leak/exit.h"

#include "leak/check.h"
#include "leak/record.h"
#include "leak/trial.h"
#include "start.h"
#include "threads.h"

#include "cycle/cycle.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <unistd.h>

struct function {
    const void *start;
    size_t bytes;
};

static struct function by_exit, by_quick_exit, by_call;

static struct function find(const void *start) {
    Dl_info information;
    const ElfW(Sym) *symbol = NULL;
    if (dladdr1(start, &information, (void **)&symbol, RTLD_DL_SYMENT) == 0 || symbol == NULL)
        return (struct function){start, 1};
    return (struct function){information.dli_saddr, symbol->st_size};
}

/* After main has left by pthread_exit, the last thread ends the process when it has itself left. */
static void leave(const struct function *function) {
    if (!record_is_on())
        return;
    threads_return();
    if (trial_is_on())
        trial_end(CHECK_EXIT, function->start, function->bytes);
    else if (cycle_may_lock())
        check_in_program(CHECK_EXIT, function->start, function->bytes);
}

static void leave_by_quick_exit(void) { leave(&by_quick_exit); }

void exit_by_destructor(void) { leave(&by_exit); }
void exit_by_call(void) { leave(&by_call); }

/* What is registered first is called last. */
void exit_start(void) {
    by_exit = find(dlsym(RTLD_NEXT, "exit"));
    by_quick_exit = find(dlsym(RTLD_NEXT, "quick_exit"));
    by_call = find((const void *)_exit);
    at_quick_exit(leave_by_quick_exit);
}
