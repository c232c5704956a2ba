/* The program, the modules and the stacks as lines; see head.h. */
#include "leak/head.h"

#include "leak/depot.h"
#include "leak/modules.h"
#include "leak/record.h"
#include "leak/writer.h"

#include "cycle/cycle.h"
#include "os/clock.h"
#include "os/options.h"
#include "os/syscall.h"
#include "os/tasks.h"
#include "thread/thread.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Read at the start: later, the program may have left for another root directory. */
static struct {
    char path[4096], arguments[4096];
    long arguments_length;
} program;

void head_learn(void) {
    long length = system_call(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", program.path,
                              sizeof program.path - 1);
    long fd = system_call(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
    program.path[length > 0 ? length : 0] = 0;
    if (fd < 0)
        return;
    program.arguments_length =
        system_call(SYS_read, fd, program.arguments, sizeof program.arguments - 1);
    system_call(SYS_close, fd);
}

struct head head_begin(enum check_trigger trigger) {
    return (struct head){.trigger = trigger,
                         .begun = clock_nanoseconds(),
                         .stopped_before = cycle_totals().stop_total};
}

static const char *trigger_name(enum check_trigger trigger) {
    static const char *const names[] = {"exit", "signal", "timer", "request",
                                        "call", "growth", "exec"};
    return names[trigger];
}

static void write_program(void) {
    writer_add("tithe-check 2\nprogram ");
    writer_add_text(program.path);
    writer_add("\narguments");
    for (long at = 0; at < program.arguments_length;) {
        const char *argument = program.arguments + at;
        writer_add(" ");
        writer_add_text(argument);
        at += strlen(argument) + 1;
    }
    writer_add("\nprocess %d %ld\n", tasks_process(), system_call(SYS_getppid));
}

void head_write(const struct head *head) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    write_program();
    writer_add("number %u\ntrigger %s\n", head->number, trigger_name(head->trigger));
    writer_add("time %lld\n", now.tv_sec * 1000ll + now.tv_nsec / 1000000);
    writer_add("uptime %u\n", record_time());
    writer_add("paused %lld\n", cycle_totals().stop_total - head->stopped_before);
    writer_add("took %lld\n", clock_nanoseconds() - head->begun);
    writer_add("heap %zu %zu\nsampled %zu\n", head->blocks, head->bytes, options.sample);
    writer_add("roots threads %u modules %zu\n", thread_count(), modules_count());
}

void head_write_modules(void) {
    for (size_t i = 0; i < modules_count(); i++) {
        const struct module *module = module_get(i);
        writer_add("module %zu 0x%lx 0x%lx 0x%lx %u ", i, module->start, module->end, module->bias,
                   module->from);
        if (module->to == UINT32_MAX)
            writer_add("- ");
        else
            writer_add("%u ", module->to);
        for (unsigned k = 0; k < module->build_id_bytes; k++)
            writer_add("%02x", module->build_id[k]);
        writer_add(module->build_id_bytes ? " " : "- ");
        writer_add_text(module->path);
        writer_add("\n");
    }
}

void head_write_stacks(bool (*is_told)(unsigned stack)) {
    unsigned stacks = depot_count();
    for (unsigned number = 1; number < stacks; number++) {
        const struct stack *stack = depot_stack(number);
        if (stack == NULL || !is_told(number))
            continue;
        writer_add("stack %u %u", number, stack->generation);
        for (unsigned i = 0; i < stack->count; i++)
            writer_add_step(stack->pcs[i], i ? stack->pcs[i - 1] : 0);
        writer_add("\n");
    }
}
