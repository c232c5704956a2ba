/* A function without a compiler. */
    .text
    .globl assembled
    .type assembled, @function
assembled:
    .cfi_startproc
    push %rbx
    .cfi_adjust_cfa_offset 8
    mov $77, %edi
    call malloc@PLT
    nop
    pop %rbx
    .cfi_adjust_cfa_offset -8
    ret
    .cfi_endproc
    .size assembled, . - assembled
    .section .note.GNU-stack, "", @progbits
