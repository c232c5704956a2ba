/* Fuzzing of libgc's interface: what the fuzzer makes is a sequence of GC_* calls on a graph of
 * objects, compared with a model that keeps all addresses in a form no collector takes for a
 * pointer. What the model reaches from its roots must be whole, must not be finalized, and its
 * links must lead to it; each finalizer runs once, on an object that is whole.
 *
 * Linked to libgc.so.1; with libtithe.so preloaded it is that collector. The options come from
 * TITHE_OPTIONS.
 */
#include "gc/gc.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 64, EDGES = 4, ROOTS = 12, LINKS = 16, LARGEST = 300000 };

struct object {
    uint64_t number; /* of its node, and never again */
    struct object *edges[EDGES];
    unsigned char rest[];
};

/* What the model knows of an object. */
struct node {
    uintptr_t hidden; /* its address; 0 while there is none */
    uint64_t number;
    size_t bytes;
    bool atomic, uncollectable, finalizes, reached;
    int edges[EDGES]; /* -1: none */
};

struct link {
    int target; /* -1: none */
    uint64_t number;
    bool is_long;
};

static struct node nodes[NODES];
static struct link links[LINKS];
static void *link_words[LINKS]; /* hidden, too; what the collector clears */
static struct object *roots[ROOTS];
static int root_nodes[ROOTS];
static uint64_t numbers;

struct input {
    const uint8_t *data;
    size_t bytes;
};

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static unsigned take(struct input *input) {
    if (input->bytes == 0)
        return 0;
    input->bytes--;
    return *input->data++;
}

static struct object *object_of(const struct node *node) { return (struct object *)~node->hidden; }

static unsigned char byte_at(const struct node *node, size_t at) {
    return (unsigned char)(node->number * 7 + at * 3);
}

static size_t header_of(const struct node *node) {
    return node->atomic ? sizeof(uint64_t) : sizeof(struct object);
}

static void fill(struct node *node, size_t from) {
    unsigned char *bytes = (unsigned char *)object_of(node);
    for (size_t at = from; at < node->bytes; at++)
        bytes[at] = byte_at(node, at);
}

static void require_whole(const struct node *node) {
    const struct object *object = object_of(node);
    const unsigned char *bytes = (const unsigned char *)object;
    REQUIRE(object->number == node->number);
    for (size_t at = header_of(node); at<node->bytes; at += node->bytes> 4096 ? 101 : 1)
        REQUIRE(bytes[at] == byte_at(node, at));
    for (int i = 0; !node->atomic && i < EDGES; i++)
        REQUIRE(object->edges[i] ==
                (node->edges[i] < 0 ? NULL : object_of(&nodes[node->edges[i]])));
}

static void reach(int number) {
    if (number < 0 || nodes[number].reached)
        return;
    nodes[number].reached = true;
    for (int i = 0; !nodes[number].atomic && i < EDGES; i++)
        reach(nodes[number].edges[i]);
}

/* Those that nothing leads to any more are the collector's. */
static void find_reached(void) {
    for (int i = 0; i < NODES; i++)
        nodes[i].reached = false;
    for (int i = 0; i < ROOTS; i++)
        reach(root_nodes[i]);
    for (int i = 0; i < NODES; i++)
        if (nodes[i].hidden && nodes[i].uncollectable)
            reach(i);
}

static void check_all(void) {
    find_reached();
    for (int i = 0; i < NODES; i++)
        if (nodes[i].reached)
            require_whole(&nodes[i]);
    for (int i = 0; i < LINKS; i++)
        if (links[i].target >= 0 && nodes[links[i].target].reached &&
            nodes[links[i].target].number == links[i].number)
            REQUIRE((uintptr_t)link_words[i] ==
                    (uintptr_t)GC_HIDE_POINTER(object_of(&nodes[links[i].target])));
}

static void finalized(void *object, void *data) {
    uint64_t number = (uintptr_t)data;
    REQUIRE(((struct object *)object)->number == number);
    find_reached();
    for (int i = 0; i < NODES; i++)
        if (nodes[i].hidden && nodes[i].number == number) {
            REQUIRE(object_of(&nodes[i]) == object);
            REQUIRE(!nodes[i].reached && nodes[i].finalizes);
            nodes[i].finalizes = false;
        }
}

