/* Loses memory for ever: linked structures, trees and rings built and dropped, of many sizes.
 *
 * Arguments: GiB to lose in all. Without a collector the process grows by just that; under it, it
 * stays small, and what is kept beside the garbage must stay intact.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct node {
    struct node *left, *right;
    size_t bytes;
    uint64_t check;
};

static uint64_t random_state = 0x2545f4914f6cdd1du;
static size_t lost;

static uint64_t random_next(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint64_t check_of(const struct node *node) {
    return (uint64_t)(uintptr_t)node * 0x9e3779b97f4a7c15u ^ node->bytes;
}

static struct node *node_make(struct node *left, struct node *right) {
    size_t bytes = sizeof(struct node) + random_next() % 200;
    if (random_next() % 1000 == 0)
        bytes += random_next() % 200000;
    struct node *node = malloc(bytes);
    if (node == NULL) {
        fputs("leaker: out of memory\n", stderr);
        exit(1);
    }
    *node = (struct node){left, right, bytes, 0};
    node->check = check_of(node);
    lost += bytes;
    return node;
}

static struct node *tree_make(int depth) {
    return depth == 0 ? NULL : node_make(tree_make(depth - 1), tree_make(depth - 1));
}

/* A doubly linked ring: every node is reachable from every other, and none from outside. */
static struct node *ring_make(int count) {
    struct node *first = node_make(NULL, NULL), *last = first;
    for (int i = 1; i < count; i++) {
        struct node *node = node_make(last, NULL);
        last->right = node;
        last = node;
    }
    last->right = first;
    first->left = last;
    return first;
}

static void tree_check(const struct node *node) {
    if (node == NULL)
        return;
    if (node->check != check_of(node)) {
        fprintf(stderr, "leaker: node %p is damaged\n", (const void *)node);
        exit(1);
    }
    tree_check(node->left);
    tree_check(node->right);
}

int main(int count, char **arguments) {
    size_t goal = (size_t)(count > 1 ? atof(arguments[1]) * (1u << 30) : 1u << 30);
    enum { KEPT = 64 };
    struct node **kept = calloc(KEPT, sizeof *kept);
    for (unsigned round = 0; lost < goal; round++) {
        struct node *tree = tree_make(10);
        ring_make(1000);
        tree_check(kept[round % KEPT]);
        kept[round % KEPT] = tree;
    }
    for (int i = 0; i < KEPT; i++)
        tree_check(kept[i]);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("lost %zu MiB, most memory %ld MiB\n", lost >> 20, usage.ru_maxrss >> 10);
    return 0;
}
