/* Call frame information: how to get from a frame to its caller's, read from .eh_frame.
 *
 * Only what is needed for a walk is kept: the base of the frame (the canonical frame address, CFA)
 * as a register plus an offset, and where relative to it the registers that calls preserve were
 * saved. Frames that say it by an expression (PLT entries, signal trampolines) have no rule. Reads
 * what is mapped of the object the address lies in; never allocates or locks. Any thread.
 */
#ifndef TITHE_SHIM_LEAK_RULES_H
#define TITHE_SHIM_LEAK_RULES_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers of DWARF's for the registers that matter. */
enum {
#if defined(__x86_64__)
    RULE_FP = 6,
    RULE_SP = 7,
    RULE_RETURN = 16,
#elif defined(__aarch64__)
    RULE_FP = 29,
    RULE_SP = 31,
    RULE_RETURN = 30,
#endif
    RULE_REGISTERS = 33
};

/* Where a register's value of the caller is: in place, or at the CFA plus an offset. */
enum { RULE_SAME = INT32_MIN };

struct rule {
    int cfa_register; /* RULE_SP or RULE_FP */
    int cfa_offset;
    int saved[RULE_REGISTERS]; /* RULE_SAME or an offset from the CFA */
};

enum rule_result { RULE_FOUND, RULE_UNKNOWN, RULE_OUTERMOST };

/* For the frame that is about to execute the instruction after pc: RULE_UNKNOWN where nothing is
 * known of the code, RULE_OUTERMOST where it has no caller, or none that can be told. */
enum rule_result rule_find(uintptr_t pc, struct rule *rule);

#endif
