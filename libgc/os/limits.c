/* Control groups, filters; see limits.h. */
#include "os/limits.h"

#include "os/file.h"
#include "os/options.h"
#include "os/syscall.h"
#include "os/vm.h"

#include <atomic_ops.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

bool limits_filtered(void) { return system_call(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0) != 0; }

size_t limits_resident(void) {
    char text[128];
    unsigned long all, resident;
    if (!file_read("/proc/self/statm", text, sizeof text) ||
        sscanf(text, "%lu %lu", &all, &resident) != 2)
        return 0;
    return resident * vm_page_bytes();
}

bool limits_huge_pages(void) {
    char text[128];
    return file_read("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text) &&
           strstr(text, "[never]") == NULL;
}

/* "max" and what is not a number are no limit. */
static size_t file_limit(const char *path) {
    char text[64];
    size_t bytes = 0;
    if (!file_read(path, text, sizeof text) || text[0] < '0' || text[0] > '9')
        return SIZE_MAX;
    for (const char *at = text; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(bytes, 10, &bytes) ||
            __builtin_add_overflow(bytes, (size_t)(*at - '0'), &bytes))
            return SIZE_MAX;
    return bytes;
}

/* The least limit of a group and of all it lies in. */
static size_t group_limit(const char *mount, const char *group, const char *const files[2]) {
    char path[512], part[384];
    size_t least = SIZE_MAX;
    snprintf(part, sizeof part, "%s", group);
    for (;;) {
        for (int i = 0; i < 2 && files[i]; i++) {
            snprintf(path, sizeof path, "%s%s/%s", mount, part, files[i]);
            size_t limit = file_limit(path);
            least = limit < least ? limit : least;
        }
        char *slash = strrchr(part, '/');
        if (slash == NULL)
            return least;
        *slash = 0;
    }
}

/* A line is "number:controllers:group"; that of version 2 has no controllers. */
static size_t line_limit(char *line) {
    static const char *const second[] = {"memory.max", "memory.high"};
    static const char *const first[] = {"memory.limit_in_bytes", NULL};
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL)
        return SIZE_MAX;
    *group++ = 0;
    if (controllers[1] == 0)
        return group_limit("/sys/fs/cgroup", group, second);
    if (strstr(controllers, "memory"))
        return group_limit("/sys/fs/cgroup/memory", group, first);
    return SIZE_MAX;
}

static size_t groups_limit(void) {
    char text[4096];
    size_t least = SIZE_MAX;
    if (!file_read("/proc/self/cgroup", text, sizeof text))
        return SIZE_MAX;
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = 0;
        size_t limit = line_limit(line);
        least = limit < least ? limit : least;
    }
    return least;
}

size_t limits_memory(void) {
    static volatile AO_t known;
    size_t bytes = AO_load(&known);
    if (bytes)
        return bytes;
    bytes = options.limit ? options.limit : groups_limit();
    AO_store(&known, bytes ? bytes : SIZE_MAX);
    return bytes ? bytes : SIZE_MAX;
}