/* A node whose object nobody has any more, for a new one. */
static int unused_node(void) {
    find_reached();
    for (int i = 0; i < NODES; i++)
        if (!nodes[i].reached)
            return i;
    return -1;
}

static size_t take_bytes(struct input *input) {
    unsigned kind = take(input), value = take(input);
    size_t bytes = kind % 4 == 3 ? value * (size_t)(LARGEST / 256) : value * (size_t)(kind % 4 + 1);
    return bytes < sizeof(struct object) ? sizeof(struct object) : bytes;
}

static void *allocate(unsigned kind, size_t bytes) {
    switch (kind) {
    case 0:
        return GC_malloc_atomic(bytes);
    case 1:
        return GC_malloc_uncollectable(bytes);
    case 2:
        return GC_malloc_ignore_off_page(bytes);
    case 3:
        return GC_memalign(64, bytes);
    case 4:
        return GC_debug_malloc(bytes, "fuzz", 1);
    default:
        return GC_malloc(bytes);
    }
}

static void require_cleared(const void *block, size_t bytes) {
    for (size_t at = 0; at < bytes; at++)
        REQUIRE(((const unsigned char *)block)[at] == 0);
}

static void do_make(struct input *input) {
    unsigned kind = take(input) % 8, root = take(input) % ROOTS;
    size_t bytes = take_bytes(input);
    int number = unused_node();
    if (number < 0)
        return;
    struct object *object = allocate(kind, bytes);
    REQUIRE(object != NULL && (uintptr_t)object % 16 == 0 && GC_size(object) >= bytes);
    REQUIRE(kind == 4 || GC_base(object) == object);
    if (kind != 0)
        require_cleared(object, bytes);
    nodes[number] = (struct node){.hidden = ~(uintptr_t)object,
                                  .number = ++numbers,
                                  .bytes = bytes,
                                  .atomic = kind == 0,
                                  .uncollectable = kind == 1,
                                  .edges = {-1, -1, -1, -1}};
    object->number = numbers;
    fill(&nodes[number], header_of(&nodes[number]));
    roots[root] = object;
    root_nodes[root] = number;
}

static int rooted(struct input *input) { return root_nodes[take(input) % ROOTS]; }

static void do_edge(struct input *input) {
    int from = rooted(input), to = rooted(input);
    unsigned edge = take(input) % EDGES;
    if (from < 0 || nodes[from].atomic)
        return;
    if (take(input) % 4 == 0)
        to = -1;
    nodes[from].edges[edge] = to;
    GC_ptr_store_and_dirty(&object_of(&nodes[from])->edges[edge],
                           to < 0 ? NULL : object_of(&nodes[to]));
}

/* The root now has what one of its edges leads to, or nothing. */
static void do_move(struct input *input) {
    unsigned root = take(input) % ROOTS, edge = take(input) % (EDGES + 1);
    int from = root_nodes[root];
    int to = from < 0 || nodes[from].atomic || edge == EDGES ? -1 : nodes[from].edges[edge];
    root_nodes[root] = to;
    roots[root] = to < 0 ? NULL : object_of(&nodes[to]);
}

static bool is_plain(int number) {
    struct object *object = object_of(&nodes[number]);
    return GC_base(object) == object;
}

static void do_finalizer(struct input *input) {
    int number = rooted(input);
    unsigned how = take(input) % 4;
    if (number < 0 || nodes[number].uncollectable || !is_plain(number))
        return;
    struct object *object = object_of(&nodes[number]);
    void *data = (void *)(uintptr_t)nodes[number].number;
    GC_finalization_proc old;
    if (how == 0)
        GC_register_finalizer(object, NULL, NULL, &old, NULL);
    else if (how == 1)
        GC_register_finalizer_no_order(object, finalized, data, &old, NULL);
    else
        GC_register_finalizer_ignore_self(object, finalized, data, &old, NULL);
    REQUIRE(old == (nodes[number].finalizes ? finalized : NULL));
    nodes[number].finalizes = how != 0;
}

static void end_link(int number) {
    if (links[number].target < 0)
        return;
    if (links[number].is_long)
        GC_unregister_long_link(&link_words[number]);
    else
        GC_unregister_disappearing_link(&link_words[number]);
    link_words[number] = NULL;
    links[number].target = -1;
}

