/* A sorted list of ids; see baseline.h. */
#include "report/baseline.h"

#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID_DIGITS = 8 };

static uint32_t *ids;
static size_t id_count;
static char *name; /* NULL: there is no baseline */

static void add(uint32_t id) {
    if ((id_count & (id_count - 1)) == 0)
        ids = realloc(ids, (id_count ? 2 * id_count : 1) * sizeof *ids);
    if (ids == NULL)
        abort();
    ids[id_count++] = id;
}

static int compare(const void *one, const void *two) {
    uint32_t first = *(const uint32_t *)one, second = *(const uint32_t *)two;
    return (first > second) - (first < second);
}

/* All ids behind a mark in the text, which has no zeros but its end. */
static void add_all(const char *text, const char *mark) {
    for (size_t length = strlen(mark); (text = strstr(text, mark));) {
        text += length;
        if (strspn(text, "0123456789abcdef") == ID_DIGITS)
            add(strtoul(text, NULL, 16));
    }
}

static char *read_whole(const char *path) {
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;
    if (file == NULL || (getdelim(&text, &room, 0, file) < 0 && ferror(file)))
        refuse(EXIT_REFUSED, "%s: %s", path, strerror(errno));
    fclose(file);
    return text;
}

void baseline_read(const char *path) {
    char *text = read_whole(path);
    if (text == NULL || (strstr(text, "LEAKS  ") == NULL && strstr(text, "\"groups\":") == NULL))
        refuse(EXIT_REFUSED, "%s: no report of leaks; --format=json --output=FILE makes one", path);
    add_all(text, "\"id\":\"");
    add_all(text, "  id ");
    free(text);
    if (asprintf(&name, "the baseline %s", path) < 0)
        abort();
    if (id_count > 0)
        qsort(ids, id_count, sizeof *ids, compare);
}

void baseline_apply(struct groups *groups) {
    for (size_t i = 0; i < groups->count && id_count > 0; i++) {
        struct group *group = &groups->groups[i];
        if (group->kind != GROUP_LOST || group->suppressed_by)
            continue;
        group_visit_names(group, groups->check);
        if (bsearch(&group->id, ids, id_count, sizeof *ids, compare))
            group->suppressed_by = name;
    }
}
