/* Which function the program left by; see exit.h. */
#include "leak/exit.h"

#include "leak/check.h"
#include "leak/record.h"
#include "leak/trial.h"
#include "start.h"
#include "threads.h"

#include "cycle/cycle.h"
#include "os/log.h"
#include "os/section.h"
#include "os/signal.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <unistd.h>

static struct mark_from by_exit, by_quick_exit, by_call;

static struct mark_from find(const void *start) {
    Dl_info information;
    const ElfW(Sym) *symbol = NULL;
    if (dladdr1(start, &information, (void **)&symbol, RTLD_DL_SYMENT) == 0 || symbol == NULL)
        return (struct mark_from){.function = start, .function_bytes = 1};
    return (struct mark_from){.function = information.dli_saddr, .function_bytes = symbol->st_size};
}

/* After main has left by pthread_exit, the last thread ends the process when it has itself left. */
static void leave(struct mark_from from) {
    threads_return();
    if (trial_is_on())
        trial_end(CHECK_EXIT, from);
    else if (cycle_may_lock())
        check_in_program(CHECK_EXIT, from);
    else
        log_line("no leak check at the end: a thread holds a lock of the collector's");
}

static void leave_by(struct mark_from from) {
    if (record_is_on())
        leave(from);
}

static void leave_by_quick_exit(void) { leave_by(by_quick_exit); }

void exit_by_destructor(void) { leave_by(by_exit); }
void exit_by_call(void) { leave_by(by_call); }

/* A fault within a section leaves its lock taken. */
void exit_by_signal(const void *context) {
    if (!record_is_on())
        return;
    if (section_is_possible() && section_is_interrupted(signal_stack_pointer(context)))
        log_line("no leak check at the end: the signal came while the collector held a lock");
    else
        leave((struct mark_from){.interrupted = context});
}

/* What is registered first is called last. */
void exit_start(void) {
    by_exit = find(dlsym(RTLD_NEXT, "exit"));
    by_quick_exit = find(dlsym(RTLD_NEXT, "quick_exit"));
    by_call = find((const void *)_exit);
    at_quick_exit(leave_by_quick_exit);
}
