/* Raw clone with a copied thread-local area, for x86-64 and aarch64; see worker_thread.h. */
#include "os/worker_thread.h"

#include "os/memory.h"
#include "os/processors.h"
#include "os/section.h"
#include "os/syscall.h"
#include "os/vm.h"

#include <errno.h>
#include <locale.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Static thread-local memory lies below the thread pointer on x86-64 and above it on aarch64;
 * libc's own record of the thread is on the other side. A worker uses libc's share and ours, each
 * far smaller than this, but the program's may lie between them and the pointer. */
enum { LOCAL_BYTES = 16384 };

struct start {
    void (*function)(void *);
    void *argument;
};

/* clone(flags, stack, parent_tid, child_tid, tls); in the child: calls first(start), never returns.
 */
long worker_thread_clone(unsigned long flags, uintptr_t stack, volatile unsigned *tid,
                         uintptr_t pointer, void (*first)(struct start *), struct start *start)
    __attribute__((visibility("hidden")));

#if defined(__x86_64__)
__asm__(".text\n"
        ".globl worker_thread_clone\n"
        ".hidden worker_thread_clone\n"
        ".type worker_thread_clone, @function\n"
        "worker_thread_clone:\n"
        "    .cfi_startproc\n"
        "    movq %r8, -8(%rsi)\n"
        "    movq %r9, -16(%rsi)\n"
        "    subq $16, %rsi\n"
        "    movq %rcx, %r8\n"
        "    movq %rdx, %r10\n"
        "    movl $56, %eax\n"
        "    syscall\n"
        "    testq %rax, %rax\n"
        "    jz 1f\n"
        "    ret\n"
        "1:\n"
        "    .cfi_undefined rip\n"
        "    xorl %ebp, %ebp\n"
        "    popq %rdi\n"
        "    popq %rax\n"
        "    call *%rax\n"
        "    movl $60, %eax\n"
        "    xorl %edi, %edi\n"
        "    syscall\n"
        "    hlt\n"
        "    .cfi_endproc\n"
        ".size worker_thread_clone, .-worker_thread_clone\n");

static uintptr_t thread_pointer(void) {
    uintptr_t pointer;
    __asm__("movq %%fs:0, %0" : "=r"(pointer));
    return pointer;
}

/* The thread pointer points to itself, and libc's record to its own start. */
static void fix_self(uintptr_t pointer) {
    ((uintptr_t *)pointer)[0] = pointer;
    ((uintptr_t *)pointer)[2] = pointer;
}
#elif defined(__aarch64__)
__asm__(".text\n"
        ".globl worker_thread_clone\n"
        ".hidden worker_thread_clone\n"
        ".type worker_thread_clone, %function\n"
        "worker_thread_clone:\n"
        "    .cfi_startproc\n"
        "    stp x4, x5, [x1, #-16]!\n"
        "    mov x4, x2\n"
        "    mov x8, #220\n"
        "    svc #0\n"
        "    cbz x0, 1f\n"
        "    ret\n"
        "1:\n"
        "    .cfi_undefined x30\n"
        "    mov x29, xzr\n"
        "    ldp x1, x0, [sp], #16\n"
        "    blr x1\n"
        "    mov x0, xzr\n"
        "    mov x8, #93\n"
        "    svc #0\n"
        "    .cfi_endproc\n"
        ".size worker_thread_clone, .-worker_thread_clone\n");

static uintptr_t thread_pointer(void) {
    uintptr_t pointer;
    __asm__("mrs %0, tpidr_el0" : "=r"(pointer));
    return pointer;
}

static void fix_self(uintptr_t pointer) { (void)pointer; }
#endif

static size_t distance(uintptr_t one, uintptr_t other) {
    return one < other ? other - one : one - other;
}

/* The same in all threads. */
static size_t local_bytes(void) {
    uintptr_t pointer = thread_pointer(), page = vm_page_bytes();
    size_t libc = distance(pointer, (uintptr_t)&errno);
    size_t ours = distance(pointer, (uintptr_t)&section_self);
    return (LOCAL_BYTES + (libc > ours ? libc : ours) + page - 1) & ~(page - 1);
}