static void do_link(struct input *input) {
    int number = (int)(take(input) % LINKS), target = rooted(input);
    end_link(number);
    if (target < 0)
        return;
    struct object *object = object_of(&nodes[target]);
    void *base = GC_base(object);
    links[number] = (struct link){target, nodes[target].number, take(input) % 2};
    link_words[number] = (void *)GC_HIDE_POINTER(object);
    int result = links[number].is_long
                     ? GC_register_long_link(&link_words[number], base)
                     : GC_general_register_disappearing_link(&link_words[number], base);
    REQUIRE(result == GC_SUCCESS);
}

/* Nobody else may have it: all the edges and roots that lead there are cut first. */
static void do_free(struct input *input) {
    int number = rooted(input);
    if (number < 0 || !is_plain(number) || nodes[number].finalizes)
        return;
    check_all();
    for (int i = 0; i < LINKS; i++)
        if (links[i].target == number)
            end_link(i);
    for (int i = 0; i < NODES; i++)
        for (int edge = 0; edge < EDGES && nodes[i].reached; edge++)
            if (!nodes[i].atomic && nodes[i].edges[edge] == number) {
                nodes[i].edges[edge] = -1;
                object_of(&nodes[i])->edges[edge] = NULL;
            }
    for (int i = 0; i < ROOTS; i++)
        if (root_nodes[i] == number)
            roots[i] = NULL, root_nodes[i] = -1;
    GC_free(object_of(&nodes[number]));
    nodes[number] = (struct node){.hidden = 0};
}

/* Only one that nothing but its root leads to may move. */
static bool is_shared(int number, int root) {
    find_reached();
    for (int i = 0; i < ROOTS; i++)
        if (i != root && root_nodes[i] == number)
            return true;
    for (int i = 0; i < NODES; i++)
        for (int edge = 0; edge < EDGES && nodes[i].reached && !nodes[i].atomic; edge++)
            if (nodes[i].edges[edge] == number)
                return true;
    for (int i = 0; i < LINKS; i++)
        if (links[i].target == number)
            return true;
    return false;
}

static void do_resize(struct input *input) {
    int root = (int)(take(input) % ROOTS), number = root_nodes[root];
    size_t bytes = take_bytes(input);
    if (number < 0 || is_shared(number, root) || !is_plain(number) || nodes[number].finalizes)
        return;
    struct node *node = &nodes[number];
    require_whole(node);
    struct object *object = GC_realloc(object_of(node), bytes);
    REQUIRE(object != NULL && GC_size(object) >= bytes);
    size_t before = node->bytes;
    node->hidden = ~(uintptr_t)object;
    roots[root] = object;
    node->bytes = bytes < before ? bytes : before;
    require_whole(node);
    node->bytes = bytes;
    if (bytes > before)
        fill(node, before);
}

static void do_rest(struct input *input) {
    switch (take(input) % 8) {
    case 0:
        GC_gcollect();
        break;
    case 1:
        GC_invoke_finalizers();
        break;
    case 2:
        for (int i = 0; i < 300; i++) /* nobody has these */
            memset(GC_malloc(40 + i), 0x5a, 40);
        break;
    case 3:
        GC_collect_a_little();
        break;
    case 4:
        REQUIRE(GC_get_heap_size() >= GC_get_free_bytes());
        break;
    case 5:
        GC_gcollect_and_unmap();
        break;
    default:
        check_all();
    }
}

static void start(void) {
    GC_INIT();
    for (int i = 0; i < ROOTS; i++)
        root_nodes[i] = -1;
    for (int i = 0; i < LINKS; i++)
        links[i].target = -1;
}

/* What is left is dropped; objects that were never collected are freed. */
static void drop_all(void) {
    for (int i = 0; i < LINKS; i++)
        end_link(i);
    for (int i = 0; i < ROOTS; i++)
        roots[i] = NULL, root_nodes[i] = -1;
    for (int i = 0; i < NODES; i++)
        if (nodes[i].hidden && nodes[i].uncollectable) {
            GC_free(object_of(&nodes[i]));
            nodes[i] = (struct node){.hidden = 0};
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static void (*const calls[])(struct input *) = {do_make,      do_make, do_edge, do_move,
                                                    do_finalizer, do_link, do_free, do_resize,
                                                    do_rest,      do_edge};
    struct input input = {data, bytes};
    static bool started;
    if (!started)
        start();
    started = true;
    while (input.bytes > 0)
        calls[take(&input) % (sizeof calls / sizeof *calls)](&input);
    check_all();
    drop_all();
    return 0;
}
