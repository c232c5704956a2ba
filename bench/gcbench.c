/*
 * GCBench, the workload that collectors have been compared by since the nineties, written anew for
 * GC_malloc: a tree that is stretched out once and dropped, a tree and an array of numbers that
 * stay, and beside them trees of growing depth that live for a moment, half of them built from the
 * root down, so that old nodes come to lead to young ones, and half from the leaves up.
 *
 * The trees that stay, and their numbers, are checked at the end; every short-lived tree is
 * counted.
 */
#define GC_THREADS
#include <gc.h>
#include <stddef.h>
#include <stdio.h>

#include "arguments.h"
#include "check.h"
#include "clock.h"

enum { LEAST_DEPTH = 4, DEPTH_STEP = 2, STRETCH = 2 };

static size_t depth = 16;
static size_t numbers = 500000;
static size_t repeat = 4;

struct node {
    struct node *left, *right;
    int first, second; /* as in the original: data that is no pointer */
};

static size_t nodes_of_depth(size_t tree_depth) { return ((size_t)2 << tree_depth) - 1; }

static struct node *node_make(struct node *left, struct node *right) {
    struct node *node = GC_malloc(sizeof *node);
    CHECK(node, "GC_malloc returns memory");
    CHECK(!node->left && !node->right && !node->first && !node->second, "and it is clear");
    node->left = left;
    node->right = right;
    return node;
}

static void grow_down(struct node *node, size_t tree_depth) {
    if (tree_depth == 0)
        return;
    node->left = node_make(NULL, NULL);
    node->right = node_make(NULL, NULL);
    grow_down(node->left, tree_depth - 1);
    grow_down(node->right, tree_depth - 1);
}

static struct node *grow_up(size_t tree_depth) {
    if (tree_depth == 0)
        return node_make(NULL, NULL);
    struct node *left = grow_up(tree_depth - 1);
    return node_make(left, grow_up(tree_depth - 1));
}

static size_t count(const struct node *node) {
    return node ? 1 + count(node->left) + count(node->right) : 0;
}

static void check_tree(const struct node *tree, size_t tree_depth) {
    CHECK(count(tree) == nodes_of_depth(tree_depth), "a tree keeps all its nodes");
}

/* As many trees as hold twice the nodes of the stretched one, whatever their depth. */
static void make_short_lived(size_t tree_depth) {
    size_t trees = 2 * nodes_of_depth(depth + STRETCH) / nodes_of_depth(tree_depth);
    for (size_t i = 0; i < trees; i++) {
        struct node *tree = node_make(NULL, NULL);
        grow_down(tree, tree_depth);
        check_tree(tree, tree_depth);
    }
    for (size_t i = 0; i < trees; i++)
        check_tree(grow_up(tree_depth), tree_depth);
}

static double *make_numbers(void) {
    double *array = GC_malloc_atomic(numbers * sizeof *array);
    CHECK(array, "GC_malloc_atomic returns memory");
    for (size_t i = 0; i < numbers; i++)
        array[i] = 1.0 / (double)(i + 1);
    return array;
}

static void check_numbers(const double *array) {
    for (size_t i = 0; i < numbers; i++)
        CHECK(array[i] == 1.0 / (double)(i + 1), "the array keeps its numbers");
}

static void run(void) {
    check_tree(grow_up(depth + STRETCH), depth + STRETCH);
    struct node *lasting = node_make(NULL, NULL);
    grow_down(lasting, depth);
    double *array = make_numbers();
    for (size_t tree_depth = LEAST_DEPTH; tree_depth <= depth; tree_depth += DEPTH_STEP)
        make_short_lived(tree_depth);
    check_tree(lasting, depth);
    check_numbers(array);
}

int main(int argc, char **argv) {
    const struct argument arguments[] = {
        {"depth", "of the tree that stays", &depth, LEAST_DEPTH, NULL},
        {"numbers", "in the array that stays", &numbers, 1, NULL},
        {"repeat", "the whole so many times", &repeat, 1, NULL},
    };
    (void)argc;
    read_arguments(argv, arguments, ARGUMENT_COUNT(arguments));
    CHECK(depth <= 32, "the number of nodes can be computed");
    GC_INIT();

    double start = seconds_now();
    for (size_t i = 0; i < repeat; i++)
        run();
    printf("gcbench: %.2f s, %lu collections\n", seconds_now() - start,
           (unsigned long)GC_get_gc_no());
    return 0;
}
