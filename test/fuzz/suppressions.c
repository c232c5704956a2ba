/* Fuzzing of suppression files, LeakSanitizer's and valgrind's, applied to a report that has
 * something for each kind of line to match. */
#include "contents.h"

#include "report/groups.h"
#include "report/suppressions.h"

enum { FRAMES = 12, GROUPS = 2 };

static struct groups *some_groups(void) {
    static struct check_module modules[] = {{.path = "/usr/bin/program"},
                                            {.path = "/lib/x86_64-linux-gnu/libc.so.6"}};
    static const char *const functions[] = {"malloc", "tree::insert(int)", "main", NULL};
    static const char *const symbols[] = {"malloc", "_ZN4tree6insertEi", "main", NULL};
    static struct group list[GROUPS];
    static struct groups groups = {.groups = list, .count = GROUPS};
    for (unsigned i = 0; i < GROUPS; i++) {
        struct symbol_frame *frames = malloc(FRAMES * sizeof *frames);
        if (frames == NULL)
            abort();
        for (unsigned k = 0; k < FRAMES; k++)
            frames[k] = (struct symbol_frame){.function = functions[k % 4],
                                              .symbol = symbols[k % 4],
                                              .file = k % 3 ? "tree.cc" : NULL,
                                              .module = k % 5 ? &modules[k % 2] : NULL};
        list[i] = (struct group){.kind = i ? GROUP_LIVE : GROUP_LOST,
                                 .id = 0x12ab34cd,
                                 .frames = frames,
                                 .frame_count = FRAMES,
                                 .first = 3};
    }
    return &groups;
}

static void count(const char *name, void *counted) {
    if (name == NULL)
        abort();
    ++*(size_t *)counted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    struct contents file = contents_make(data, bytes);
    struct suppressions *suppressions = suppressions_make();
    size_t unused = 0;
    suppressions_read(suppressions, file.path);
    contents_end(file);
    struct groups *groups = some_groups();
    suppressions_apply(suppressions, groups);
    for (unsigned i = 0; i < GROUPS; i++)
        group_forget_frames(&groups->groups[i]);
    suppressions_each_unused(suppressions, count, &unused);
    suppressions_free(suppressions);
    return 0;
}
