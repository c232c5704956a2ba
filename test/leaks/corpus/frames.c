/* Cases that leave what they lose in frames right beneath main's, and in main's registers: nobody
 * wipes them before the process ends. Compiled without optimising. The same interface as main.c.
 */
#include "corpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
    struct node *left, *right, *parent;
    long values[2];
};

static struct node *grow(int depth, struct node *parent) {
    if (depth == 0)
        return NULL;
    struct node *node = malloc(sizeof *node);
    node->parent = parent;
    node->left = grow(depth - 1, node);
    node->right = grow(depth - 1, node);
    return node;
}

static void frame_tree(void) { grow(8, NULL); }

static void frame_one(void) {
    char *block = malloc(200);
    strcpy(block, "left behind");
}

static void frame_many(void) {
    char *blocks[8];
    for (int i = 0; i < 8; i++)
        blocks[i] = malloc(201);
    blocks[7][0] = 'x';
}

static void frame_table(void) {
    char **table = malloc(100 * sizeof *table);
    for (int i = 0; i < 100; i++)
        table[i] = malloc(8);
}

static void frame_ring(void) {
    struct node *first = calloc(1, sizeof *first), *last = first;
    for (int i = 0; i < 50; i++) {
        last->right = calloc(1, sizeof *last);
        last->right->left = last;
        last = last->right;
    }
    last->right = first;
}

static void frame_resized(void) {
    char *text = NULL;
    for (int i = 1; i <= 300; i++) {
        text = realloc(text, i * 10);
        text[i * 10 - 1] = 'x';
    }
}

static char *made(int number) {
    char *text = malloc(32);
    sprintf(text, "%d", number);
    return text;
}

static void frame_argument(void) {
    for (int i = 0; i < 20; i++)
        CORPUS_USE(made(i));
}

/* What the numbers say, as distances from their block, is where a neighbour begins. */
static void frame_numbers(void) {
    enum { BLOCKS = 300, BYTES = 48 };
    static struct { long number[BYTES / sizeof(long)]; } *volatile kept[BLOCKS];
    for (long i = 0; i < BLOCKS; i++) {
        kept[i] = malloc(BYTES);
        for (size_t k = 0; k < BYTES / sizeof(long); k++)
            kept[i]->number[k] = (i + (long)k) * BYTES;
    }
    for (int i = 0; i < BLOCKS; i += 3)
        kept[i] = NULL;
}

static const struct leak_case cases[] = {
    {"frame_tree", 255, 255 * sizeof(struct node), frame_tree, 0},
    {"frame_one", 1, 200, frame_one, 0},
    {"frame_many", 8, 8 * 201, frame_many, 0},
    {"frame_table", 101, 100 * sizeof(char *) + 100 * 8, frame_table, 0},
    {"frame_ring", 51, 51 * sizeof(struct node), frame_ring, 0},
    {"frame_resized", 1, 3000, frame_resized, 0},
    {"frame_argument", 20, 20 * 32, frame_argument, 0},
    {"frame_numbers", 100, 100 * 48, frame_numbers, 0},
    {NULL, 0, 0, NULL, 0},
};

static int list(void) {
    for (const struct leak_case *one = cases; one->name; one++)
        printf("%s %ld %ld process\n", one->name, one->blocks, one->bytes);
    return 0;
}

static void (*find(const char *name))(void) {
    for (const struct leak_case *one = cases; one->name; one++)
        if (strcmp(one->name, name) == 0)
            return one->run;
    return NULL;
}

int main(int count, char **arguments) {
    void (*run)(void) = count == 2 ? find(arguments[1]) : NULL;
    if (run == NULL)
        return list();
    run();
    return 0;
}
