/* Naming, joining and comparing; see groups.h. */
#include "report/groups.h"

#include "report/own_frames.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t group_bytes(const struct group *group) {
    const struct check_group *sums = &group->sums;
    return sums->bytes + sums->held_bytes + sums->collected.bytes + sums->collected.held_bytes;
}

size_t group_blocks(const struct group *group) {
    const struct check_group *sums = &group->sums;
    return sums->blocks + sums->held_blocks + sums->collected.blocks + sums->collected.held_blocks;
}

/* A block is taken into the sample with the probability 1 - exp(-bytes / mean distance). */
double group_weight(const struct check *check, const struct group *group) {
    const struct check_group *sums = &group->sums;
    if (check->sampled == 0)
        return 1;
    size_t blocks = sums->blocks + sums->collected.blocks,
           bytes = sums->bytes + sums->collected.bytes;
    if (group->stack == NULL || blocks == 0 || bytes == 0)
        return 0;
    return -1 / expm1(-(double)bytes / (double)blocks / (double)check->sampled);
}

size_t group_weighed(const struct check *check, const struct group *group, size_t amount) {
    double weighed = group_weight(check, group) * (double)amount;
    if (!(weighed > 0))
        return 0;
    return weighed < 0x1p63 ? (size_t)(weighed + 0.5) : (size_t)1 << 63;
}

/* A module is its build id, or its name if it has none; code without a file is all alike. */
static uint64_t key_of(const struct check *check, const struct check_stack *stack) {
    const struct check_module *module = NULL;
    uint64_t print = CHECK_PRINT;
    for (size_t i = 0; stack && i < stack->count; i++) {
        uint64_t pc = stack->pcs[i];
        if (module == NULL || !check_module_holds(module, pc, stack->generation))
            module = check_module_at(check, pc, stack->generation);
        print = (print ^ (module ? module->print + pc - module->bias : 0)) * 0x9e3779b97f4a7c15u;
        print ^= print >> 29;
    }
    return print;
}

static void join(struct group *group, const struct check_group *other) {
    struct check_group *sums = &group->sums;
    if (sums->blocks == 0) {
        sums->sample = other->sample;
        sums->sizes = other->sizes;
    }
    sums->collected.blocks += other->collected.blocks;
    sums->collected.bytes += other->collected.bytes;
    sums->collected.held_blocks += other->collected.held_blocks;
    sums->collected.held_bytes += other->collected.held_bytes;
    sums->blocks += other->blocks;
    sums->bytes += other->bytes;
    sums->held_blocks += other->held_blocks;
    sums->held_bytes += other->held_bytes;
    if (other->first < sums->first)
        sums->first = other->first;
    if (other->last > sums->last)
        sums->last = other->last;
    if (other->grew > sums->grew)
        sums->grew = other->grew;
}

static int by_kind_and_key(const void *one, const void *two) {
    const struct group *first = one, *second = two;
    if (first->sums.lost != second->sums.lost)
        return first->sums.lost ? -1 : 1;
    return (first->key > second->key) - (first->key < second->key);
}

/* Stacks with one key, as those of two generations, are one group. */
static void join_equal(struct groups *groups) {
    size_t kept = 0;
    qsort(groups->groups, groups->count, sizeof *groups->groups, by_kind_and_key);
    for (size_t i = 0; i < groups->count; i++) {
        struct group *group = &groups->groups[i];
        if (kept > 0 && by_kind_and_key(&groups->groups[kept - 1], group) == 0)
            join(&groups->groups[kept - 1], &group->sums);
        else
            groups->groups[kept++] = *group;
    }
    groups->count = kept;
}

static int by_bytes(const void *one, const void *two, void *check) {
    const struct group *first = one, *second = two;
    if (first->kind != second->kind)
        return first->kind < second->kind ? -1 : 1;
    double least = group_weight(check, first) * (double)group_bytes(first),
           most = group_weight(check, second) * (double)group_bytes(second);
    if (least != most)
        return least > most ? -1 : 1;
    return (first->key > second->key) - (first->key < second->key);
}

