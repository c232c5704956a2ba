/* The walk and its cache of rules; see unwind.h. */
#include "leak/unwind.h"

#include "leak/rules.h"

#include <atomic_ops.h>
#include <string.h>

/* Farther than this no frame reaches; what seems to is not one. */
enum { FRAME_MOST_BYTES = 8 << 20, CACHE_ENTRIES = 1 << 16 };

/* A rule in one word: offsets in units of eight bytes, biased. */
enum {
    KIND_BITS = 2,
    OFFSET_BITS = 14,
    CFA_BITS = 28,
    FP_IS_SAME = (1 << OFFSET_BITS) - 1,
    OFFSET_BIAS = 1 << (OFFSET_BITS - 1),
    CFA_BIAS = 1 << (CFA_BITS - 1)
};

struct step {
    enum rule_result kind;
    bool from_fp, fp_same;
    long cfa_offset, return_offset, fp_offset;
};

/* key is the address exclusive-or the word, so that a pair torn by two writers matches nothing. */
static struct { volatile AO_t key, word; } cache[CACHE_ENTRIES];

static uint64_t pack_offset(int offset) {
    int units = offset / 8 + OFFSET_BIAS;
    return units >= 0 && units < FP_IS_SAME ? (uint64_t)units : FP_IS_SAME;
}

static uint64_t pack(enum rule_result kind, const struct rule *rule) {
    uint64_t word = 0;
    if (kind != RULE_FOUND)
        return kind;
    bool same = rule->saved[RULE_FP] == RULE_SAME;
    long cfa = rule->cfa_offset / 8 + CFA_BIAS;
    uint64_t back = pack_offset(rule->saved[RULE_RETURN]);
    if (back == FP_IS_SAME || cfa < 0 || cfa >= 1 << CFA_BITS || rule->cfa_offset % 8)
        return RULE_OUTERMOST;
    word = word << CFA_BITS | (uint64_t)cfa;
    word = word << OFFSET_BITS | back;
    word = word << OFFSET_BITS | (same ? FP_IS_SAME : pack_offset(rule->saved[RULE_FP]));
    word = word << 1 | (rule->cfa_register == RULE_FP);
    return word << KIND_BITS | kind;
}

static uint64_t take_bits(uint64_t *word, unsigned bits) {
    uint64_t value = *word & (((uint64_t)1 << bits) - 1);
    *word >>= bits;
    return value;
}

static struct step unpack(uint64_t word) {
    struct step step = {.kind = take_bits(&word, KIND_BITS)};
    step.from_fp = take_bits(&word, 1);
    uint64_t fp = take_bits(&word, OFFSET_BITS);
    step.fp_same = fp == FP_IS_SAME;
    step.fp_offset = ((long)fp - OFFSET_BIAS) * 8;
    step.return_offset = ((long)take_bits(&word, OFFSET_BITS) - OFFSET_BIAS) * 8;
    step.cfa_offset = ((long)take_bits(&word, CFA_BITS) - CFA_BIAS) * 8;
    return step;
}

static struct step find_step(uintptr_t pc) {
    size_t slot = (pc * 0x9e3779b97f4a7c15u) >> 48;
    AO_t word = AO_load(&cache[slot].word);
    if ((AO_load(&cache[slot].key) ^ word) == pc)
        return unpack(word);
    struct rule rule;
    enum rule_result kind = rule_find(pc, &rule);
    word = pack(kind, &rule);
    AO_store(&cache[slot].word, word);
    AO_store(&cache[slot].key, pc ^ word);
    return unpack(word);
}

void unwind_forget(void) {
    for (size_t i = 0; i < CACHE_ENTRIES; i++)
        AO_store(&cache[i].key, 0);
}

static uintptr_t word_at(uintptr_t address) { return *(const uintptr_t *)address; }

/* Where the return address is signed, its upper bits are no address. */
static uintptr_t code_address(uintptr_t word) {
#if defined(__aarch64__)
    return word & (((uintptr_t)1 << 48) - 1);
#else
    return word;
#endif
}

static bool leads_up(uintptr_t from, uintptr_t to, uintptr_t limit) {
    return to > from && to - from <= FRAME_MOST_BYTES && to % 8 == 0 && (limit == 0 || to <= limit);
}

/* A walk under way: the frame it is at, where that frame's pointer was read (0: it is the one that
 * the walk began with), and what it has found. */
struct walk {
    struct unwind_frame frame;
    uintptr_t fp_at, limit;
    struct unwind_stack *stack;
};

static void depend_on(struct walk *walk, uintptr_t address, uintptr_t value) {
    struct unwind_stack *stack = walk->stack;
    if (stack->word_count < UNWIND_WORDS) {
        stack->words[stack->word_count].at = address;
        stack->words[stack->word_count].value = value;
    }
    stack->word_count++;
}

static void depend_on_pointer(struct walk *walk) {
    if (walk->fp_at)
        depend_on(walk, walk->fp_at, walk->frame.fp);
    else
        walk->stack->needs_fp = true;
}

static void move_out(struct walk *walk, uintptr_t pc_at, uintptr_t fp_at, uintptr_t sp) {
    uintptr_t word = word_at(pc_at);
    depend_on(walk, pc_at, word);
    walk->frame.pc = code_address(word);
    if (fp_at)
        walk->frame.fp = word_at(fp_at);
    if (fp_at)
        walk->fp_at = fp_at;
    walk->frame.sp = sp;
}

