/* A heap sort: qsort may allocate, and so may any that merges; see sorting.h. */
#include "roots/sorting.h"

#include <string.h>

struct list {
    char *first;
    size_t bytes;
    bool (*comes_before)(const void *one, const void *other);
};

static char *at(const struct list *list, size_t index) { return list->first + index * list->bytes; }

static bool is_before(const struct list *list, size_t one, size_t other) {
    return list->comes_before(at(list, one), at(list, other));
}

static void swap(const struct list *list, size_t one, size_t other) {
    char held[SORTING_LARGEST];
    memcpy(held, at(list, one), list->bytes);
    memcpy(at(list, one), at(list, other), list->bytes);
    memcpy(at(list, other), held, list->bytes);
}

/* Of the heap's first count elements only the one at an index may come before one of its two
 * children; then none does. */
static void sift(const struct list *list, size_t index, size_t count) {
    for (size_t child; (child = 2 * index + 1) < count; index = child) {
        if (child + 1 < count && is_before(list, child, child + 1))
            child++;
        if (!is_before(list, index, child))
            return;
        swap(list, index, child);
    }
}

static bool is_in_order(const struct list *list, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (is_before(list, i, i - 1))
            return false;
    return true;
}

void sort_in_place(void *first, size_t count, size_t bytes,
                   bool (*comes_before)(const void *one, const void *other)) {
    struct list list = {first, bytes, comes_before};
    if (is_in_order(&list, count))
        return;
    for (size_t i = count / 2; i-- > 0;)
        sift(&list, i, count);
    for (size_t left = count; left-- > 1;) {
        swap(&list, 0, left);
        sift(&list, 0, left);
    }
}
