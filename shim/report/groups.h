/* Groups: the blocks of one allocation stack, with names, an id that outlives the program's next
 * build, and what has changed since an earlier check.
 */
#ifndef TITHE_SHIM_REPORT_GROUPS_H
#define TITHE_SHIM_REPORT_GROUPS_H

#include "report/check_file.h"
#include "report/symbols.h"

enum group_kind { GROUP_LOST, GROUP_GROWING, GROUP_LIVE };

struct group {
    enum group_kind kind;
    uint64_t key; /* from what the frames' modules are and where in them: whose blocks these are */
    uint32_t id;  /* once it has names: from what its functions are called, for people to keep */
    struct check_group sums;
    long blocks_since, bytes_since;  /* against the earlier check */
    const struct check_stack *stack; /* NULL when not known */
    struct symbol_frame *frames;     /* innermost first, inlined ones too; NULL: not named */
    size_t frame_count;
    size_t called, first, own; /* the first frame that is no allocator's; that serves nobody else;
                                  of the program itself */
    const char *chain;         /* NULL, or a chain's steps */
    const char *suppressed_by; /* NULL, or the line */
};

struct groups {
    const struct check *check;
    bool compared; /* there was an earlier check */
    char **unused; /* suppressions of the user's that have suppressed nothing */
    size_t unused_count;
    struct group *groups; /* lost ones first, then growing, then live; in each by bytes kept */
    size_t count;
};

/* Makes groups of a check's, and compares with an earlier one of the same process, if any. growing:
 * in how many checks in a row a live group must have grown to be called that. No group has names
 * yet: where there are a million, looking them up takes longer than all the rest. */
struct groups *groups_make(const struct check *check, const struct check *earlier,
                           unsigned growing);
void groups_free(struct groups *groups);

/* Looks up the names of a group's stack, and makes its id, unless it has them; and gives the names
 * back, but not the id. */
void group_name_frames(struct group *group, const struct check *check);
void group_forget_frames(struct group *group);

/* Both, for the warnings that come of it. */
void group_visit_names(struct group *group, const struct check *check);

/* What a group keeps from being used: its own bytes, and those it holds; and what of it earlier
 * checks have collected. */
size_t group_bytes(const struct group *group);
size_t group_blocks(const struct group *group);

/* For how many blocks each of the group's stands: 1, or more where blocks are sampled. Then those
 * of which no stack is known stand for nothing, since others stand for them. */
double group_weight(const struct check *check, const struct group *group);

/* So much of the group's, for all that it stands for; a file may say anything. */
size_t group_weighed(const struct check *check, const struct group *group, size_t amount);

#endif
