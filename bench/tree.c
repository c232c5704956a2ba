/*
 * Binary trees: one that stays for the whole run, and beside it very many of all heights that are
 * built, counted and freed again node by node; with --leak they are dropped without being freed,
 * which only a collector can serve in bounded memory.
 *
 * Every node of every tree is visited, its height checked, and the count compared with 2^n - 1.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "arguments.h"
#include "check.h"
#include "clock.h"

static size_t depth = 20;
static bool leak;

/* The lowest of the short-lived trees; below it the loops around them would weigh too much. */
#define LEAST_DEPTH 4

struct node {
    struct node *left;
    struct node *right;
    size_t height;
};

static struct node *build(size_t height) {
    struct node *node = malloc(sizeof(*node));
    CHECK(node, "malloc returns memory");
    node->height = height;
    node->left = height > 1 ? build(height - 1) : NULL;
    node->right = height > 1 ? build(height - 1) : NULL;
    return node;
}

static size_t count(const struct node *node, size_t height) {
    if (!node)
        return 0;
    CHECK(node->height == height, "a node keeps its height");
    return 1 + count(node->left, height - 1) + count(node->right, height - 1);
}

static void release(struct node *node) {
    if (!node)
        return;
    release(node->left);
    release(node->right);
    free(node);
}

static size_t nodes_of_height(size_t height) { return ((size_t)1 << height) - 1; }

static void check_count(const struct node *tree, size_t height) {
    CHECK(count(tree, height) == nodes_of_height(height), "a tree keeps all its nodes");
}

/* Halves the number of trees for each level they are higher, so that all heights weigh the same. */
static size_t trees_of_height(size_t height) { return (size_t)1 << (depth - height + LEAST_DEPTH); }

/* Returns the number of nodes built. */
static size_t build_trees(size_t height) {
    for (size_t i = 0; i < trees_of_height(height); i++) {
        struct node *tree = build(height);
        check_count(tree, height);
        if (!leak)
            release(tree);
    }
    return trees_of_height(height) * nodes_of_height(height);
}

int main(int argc, char **argv) {
    const struct argument arguments[] = {
        {"depth", "height of the highest tree", &depth, LEAST_DEPTH, NULL},
        {"leak", "drop the trees without freeing them", NULL, 0, &leak},
    };
    (void)argc;
    read_arguments(argv, arguments, ARGUMENT_COUNT(arguments));
    CHECK(depth <= 40, "the number of nodes can be computed");

    double start = seconds_now();
    struct node *lasting = build(depth);
    size_t nodes = nodes_of_height(depth);
    for (size_t height = LEAST_DEPTH; height <= depth; height += 2)
        nodes += build_trees(height);
    check_count(lasting, depth);
    release(lasting);
    double seconds = seconds_now() - start;

    printf("tree: %.2f million nodes/s (%s, %.2f s)\n", (double)nodes / seconds * 1e-6,
           leak ? "leaked" : "freed", seconds);
    return 0;
}