size_t worker_thread_block_bytes(size_t stack_bytes) {
    return vm_page_bytes() + stack_bytes + 2 * local_bytes() + vm_page_bytes();
}

/* Copies what is readable on either side of the maker's thread pointer; what is not is no part of
 * its thread-local memory. The copy lies in its page as the original does, for alignment's sake. */
static uintptr_t copy_local(uintptr_t to) {
    size_t bytes = local_bytes();
    uintptr_t from = thread_pointer(), page = vm_page_bytes();
    uintptr_t pointer = to + bytes + from % page, low = from;
    memory_read((void *)pointer, from, bytes);
    while (from - low < bytes - page) {
        uintptr_t next = (low - 1) & ~(page - 1);
        if (memory_read((void *)(pointer - (from - next)), next, low - next) < low - next)
            break;
        low = next;
    }
    fix_self(pointer);
    return pointer;
}

/* The maker holds locks, and may have a locale of its own that it may free. */
static void run(struct start *start) {
    struct start copy = *start;
    section_begin();
    uselocale(LC_GLOBAL_LOCALE);
    copy.function(copy.argument);
}

static const unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
                                   CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                                   CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

int worker_thread_start(uintptr_t block, size_t stack_bytes, void (*function)(void *),
                        void *argument, volatile unsigned *tid) {
    unsigned long all = ~0ul, before;
    uintptr_t top = block + vm_page_bytes() + stack_bytes;
    if (!vm_guard(block, vm_page_bytes()))
        return -1;
    uintptr_t pointer = copy_local(top);
    if (memory_is_refused())
        return -1;
    struct start *start = (struct start *)(top - sizeof *start);
    *start = (struct start){function, argument};
    system_call(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, &all, &before, sizeof all);
    long made = faults_wanted ? faults_answer(SYS_clone, 0) : 0;
    if (made == 0)
        made =
            worker_thread_clone(flags, (uintptr_t)start & ~(uintptr_t)15, tid, pointer, run, start);
    system_call(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &before, 0, sizeof before);
    if (made > 0)
        processors_give_all(made);
    return made < 0 ? (int)made : 0;
}

static void run_bare(struct start *start) { start->function(start->argument); }

int worker_thread_try(uintptr_t top, void (*function)(void *), void *argument,
                      volatile unsigned *tid) {
    uintptr_t pointer = top - LOCAL_BYTES;
    struct start *start = (struct start *)(pointer - sizeof *start);
    *start = (struct start){function, argument};
    long made = worker_thread_clone(flags, (uintptr_t)start & ~(uintptr_t)15, tid, pointer,
                                    run_bare, start);
    return made < 0 ? (int)made : 0;
}

static bool may_run_on(unsigned tid, cpu_set_t *processors) {
    CPU_ZERO(processors);
    return tid && system_call(SYS_sched_getaffinity, tid, sizeof *processors, processors) > 0;
}

void worker_thread_keep_off(unsigned tid, unsigned like) {
    cpu_set_t now, wanted;
    unsigned here;
    if (system_call(SYS_getcpu, &here, NULL, NULL) != 0 || here >= CPU_SETSIZE ||
        !may_run_on(tid, &now) || !may_run_on(like, &wanted))
        return;
    if (CPU_COUNT(&wanted) > 1)
        CPU_CLR(here, &wanted);
    if (!CPU_EQUAL(&wanted, &now))
        system_call(SYS_sched_setaffinity, tid, sizeof wanted, &wanted);
}

void worker_thread_settle(const char *name, int nicer) {
    long process = system_call(SYS_getpid);
    long now = 20 - system_call(SYS_getpriority, PRIO_PROCESS, process);
    system_call(SYS_prctl, PR_SET_NAME, name, 0, 0, 0);
    system_call(SYS_setpriority, PRIO_PROCESS, 0, now + nicer);
}
