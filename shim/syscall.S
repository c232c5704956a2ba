/* syscall(2) for x86-64: those that concern us go to bare_calls.c, all others to the kernel just as
 * libc's own sends them. In assembler, because the child of a clone may return from here on another
 * stack. */
#if defined(__x86_64__)
.text
.globl syscall
.type syscall, @function
syscall:
    .cfi_startproc
    cmpq $13, %rdi  /* rt_sigaction */
    je bare_sigaction
    cmpq $131, %rdi  /* sigaltstack */
    je bare_sigaltstack
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %rdx
    movq %r8, %r10
    movq %r9, %r8
    movq 8(%rsp), %r9
    syscall
    cmpq $-4095, %rax
    jae 1f
    ret
1:  movq %rax, %rdi
    jmp bare_failed
    .cfi_endproc
.size syscall, .-syscall
#endif
.section .note.GNU-stack, "", %progbits