static struct groups *collect(const struct check *check) {
    struct groups *groups = calloc(1, sizeof *groups);
    if (groups == NULL ||
        (groups->groups = calloc(check->group_count + 1, sizeof *groups->groups)) == NULL)
        abort();
    groups->check = check;
    for (size_t i = 0; i < check->group_count; i++) {
        struct group *group = &groups->groups[groups->count++];
        group->sums = check->groups[i];
        group->stack = check_stack_of(check, group->sums.stack);
        group->key = key_of(check, group->stack);
    }
    join_equal(groups);
    return groups;
}

static void compare(struct groups *groups, const struct check *earlier) {
    struct groups *before = collect(earlier);
    groups->compared = true;
    for (size_t i = 0; i < groups->count; i++) {
        struct group *group = &groups->groups[i];
        const struct group *same =
            bsearch(group, before->groups, before->count, sizeof *before->groups, by_kind_and_key);
        group->blocks_since = group_blocks(group) - (same ? group_blocks(same) : 0);
        group->bytes_since = group_bytes(group) - (same ? group_bytes(same) : 0);
    }
    groups_free(before);
}

static bool is_of_program(const struct symbol_frame *frame, const struct check *check) {
    return frame->module && strcmp(frame->module->path, check->program) == 0;
}

/* What the program's functions are called, and where in them the calls are. What libc does before
 * main is left out, as is the allocator, which another version of these may do in another way. */
static uint32_t id_of(const struct group *group) {
    size_t last = group->frame_count;
    uint64_t print = group->sums.lost ? CHECK_PRINT : ~CHECK_PRINT;
    while (last > group->first + 1 && own_frames_is_startup(&group->frames[last - 1]))
        last--;
    for (size_t i = group->first; i < last; i++)
        print = check_print(print, &group->frames[i].print, sizeof group->frames[i].print);
    return print ^ print >> 32;
}

static void copy_frames(struct group *group, const struct check *check) {
    const struct check_stack *stack = group->stack;
    for (size_t i = 0; stack && i < stack->count; i++) {
        const struct symbol_place *place = symbols_code(check, stack->pcs[i], stack->generation);
        group->frames =
            realloc(group->frames, (group->frame_count + place->count) * sizeof *group->frames);
        if (group->frames == NULL)
            abort();
        memcpy(group->frames + group->frame_count, place->frames,
               place->count * sizeof *place->frames);
        group->frame_count += place->count;
    }
}

void group_name_frames(struct group *group, const struct check *check) {
    if (group->frames)
        return;
    copy_frames(group, check);
    own_frames_find(group->frames, group->frame_count, &group->called, &group->first);
    group->own = group->first;
    while (group->own < group->frame_count && !is_of_program(&group->frames[group->own], check))
        group->own++;
    group->id = id_of(group);
}

void group_forget_frames(struct group *group) {
    free(group->frames);
    group->frames = NULL;
    group->frame_count = group->called = group->first = group->own = 0;
}

void group_visit_names(struct group *group, const struct check *check) {
    group_name_frames(group, check);
    group_forget_frames(group);
}

static const char *chain_of(const struct check *check, unsigned stack) {
    for (size_t i = 0; i < check->chain_count; i++)
        if (check->chains[i].stack == stack)
            return check->chains[i].steps;
    return NULL;
}

struct groups *groups_make(const struct check *check, const struct check *earlier,
                           unsigned growing) {
    struct groups *groups = collect(check);
    if (earlier)
        compare(groups, earlier);
    for (size_t i = 0; i < groups->count; i++) {
        struct group *group = &groups->groups[i];
        group->kind = group->sums.lost              ? GROUP_LOST
                      : group->sums.grew >= growing ? GROUP_GROWING
                                                    : GROUP_LIVE;
        if (!group->sums.lost)
            group->chain = chain_of(check, group->sums.stack);
    }
    qsort_r(groups->groups, groups->count, sizeof *groups->groups, by_bytes, (void *)check);
    return groups;
}

void groups_free(struct groups *groups) {
    for (size_t i = 0; i < groups->count; i++)
        free(groups->groups[i].frames);
    for (size_t i = 0; i < groups->unused_count; i++)
        free(groups->unused[i]);
    free(groups->unused);
    free(groups->groups);
    free(groups);
}
