/* Memory, filters; see limits.h. */
#include "os/limits.h"

#include "os/file.h"
#include "os/groups.h"
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

/* Not the files it maps, which the kernel can take back. */
static size_t resident_of_its_own(void) {
    char text[128];
    unsigned long all, resident, shared;
    if (!file_read("/proc/self/statm", text, sizeof text) ||
        sscanf(text, "%lu %lu %lu", &all, &resident, &shared) != 3)
        return 0;
    return (resident > shared ? resident - shared : 0) * vm_page_bytes();
}

static volatile AO_t limit = SIZE_MAX; /* whoever asked last */

size_t limits_memory(void) { return options.limit ? options.limit : AO_load(&limit); }

bool limits_memory_left(size_t *left) {
    struct groups_memory memory;
    if (options.limit) {
        size_t used = resident_of_its_own();
        *left = options.limit > used ? options.limit - used : 0;
        return used > 0;
    }
    if (!groups_ask(&memory))
        return false;
    AO_store(&limit, memory.limit);
    *left = memory.left;
    return true;
}
