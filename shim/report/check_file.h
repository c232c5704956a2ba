/* A check file in memory: what a process wrote of one leak check (doc/leak-checks.md). */
#ifndef TITHE_SHIM_REPORT_CHECK_FILE_H
#define TITHE_SHIM_REPORT_CHECK_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct check_module {
    uint64_t start, end, bias;
    unsigned from, to; /* generations; UINT32_MAX while it is loaded */
    char *build_id;    /* hexadecimal; "" when it has none */
    char *path;
    uint64_t print; /* of the build id, or of the file's name where there is none */
};

struct check_stack {
    unsigned number, generation;
    size_t count;
    uint64_t *pcs; /* innermost first */
};

struct check_group {
    bool lost;
    unsigned stack;
    size_t blocks, bytes, held_blocks, held_bytes;
    unsigned first, last; /* milliseconds since the start */
    unsigned grew;
    uint64_t sample;
    char *sizes; /* the check's; NULL: not told */
    struct {
        size_t blocks, bytes, held_blocks, held_bytes;
    } collected; /* by earlier checks */
};

/* A freed block that something still leads to; or, in a trial, one that came back. */
struct check_dangling {
    uint64_t address;
    size_t bytes;
    unsigned stack, freed; /* where it was allocated, and freed; or used after it was found dead */
    char how[16];          /* how it came back */
    char *steps;           /* to it; of many blocks only the last one */
};

/* What a trial has come to. */
struct check_trial {
    size_t cycles, blocks, bytes, late_blocks, late_bytes, returned_blocks, returned_bytes;
};

struct check_chain {
    unsigned stack;
    char *steps; /* as they stand in the file */
};

struct check {
    unsigned serial; /* no two that this process has read have the same */
    char *program, *trigger;
    char **arguments;
    size_t argument_count;
    int process, parent;
    unsigned number;
    int64_t time;
    size_t uptime, paused, took, heap_blocks, heap_bytes, sampled;
    char *roots;

    struct check_module *modules;
    size_t module_count;
    struct check_stack *stacks; /* by number, as the file has them */
    size_t stack_count;
    struct check_group *groups;
    size_t group_count;
    bool has_collects, collects, has_quarantine; /* collects: what is lost was freed afterwards */
    unsigned collecting_checks;                  /* earlier ones that have freed something */
    size_t quarantine_blocks, quarantine_bytes;
    struct check_dangling *dangling;
    size_t dangling_count;
    bool has_trial;
    struct check_trial trial;
    struct check_dangling *returned;
    size_t returned_count;
    struct check_chain *chains;
    size_t chain_count;
    char **warnings, **suppressions;
    size_t warning_count, suppression_count;
};

/* Reads a file. NULL, and a line said, when it is none or not whole. */
struct check *check_read(const char *path);
void check_free(struct check *check);

const struct check_stack *check_stack_of(const struct check *check, unsigned number);

/* Goes on with a print (FNV-1a); the first is CHECK_PRINT. */
#define CHECK_PRINT 0xcbf29ce484222325u
uint64_t check_print(uint64_t print, const void *bytes, size_t count);

/* The last part of a path. */
const char *check_base_name(const char *path);

bool check_module_holds(const struct check_module *module, uint64_t address, unsigned generation);

/* The module that was loaded at an address in a generation; NULL when none is known. */
const struct check_module *check_module_at(const struct check *check, uint64_t address,
                                           unsigned generation);

#endif
