/* What a signal frame holds, on x86-64 and aarch64; see registers.h. */
#include "os/registers.h"

#include "os/syscall.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/ucontext.h>

#if defined(__x86_64__)

#include <asm/prctl.h>
#include <cpuid.h>

/* The legacy part of XSAVE's layout: 8 of the x87 unit's in 16 bytes each, and 16 of SSE's. Behind
 * it the header tells which of the components that follow were in use. */
enum {
    X87_AT = 32,
    X87_COUNT = 8,
    X87_BYTES = 8, /* MMX's share, and an address is in no longer number */
    SSE_AT = 160,
    SSE_BYTES = 256,
    SOFTWARE_AT = 464,
    LEGACY_BYTES = 512,
    HEADER_BYTES = 64,
    FIRST_COMPONENT = 2,
    COMPONENTS = 63,
    CPUID_XSAVE = 13,
    HWCAP2_HAS_BASES = 2
};

static struct component { uint32_t at, bytes; /* 0 bytes: not known */ } components[COMPONENTS];

void registers_prepare(void) {
    unsigned low = 0, bytes, at, high = 0, rest;
    if (!__get_cpuid_count(CPUID_XSAVE, 0, &low, &bytes, &at, &high))
        return;
    uint64_t supported = (uint64_t)high << 32 | low;
    for (unsigned i = FIRST_COMPONENT; i < COMPONENTS; i++)
        if (supported >> i & 1) {
            __get_cpuid_count(CPUID_XSAVE, i, &bytes, &at, &rest, &rest);
            components[i] = (struct component){at, bytes};
        }
}

/* The true size stands in the bytes that FXSAVE leaves to software, behind a magic number
 * (asm/sigcontext.h). */
size_t registers_vector_bytes(const void *vectors) {
    uint32_t magic, extended;
    memcpy(&magic, (const char *)vectors + SOFTWARE_AT, sizeof magic);
    memcpy(&extended, (const char *)vectors + SOFTWARE_AT + sizeof magic, sizeof extended);
    return magic == 0x46505853 && extended >= LEGACY_BYTES && extended < 65536 ? extended
                                                                               : LEGACY_BYTES;
}

static void visit_components(const char *area, size_t bytes,
                             void (*visit)(const void *, size_t, void *), void *to) {
    uint64_t in_use;
    memcpy(&in_use, area + LEGACY_BYTES, sizeof in_use);
    for (unsigned i = FIRST_COMPONENT; i < COMPONENTS; i++) {
        const struct component *component = &components[i];
        if (!(in_use >> i & 1))
            continue;
        if (component->bytes == 0)
            visit(area + LEGACY_BYTES + HEADER_BYTES, bytes - LEGACY_BYTES - HEADER_BYTES, to);
        else if (component->at + component->bytes <= bytes)
            visit(area + component->at, component->bytes, to);
    }
}

void registers_visit(const void *context, void (*visit)(const void *, size_t, void *), void *to) {
    const mcontext_t *machine = &((const ucontext_t *)context)->uc_mcontext;
    const char *vectors = (const char *)machine->fpregs;
    visit(machine->gregs, (REG_RIP + 1) * sizeof *machine->gregs, to);
    if (vectors == NULL)
        return;
    for (int i = 0; i < X87_COUNT; i++)
        visit(vectors + X87_AT + 16 * i, X87_BYTES, to);
    visit(vectors + SSE_AT, SSE_BYTES, to);
    size_t bytes = registers_vector_bytes(vectors);
    if (bytes > LEGACY_BYTES + HEADER_BYTES)
        visit_components(vectors, bytes, visit, to);
}

void registers_note_bases(uintptr_t bases[REGISTERS_BASES]) {
    if (getauxval(AT_HWCAP2) & HWCAP2_HAS_BASES) {
        __asm__ volatile("rdfsbase %0" : "=r"(bases[0]));
        __asm__ volatile("rdgsbase %0" : "=r"(bases[1]));
    } else {
        system_call(SYS_arch_prctl, ARCH_GET_FS, &bases[0]);
        system_call(SYS_arch_prctl, ARCH_GET_GS, &bases[1]);
    }
}

#elif defined(__aarch64__)

void registers_prepare(void) {}

enum { EXTRA_RECORD = 0x45585401 }; /* of asm/sigcontext.h, as what follows */

struct record {
    uint32_t magic, bytes;
    uint64_t extra;
    uint32_t extra_bytes;
};

/* The records end with one without a magic number; one of them may tell of more elsewhere. */
void registers_visit(const void *context, void (*visit)(const void *, size_t, void *), void *to) {
    const mcontext_t *machine = &((const ucontext_t *)context)->uc_mcontext;
    const char *records = (const char *)machine->__reserved;
    size_t at = 0;
    struct record record;
    visit(machine->regs, sizeof machine->regs, to);
    while (at + sizeof record <= sizeof machine->__reserved) {
        memcpy(&record, records + at, sizeof record);
        if (record.magic == 0 || record.bytes < 16)
            break;
        if (record.magic == EXTRA_RECORD)
            visit((const void *)record.extra, record.extra_bytes, to);
        at += record.bytes;
    }
    visit(records, at < sizeof machine->__reserved ? at : sizeof machine->__reserved, to);
}

void registers_note_bases(uintptr_t bases[REGISTERS_BASES]) {
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(bases[0]));
    bases[1] = 0;
}

#endif
