/* What is lost by plain calls: single blocks, lists, trees, rings, strings. */
#include "corpus.h"

#include <dirent.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
    struct node *next, *other;
};

static void direct(void) { CORPUS_USE(malloc(100)); }

static void many(void) {
    for (int i = 0; i < 1000; i++)
        CORPUS_USE(malloc(32));
}

static void sizes(void) {
    for (int i = 1; i <= 64; i++)
        CORPUS_USE(malloc(i * 16 - 3));
}

static void cleared(void) { CORPUS_USE(calloc(10, 20)); }
static void nothing(void) { CORPUS_USE(malloc(0)); }

static void large(void) { CORPUS_USE(malloc(10 << 20)); }

static void large_many(void) {
    for (int i = 0; i < 100; i++)
        CORPUS_USE(malloc(1 << 20));
}

static void grown(void) {
    char *text = malloc(10);
    for (size_t bytes = 20; bytes <= 5000; bytes += 10)
        text = realloc(text, bytes);
    CORPUS_USE(text);
}

static void shrunk(void) { CORPUS_USE(realloc(malloc(1000), 10)); }

static void large_grown(void) { CORPUS_USE(realloc(malloc(1 << 20), 8 << 20)); }

static struct node *make_list(int length) {
    struct node *list = NULL;
    while (length-- > 0) {
        struct node *node = calloc(1, sizeof *node);
        node->next = list;
        list = node;
    }
    CORPUS_USE(list);
    return list;
}

static void list(void) { make_list(10); }
static void long_list(void) { make_list(100000); }

static struct node *make_tree(int depth) {
    struct node *tree = calloc(1, sizeof *tree);
    if (depth > 1) {
        tree->next = make_tree(depth - 1);
        tree->other = make_tree(depth - 1);
    }
    CORPUS_USE(tree);
    return tree;
}

static void tree(void) { make_tree(8); }

static void pair(void) {
    struct node *one = calloc(1, 64), *two = calloc(1, 64);
    one->next = two;
    two->next = one;
    CORPUS_USE(one);
}

static void ring(void) {
    struct node *first = make_list(100), *last = first;
    while (last->next)
        last = last->next;
    last->next = first;
    CORPUS_USE(last);
}

static void itself(void) {
    struct node *node = calloc(1, 48);
    node->next = node;
    CORPUS_USE(node);
}

static void ring_with_tail(void) {
    struct node *first = calloc(1, sizeof *first), *second = calloc(1, sizeof *second);
    first->next = second;
    second->next = first;
    second->other = make_list(5);
    CORPUS_USE(first);
}

static void inside_only(void) {
    struct node *owner = calloc(1, sizeof *owner);
    char *text = malloc(300);
    owner->next = (struct node *)(text + 100);
    CORPUS_USE(owner);
}

/* All that PHP keeps of a header which nothing follows. */
static void end_alive(void) {
    char *text = malloc(64);
    corpus_kept[0] = text + 64;
    CORPUS_USE(text);
}

static void overwritten(void) {
    corpus_kept[0] = malloc(50);
    corpus_kept[0] = malloc(60);
}

static void forgotten_tail(void) {
    struct node *list = make_list(10);
    free(list);
}

static void forgotten_entries(void) {
    void **table = calloc(20, sizeof *table);
    for (int i = 0; i < 20; i++)
        table[i] = malloc(24);
    CORPUS_USE(table);
    free(table);
}

static void string(void) { CORPUS_USE(strdup("twelve bytes")); }
static void part_of_string(void) { CORPUS_USE(strndup("twelve bytes", 6)); }

static void printed(void) {
    char *text = NULL;
    if (asprintf(&text, "%d and %d", 1000, 2000) > 0)
        CORPUS_USE(text);
}

static void line(void) {
    char *text = NULL;
    size_t room = 0;
    FILE *file = fopen("/proc/self/comm", "r");
    if (getline(&text, &room, file) > 0)
        CORPUS_USE(text);
    fclose(file);
}

static void directory(void) { CORPUS_USE(opendir("/")); }
static void path(void) { CORPUS_USE(realpath("/", NULL)); }
static void aligned(void) { CORPUS_USE(memalign(64, 1000)); }
static void page(void) { CORPUS_USE(valloc(100)); }
static void c_aligned(void) { CORPUS_USE(aligned_alloc(32, 96)); }
static void array(void) { CORPUS_USE(reallocarray(NULL, 7, 11)); }

static void posix_aligned(void) {
    void *block = NULL;
    if (posix_memalign(&block, 4096, 5000) == 0)
        CORPUS_USE(block);
}

static void memory_file(void) {
    char *text;
    size_t bytes;
    FILE *file = open_memstream(&text, &bytes);
    fputs("lost", file);
    fclose(file);
    CORPUS_USE(text);
}

static void next_to_freed(void) {
    void *blocks[100];
    for (int i = 0; i < 100; i++)
        blocks[i] = malloc(40);
    for (int i = 0; i < 100; i += 2)
        free(blocks[i]);
    CORPUS_USE(blocks);
}

const struct leak_case blocks_cases[] = {
    {"direct", 1, 100, direct, 0},
    {"many", 1000, 32000, many, 0},
    {"sizes", 64, 16 * 64 * 65 / 2 - 3 * 64, sizes, 0},
    {"cleared", 1, 200, cleared, 0},
    {"nothing", 1, 0, nothing, 0},
    {"large", 1, 10 << 20, large, 0},
    {"large_many", 100, 100 << 20, large_many, 0},
    {"grown", 1, 5000, grown, 0},
    {"shrunk", 1, 10, shrunk, 0},
    {"large_grown", 1, 8 << 20, large_grown, 0},
    {"list", 10, 160, list, 0},
    {"long_list", 100000, 1600000, long_list, 0},
    {"tree", 255, 255 * 16, tree, 0},
    {"pair", 2, 128, pair, 0},
    {"ring", 100, 1600, ring, 0},
    {"itself", 1, 48, itself, 0},
    {"ring_with_tail", 7, 112, ring_with_tail, 0},
    {"inside_only", 2, 316, inside_only, 0},
    {"end_alive", 0, 0, end_alive, 0},
    {"overwritten", 1, 50, overwritten, 0},
    {"forgotten_tail", 9, 144, forgotten_tail, 0},
    {"forgotten_entries", 20, 480, forgotten_entries, 0},
    {"string", 1, 13, string, 0},
    {"part_of_string", 1, 7, part_of_string, 0},
    {"printed", 1, 14, printed, 0},
    {"line", 1, 120, line, 0},
    {"directory", 1, 32816, directory, 0},
    {"path", 1, 2, path, 0},
    {"aligned", 1, 1000, aligned, 0},
    {"page", 1, 100, page, 0},
    {"c_aligned", 1, 96, c_aligned, 0},
    {"array", 1, 77, array, 0},
    {"posix_aligned", 1, 5000, posix_aligned, 0},
    {"memory_file", 1, 5, memory_file, 0},
    {"next_to_freed", 50, 2000, next_to_freed, 0},
    {NULL, 0, 0, NULL, 0},
};
