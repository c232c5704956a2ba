/* Sorting, joining and naming; see dangling.h. */
#include "report/dangling.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MOST = 160 };

struct keyed {
    const struct check_dangling *one;
    char key[KEY_MOST]; /* equal for blocks that are told together */
};

/* What leads to the block at last, without what differs from one to the next: of blocks the stack
 * and the offset count, of a thread's stack only whose it is, of a variable its name. */
static void describe_holder(const struct check *check, const char *steps, char *key, size_t room) {
    const char *last = strrchr(steps, ' ');
    unsigned stack;
    unsigned long offset;
    int thread;
    uint64_t address, place;
    const char *name;
    last = last ? last + 1 : steps;
    if (sscanf(last, "block:%*[^:]:%*[^:]:%lu:%u", &offset, &stack) == 2)
        snprintf(key, room, "block %u %lu", stack, offset);
    else if (sscanf(last, "thread:%d", &thread) == 1)
        snprintf(key, room, "thread %d", thread);
    else if (sscanf(last, "data:%" SCNx64, &address) == 1 &&
             (name = symbols_data(check, address, &place)) != NULL)
        snprintf(key, room, "data %s", name);
    else
        snprintf(key, room, "%s", last);
}

static void make_key(const struct check *check, struct keyed *keyed) {
    int length = snprintf(keyed->key, sizeof keyed->key, "%u %u %s ", keyed->one->stack,
                          keyed->one->freed, keyed->one->how);
    describe_holder(check, keyed->one->steps, keyed->key + length, sizeof keyed->key - length);
}

/* Of equal ones, the first has the whole chain if any has. */
static int by_key(const void *one, const void *two) {
    const struct keyed *first = one, *second = two;
    int order = strcmp(first->key, second->key);
    return order ? order : (first->one > second->one) - (first->one < second->one);
}

static int by_weight(const void *one, const void *two) {
    const struct dangling *first = one, *second = two;
    if (first->from_stack != second->from_stack)
        return first->from_stack ? 1 : -1;
    if (first->bytes != second->bytes)
        return first->bytes > second->bytes ? -1 : 1;
    return (first->sample > second->sample) - (first->sample < second->sample);
}

static struct dangling *add(struct danglings *danglings, const struct check *check,
                            const struct check_dangling *one) {
    struct dangling *dangling = &danglings->list[danglings->count++];
    const char *first = one->steps + strspn(one->steps, " ");
    *dangling = (struct dangling){
        .steps = one->steps,
        .sample = one->address,
        .how = one->how,
        .from_stack = strncmp(first, "thread:", 7) == 0,
        .allocated.stack = check_stack_of(check, one->stack),
        .freed.stack = check_stack_of(check, one->freed),
    };
    group_name_frames(&dangling->allocated, check);
    group_name_frames(&dangling->freed, check);
    return dangling;
}

struct danglings *danglings_make(const struct check *check, const struct check_dangling *blocks,
                                 size_t count) {
    struct danglings *danglings = calloc(1, sizeof *danglings);
    struct keyed *keyed = calloc(count + 1, sizeof *keyed);
    if (danglings == NULL || keyed == NULL ||
        (danglings->list = calloc(count + 1, sizeof *danglings->list)) == NULL)
        abort();
    for (size_t i = 0; i < count; i++) {
        keyed[i].one = &blocks[i];
        make_key(check, &keyed[i]);
    }
    qsort(keyed, count, sizeof *keyed, by_key);
    struct dangling *current = NULL;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(keyed[i].key, keyed[i - 1].key) != 0)
            current = add(danglings, check, keyed[i].one);
        current->blocks++;
        current->bytes += keyed[i].one->bytes;
        danglings->blocks++;
        danglings->bytes += keyed[i].one->bytes;
    }
    qsort(danglings->list, danglings->count, sizeof *danglings->list, by_weight);
    free(keyed);
    return danglings;
}

void danglings_free(struct danglings *danglings) {
    for (size_t i = 0; i < danglings->count; i++) {
        free(danglings->list[i].allocated.frames);
        free(danglings->list[i].freed.frames);
    }
    free(danglings->list);
    free(danglings);
}
