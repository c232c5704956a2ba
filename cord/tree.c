/* Making the parts of a cord; see tree.h. */
#include "cord/tree.h"

#include "gc/gc.h"

#include <stdlib.h>
#include <string.h>

void (*CORD_oom_fn)(void);

void CORD_set_oom_fn(CORD_oom_fn_t function) { CORD_oom_fn = function; }
CORD_oom_fn_t CORD_get_oom_fn(void) { return CORD_oom_fn; }

const struct cord_slice cord_one_nul = {
    {.kind = CORD_KIND_SLICE, .level_parts = 1, .length = 1},
    "",
};

void cord_fail(const char *message) {
    fprintf(stderr, "cord: %s\n", message);
    abort();
}

static void *checked(void *memory) {
    if (memory)
        return memory;
    if (CORD_oom_fn)
        CORD_oom_fn();
    cord_fail("out of memory");
}

void *cord_allocate(size_t bytes) { return checked(GC_MALLOC(bytes)); }

char *cord_allocate_characters(size_t count) { return checked(GC_MALLOC_ATOMIC(count)); }

struct cord_part cord_copied_together(const char *x, size_t x_length, const char *y,
                                      size_t y_length) {
    char *copy = cord_allocate_characters(x_length + y_length + 1);
    memcpy(copy, x, x_length);
    memcpy(copy + x_length, y, y_length);
    copy[x_length + y_length] = '\0';
    return (struct cord_part){copy, x_length + y_length};
}

struct cord_part cord_of_bytes(const char *bytes, size_t length) {
    struct cord_part copy = cord_copied_together(bytes, length, "", 0);
    return memchr(bytes, '\0', length) ? cord_slice(copy.cord, length) : copy;
}

struct cord_part cord_slice(const char *bytes, size_t length) {
    struct cord_slice *slice = cord_allocate(sizeof *slice);
    slice->node = (struct cord_node){.kind = CORD_KIND_SLICE, .level_parts = 1, .length = length};
    slice->bytes = bytes;
    return (struct cord_part){(CORD)slice, length};
}

struct cord_part cord_function(CORD_fn fn, void *data, size_t offset, size_t length) {
    struct cord_function *function = cord_allocate(sizeof *function);
    function->node =
        (struct cord_node){.kind = CORD_KIND_FUNCTION, .level_parts = 1, .length = length};
    function->fn = fn;
    function->data = data;
    function->offset = offset;
    return (struct cord_part){(CORD)function, length};
}

struct cord_part cord_pair(struct cord_part left, struct cord_part right) {
    if (left.length >= CORD_LEFT_IS_LONG && CORD_IS_STRING(left.cord))
        left = cord_slice(left.cord, left.length);
    unsigned left_depth = cord_depth(left.cord), right_depth = cord_depth(right.cord);
    unsigned parts = cord_level_parts(left.cord) + cord_level_parts(right.cord);
    int lean = (int)left_depth - (int)right_depth;
    struct cord_pair *pair = cord_allocate(sizeof *pair);
    pair->node = (struct cord_node){
        .kind = CORD_KIND_PAIR,
        .depth = 1 + (lean > 0 ? left_depth : right_depth),
        .level_parts = parts == 2 && lean >= -1 && lean <= 1 ? 1 : parts,
        .left_length = left.length < CORD_LEFT_IS_LONG ? left.length : CORD_LEFT_IS_LONG,
        .length = left.length + right.length,
    };
    pair->left = left.cord;
    pair->right = right.cord;
    return (struct cord_part){(CORD)pair, pair->node.length};
}

size_t CORD_len(CORD x) {
    if (x == CORD_EMPTY)
        return 0;
    return CORD_IS_STRING(x) ? strlen(x) : cord_node(x)->length;
}
