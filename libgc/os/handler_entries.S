/* The entries of the program's signal handlers; see handler_entry.h. In a file of its own in
 * assembler, like altstack.S.
 *
 * An entry has the number of the signal in r9 and its own in r8. Until all signals are blocked it
 * keeps the stack pointer on the frame, writes below it only, and leaves alone what a handler could
 * look at. Whoever calls an entry as a function, because it asked the kernel for the handler, has
 * no frame where one would be. What interrupted a section returns at once (os/section.h). */
#if defined(__x86_64__)
.text
.balign 16
.globl handler_entries, handler_entry_common, handler_entry_masked, handler_entry_go_on
.hidden handler_entries, handler_entry_common, handler_entry_masked, handler_entry_go_on
.type handler_entries, @function
handler_entries:
.cfi_startproc
.set handler_entry_number, 0
.rept 512
    .balign 16
    movl %edi, %r9d
    movl $handler_entry_number, %r8d
    jmp handler_entry_common
    .set handler_entry_number, handler_entry_number + 1
.endr
    .balign 16
handler_entry_common:
    leaq 8(%rsp), %rax
    cmpq %rax, %rdx
    jne handler_entry_straight
    cmpb $0, section_puts_off(%rip)
    je handler_entry_outside
    rdfsbase %rax  /* libc's thread-local memory, if there is any */
    testq %rax, %rax
    je handler_entry_outside
    cmpq %rax, 16(%rax)
    jne handler_entry_outside
    movq section_self@gottpoff(%rip), %rcx
    cmpw $0, (%rax,%rcx)
    jne handler_entry_block
handler_entry_outside:
    cmpl $256, %r8d
    jae handler_entry_block
    movq 16(%rdx), %rax  /* uc_stack.ss_sp */
    cmpq signal_stacks_low(%rip), %rax
    jb handler_entry_straight
    cmpq signal_stacks_high(%rip), %rax
    jae handler_entry_straight
    movq %rsp, %rcx
    subq %rax, %rcx
    cmpq 32(%rdx), %rcx  /* uc_stack.ss_size */
    jae handler_entry_straight
handler_entry_block:
    movl $2, %edi  /* SIG_SETMASK */
    leaq handler_entry_all(%rip), %rsi
    leaq -64(%rsp), %rdx
    movl $8, %r10d
    movl $14, %eax  /* rt_sigprocmask */
    syscall
handler_entry_masked:
    movq %rsp, %rdi
    subq $88, %rsp
    .cfi_def_cfa_offset 96
    movq %r8, 32(%rsp)
    movq %r9, 40(%rsp)
    movl %r8d, %esi
    movl %r9d, %edx
    leaq 24(%rsp), %rcx
    call handler_entry_place
    testq %rax, %rax
    je handler_entry_put_off
    movq 32(%rsp), %r8
    movq 40(%rsp), %r9
    leaq 24(%rsp), %rsi
    movq %rax, %rsp
    .cfi_def_cfa_offset 8
    movl $2, %edi
    xorl %edx, %edx
    movl $8, %r10d
    movl $14, %eax
    syscall
    movl %r9d, %edi
    leaq 312(%rsp), %rsi
    leaq 8(%rsp), %rdx
handler_entry_straight:
    leaq handler_entry_targets(%rip), %rax
    movq (%rax,%r8,8), %r10
    xorl %eax, %eax
    jmp *%r10
handler_entry_put_off:
    addq $88, %rsp
    retq
.cfi_endproc
.size handler_entries, .-handler_entries
.type handler_entry_go_on, @function
handler_entry_go_on:  /* frame, entry, signal, mask */
    movq %rdi, %rsp
    movl %esi, %r8d
    movl %edx, %r9d
    movq %rcx, -64(%rsp)
    movq 80(%rsp), %r12
    movq 88(%rsp), %r13
    movq 96(%rsp), %r14
    movq 104(%rsp), %r15
    movq 128(%rsp), %rbp
    movq 136(%rsp), %rbx
    jmp handler_entry_masked
.size handler_entry_go_on, .-handler_entry_go_on
#endif
.section .note.GNU-stack, "", %progbits
