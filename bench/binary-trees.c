/*
 * The binary trees of the benchmark game with GC_malloc: a tree one deeper than all others, one
 * that stays, and very many of all depths in steps of two, as many for each as make up for their
 * size. Threads share the trees of each depth. Nodes are two pointers; nothing is freed.
 *
 * Each tree is counted, and the sums are compared with what they have to be.
 */
#define GC_THREADS
#include <gc.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "arguments.h"
#include "check.h"
#include "clock.h"

enum { LEAST_DEPTH = 4, DEPTH_STEP = 2, THREADS_MOST = 64 };

static size_t depth = 18;
static size_t threads = 1;

struct node {
    struct node *left, *right;
};

static struct node *build(size_t tree_depth) {
    struct node *node = GC_malloc(sizeof *node);
    CHECK(node, "GC_malloc returns memory");
    if (tree_depth > 0) {
        node->left = build(tree_depth - 1);
        node->right = build(tree_depth - 1);
    }
    return node;
}

static size_t count(const struct node *node) {
    return node->left ? 1 + count(node->left) + count(node->right) : 1;
}

static size_t nodes_of_depth(size_t tree_depth) { return ((size_t)2 << tree_depth) - 1; }

static size_t trees_of_depth(size_t tree_depth) {
    return (size_t)1 << (depth - tree_depth + LEAST_DEPTH);
}

static size_t share_of(size_t trees, size_t thread) {
    return trees / threads + (thread < trees % threads);
}

/* Returns the number of nodes in this thread's share of all trees. */
static void *work(void *number) {
    size_t nodes = 0;
    for (size_t tree_depth = LEAST_DEPTH; tree_depth <= depth; tree_depth += DEPTH_STEP)
        for (size_t i = share_of(trees_of_depth(tree_depth), (size_t)number); i > 0; i--)
            nodes += count(build(tree_depth));
    return (void *)nodes;
}

static size_t work_in_threads(void) {
    pthread_t others[THREADS_MOST];
    size_t nodes = 0;
    for (size_t i = 1; i < threads; i++)
        CHECK(pthread_create(&others[i], NULL, work, (void *)i) == 0, "a thread starts");
    nodes += (size_t)work(NULL);
    for (size_t i = 1; i < threads; i++) {
        void *counted;
        CHECK(pthread_join(others[i], &counted) == 0, "a thread ends");
        nodes += (size_t)counted;
    }
    return nodes;
}

static size_t expected_nodes(void) {
    size_t nodes = 0;
    for (size_t tree_depth = LEAST_DEPTH; tree_depth <= depth; tree_depth += DEPTH_STEP)
        nodes += trees_of_depth(tree_depth) * nodes_of_depth(tree_depth);
    return nodes;
}

int main(int argc, char **argv) {
    const struct argument arguments[] = {
        {"depth", "of the deepest trees", &depth, LEAST_DEPTH, NULL},
        {"threads", "that build them", &threads, 1, NULL},
    };
    (void)argc;
    read_arguments(argv, arguments, ARGUMENT_COUNT(arguments));
    CHECK(depth <= 32, "the number of nodes can be computed");
    CHECK(threads <= THREADS_MOST, "there is room for the threads");
    GC_INIT();

    double start = seconds_now();
    CHECK(count(build(depth + 1)) == nodes_of_depth(depth + 1), "the deepest tree is whole");
    struct node *lasting = build(depth);
    CHECK(work_in_threads() == expected_nodes(), "every tree is whole");
    CHECK(count(lasting) == nodes_of_depth(depth), "the tree that stays is whole");
    printf("binary-trees: %.2f s, %lu collections\n", seconds_now() - start,
           (unsigned long)GC_get_gc_no());
    return 0;
}