static bool step_by_rule(struct walk *walk, struct step step) {
    uintptr_t cfa = (step.from_fp ? walk->frame.fp : walk->frame.sp) + step.cfa_offset;
    if (step.from_fp)
        depend_on_pointer(walk);
    if (!leads_up(walk->frame.sp, cfa, walk->limit))
        return false;
    move_out(walk, cfa + step.return_offset, step.fp_same ? 0 : cfa + step.fp_offset, cfa);
    return true;
}

/* As compiled code and hand-written code arrange it by convention: the caller's frame pointer and
 * the return address lie where the frame pointer leads. */
static bool step_by_pointer(struct walk *walk) {
    uintptr_t fp = walk->frame.fp, after = fp + 2 * sizeof(uintptr_t);
    depend_on_pointer(walk);
    if (walk->limit == 0 || fp < walk->frame.sp || !leads_up(walk->frame.sp, after, walk->limit))
        return false;
    move_out(walk, fp + sizeof(uintptr_t), fp, after);
    return true;
}

/* False at the outermost frame. */
static bool step_out(struct walk *walk) {
    struct step step = find_step(walk->frame.pc - 1);
    bool stepped = step.kind == RULE_FOUND     ? step_by_rule(walk, step)
                   : step.kind == RULE_UNKNOWN ? step_by_pointer(walk)
                                               : false;
    return stepped && walk->frame.pc > 4096;
}

static uint64_t mix(uint64_t hash, uintptr_t pc) {
    hash = (hash ^ pc) * 0x9fb21c651e98df25u;
    return hash ^ hash >> 29;
}

/* In four lanes, because each step waits for the one before. */
static uint64_t hash_of(const uintptr_t *pcs, size_t count) {
    uint64_t lanes[4] = {1, 2, 3, 4};
    for (size_t i = 0; i < count; i++)
        lanes[i % 4] = mix(lanes[i % 4], pcs[i]);
    return mix(mix(lanes[0], lanes[1]), mix(lanes[2], lanes[3]));
}

void unwind_take(struct unwind_frame frame, uintptr_t limit, size_t most,
                 struct unwind_stack *stack) {
    struct walk walk = {frame, 0, limit, stack};
    stack->count = stack->word_count = 0;
    stack->needs_fp = false;
    do
        stack->pcs[stack->count++] = walk.frame.pc - 1;
    while (stack->count < most && step_out(&walk));
    stack->hash = hash_of(stack->pcs, stack->count);
}

#if defined(__x86_64__)
static const int preserved[] = {3, RULE_FP, 12, 13, 14, 15};
#define REGISTERS_HERE(registers, pc)                                                              \
    __asm__ volatile("movq %%rbx, 24(%1)\n\tmovq %%rbp, 48(%1)\n\tmovq %%rsp, 56(%1)\n\t"          \
                     "movq %%r12, 96(%1)\n\tmovq %%r13, 104(%1)\n\tmovq %%r14, 112(%1)\n\t"        \
                     "movq %%r15, 120(%1)\n\tleaq 0(%%rip), %0"                                    \
                     : "=r"(pc)                                                                    \
                     : "r"(registers)                                                              \
                     : "memory")
#elif defined(__aarch64__)
static const int preserved[] = {19, 20, 21, 22, 23, 24, 25, 26, 27, 28, RULE_FP};
#define REGISTERS_HERE(registers, pc)                                                              \
    __asm__ volatile("stp x19, x20, [%1, #152]\n\tstp x21, x22, [%1, #168]\n\t"                    \
                     "stp x23, x24, [%1, #184]\n\tstp x25, x26, [%1, #200]\n\t"                    \
                     "stp x27, x28, [%1, #216]\n\tstr x29, [%1, #232]\n\t"                         \
                     "mov %0, sp\n\tstr %0, [%1, #248]\n\tadr %0, ."                               \
                     : "=&r"(pc)                                                                   \
                     : "r"(registers)                                                              \
                     : "memory")
#endif

/* One frame outwards with all registers that calls preserve. */
static bool step_whole(uintptr_t *registers, uintptr_t *pc) {
    struct rule rule;
    if (rule_find(*pc - 1, &rule) != RULE_FOUND || rule.saved[RULE_RETURN] == RULE_SAME)
        return false;
    uintptr_t cfa = registers[rule.cfa_register] + rule.cfa_offset;
    if (!leads_up(registers[RULE_SP], cfa, 0))
        return false;
    for (size_t i = 0; i < sizeof preserved / sizeof *preserved; i++) {
        int offset = rule.saved[preserved[i]];
        if (offset > RULE_SAME + 1)
            registers[preserved[i]] = word_at(cfa + offset);
    }
    *pc = code_address(word_at(cfa + rule.saved[RULE_RETURN]));
    registers[RULE_SP] = cfa;
    return true;
}

bool unwind_to_caller(uintptr_t function, size_t bytes, struct unwind_caller *caller) {
    uintptr_t registers[RULE_REGISTERS] = {0}, pc;
    bool inside = false;
    REGISTERS_HERE(registers, pc);
    pc++;
    for (int i = 0; i < UNWIND_MOST; i++) {
        bool now = pc - 1 - function < bytes;
        if (inside && !now) {
            *caller = (struct unwind_caller){.sp = registers[RULE_SP]};
            for (size_t k = 0; k < sizeof preserved / sizeof *preserved; k++)
                caller->saved[k] = registers[preserved[k]];
            return true;
        }
        inside = now;
        if (!step_whole(registers, &pc))
            return false;
    }
    return false;
}
