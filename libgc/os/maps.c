/* /proc/self/maps, page residency and safe reading; see maps.h.
 *
 * The list of maps comes as text, which the kernel takes long to write: a quarter of a millisecond
 * for a hundred maps. Where it can be asked for one after the other (Linux 6.11) that takes a
 * fifth.
 *
 * Residency comes from PAGEMAP_SCAN (Linux 6.7), which skips empty page tables and so passes over a
 * terabyte of reserved memory in microseconds; else from /proc/self/pagemap; else from mincore(2),
 * which needs no /proc file (pagemap is closed to processes that made themselves undumpable).
 *
 * Reading is process_vm_readv on ourselves; where a seccomp filter is in force or the call is
 * missing, /proc/self/mem, because service filters commonly kill for the former and never for the
 * latter.
 */
#include "os/maps.h"

#include "os/descriptor.h"
#include "os/limits.h"
#include "os/pagemap.h"
#include "os/syscall.h"
#include "os/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

enum { READ_BYTES = 16384, LONGEST_NAME = 4096, LONGEST_LINE = LONGEST_NAME + 256 };

enum residency { RESIDENCY_SCAN, RESIDENCY_PAGEMAP, RESIDENCY_MINCORE };

static enum residency residency = RESIDENCY_SCAN;
static bool swapped_out; /* some pages are in swap, which mincore cannot tell from absent ones */
static struct descriptor list = DESCRIPTOR_CLOSED, memory = DESCRIPTOR_CLOSED;
static bool uses_memory_file;
static volatile bool refused; /* any thread sets it, once and for all */

const char *maps_method(void) {
    static const char *const names[] = {"pagemap_scan", "pagemap", "mincore"};
    return names[residency];
}

static bool has_swapped_pages(void) {
    char text[4096];
    long fd =
        system_call(SYS_openat, AT_FDCWD, "/proc/thread-self/status", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return true;
    long length = system_call(SYS_read, fd, text, sizeof text - 1);
    system_call(SYS_close, fd);
    text[length > 0 ? length : 0] = 0;
    const char *field = strstr(text, "VmSwap:");
    return field == NULL || strtoul(field + strlen("VmSwap:"), NULL, 10) != 0;
}

/* By the calling thread's id: the process's is unknown to the kernel once its first thread has
 * ended, as are the files in /proc that go by it. */
static size_t copy_by_call(void *to, uintptr_t from, size_t bytes) {
    struct iovec local = {to, bytes}, remote = {(void *)from, bytes};
    long got = system_call(SYS_process_vm_readv, system_call(SYS_gettid), &local, 1, &remote, 1, 0);
    if (got < 0 && got != -EFAULT)
        refused = true;
    return got < 0 ? 0 : (size_t)got;
}

static bool reads_itself(void) {
    char from = 1, to = 0;
    return copy_by_call(&to, (uintptr_t)&from, 1) == 1;
}

/* False when there is no way to read memory safely. */
static bool choose_reading(void) {
    static bool chosen;
    if (!chosen) {
        uses_memory_file = limits_filtered() || !reads_itself();
        refused = false;
        chosen = true;
    }
    return !uses_memory_file || descriptor_is_open(&memory) ||
           descriptor_open(&memory, "/proc/thread-self/mem");
}

static bool is_open(void) {
    return descriptor_is_open(&list) && (residency == RESIDENCY_MINCORE || pagemap_is_open()) &&
           (!uses_memory_file || descriptor_is_open(&memory));
}

bool maps_are_open(void) { return list.fd >= 0 && is_open(); }

static bool list_can_be_read(void) {
    char byte;
    return system_call(SYS_pread64, list.fd, &byte, 1, 0) == 1;
}

/* The list goes by the task it was opened for, and ends with that: the process's first one, which
 * stays in the kernel as long as the process, or the calling thread if the first has ended before.
 */
static bool open_list(void) {
    if (descriptor_open(&list, "/proc/self/maps") && list_can_be_read())
        return true;
    descriptor_close(&list);
    return descriptor_open(&list, "/proc/thread-self/maps");
}

bool maps_open(void) {
    if (maps_are_open() && list_can_be_read())
        return true;
    descriptor_close(&list);
    if (!choose_reading() || !open_list())
        return false;
    if (pagemap_open())
        residency = pagemap_can_scan() ? RESIDENCY_SCAN : RESIDENCY_PAGEMAP;
    else
        residency = RESIDENCY_MINCORE;
    return true;
}

void maps_after_fork(void) {
    descriptor_close(&list);
    descriptor_close(&memory);
    pagemap_after_fork();
}

bool maps_are_refused(void) { return refused && !uses_memory_file; }

bool maps_are_copied_by_file(void) { return uses_memory_file; }

static const char *parse_hex(const char *text, uintptr_t *value) {
    uintptr_t number = 0;
    for (;; text++) {
        char c = *text;
        if (c >= '0' && c <= '9')
            number = number << 4 | (uintptr_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            number = number << 4 | (uintptr_t)(c - 'a' + 10);
        else
            break;
    }
    *value = number;
    return text;
}

static bool starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_deleted(const char *path) {
    static const char suffix[] = " (deleted)";
    size_t length = strlen(path);
    return length >= sizeof suffix - 1 && strcmp(path + length - (sizeof suffix - 1), suffix) == 0;
}

static enum map_kind kind_of(const char *path) {
    if (path[0] == 0)
        return MAP_KIND_MEMORY;
    if (path[0] == '[') {
        if (strcmp(path, "[stack]") == 0)
            return MAP_KIND_MAIN_STACK;
        bool kernels = starts_with(path, "[v") || starts_with(path, "[uprobes");
        return kernels ? MAP_KIND_OTHER : MAP_KIND_MEMORY;
    }
    if (starts_with(path, "/dev/zero") || starts_with(path, "/dev/shm/") ||
        starts_with(path, "/memfd:") || starts_with(path, "/SYSV") ||
        starts_with(path, "anon_inode:[io_uring]"))
        return MAP_KIND_MEMORY;
    if (starts_with(path, "/dev/") || path[0] != '/')
        return MAP_KIND_OTHER;
    return is_deleted(path) ? MAP_KIND_MEMORY : MAP_KIND_FILE;
}

static bool is_cached(const struct map *map, const char *path) {
    return map->kind == MAP_KIND_MEMORY && (map->shared || path[0] == '/');
}

/* A line is "start-end rwxp offset device inode   path". */
static void parse_line(const char *line, struct map *map) {
    const char *at = parse_hex(line, &map->start);
    at = parse_hex(at + 1, &map->end) + 1;
    map->readable = at[0] == 'r';
    map->writable = at[1] == 'w';
    map->executable = at[2] == 'x';
    map->shared = at[3] == 's';
    for (int fields = 0; fields < 4 && *at; fields++) {
        while (*at && *at != ' ')
            at++;
        while (*at == ' ')
            at++;
    }
    map->kind = kind_of(at);
    map->cached = is_cached(map, at);
}

/* Cuts what was read into lines; returns how many bytes of an unfinished one are left, moved to the
 * front. */
static size_t visit_lines(char *buffer, size_t filled,
                          void (*visit)(const struct map *map, void *context), void *context) {
    char *line = buffer, *newline;
    while ((newline = memchr(line, '\n', buffer + filled - line)) != NULL) {
        struct map map;
        *newline = 0;
        parse_line(line, &map);
        visit(&map, context);
        line = newline + 1;
    }
    filled = buffer + filled - line;
    memmove(buffer, line, filled);
    return filled;
}

bool maps_each(void (*visit)(const struct map *map, void *context), void *context) {
    char buffer[READ_BYTES + LONGEST_LINE];
    size_t filled = 0;
    long got, at = 0;
    swapped_out = residency == RESIDENCY_MINCORE && has_swapped_pages();
    while ((got = system_call(SYS_pread64, list.fd, buffer + filled, READ_BYTES, at)) > 0 ||
           got == -EINTR) {
        if (got > 0) {
            at += got;
            filled = visit_lines(buffer, filled + got, visit, context);
        }
        if (filled > LONGEST_LINE)
            break;
    }
    return got == 0 && at > 0 && filled == 0 && descriptor_is_open(&list);
}

/* The request PROCMAP_QUERY of Linux 6.11, newer than Debian 12's headers; as linux/fs.h has it. */
struct map_query {
    uint64_t bytes, flags, address;
    uint64_t start, end, found_flags, page_bytes, offset, inode;
    uint32_t device_major, device_minor;
    uint32_t name_bytes, build_id_bytes;
    uint64_t name, build_id;
};

#define MAP_QUERY _IOWR('f', 17, struct map_query)

enum map_query_flag {
    MAP_QUERY_READABLE = 1,
    MAP_QUERY_WRITABLE = 2,
    MAP_QUERY_EXECUTABLE = 4,
    MAP_QUERY_SHARED = 8,
    MAP_QUERY_OR_NEXT = 16
};

/* The first writable map that ends behind an address: 1, 0 where there is none, else negative. */
static int query_writable(uintptr_t address, struct map *map) {
    char name[LONGEST_NAME];
    struct map_query query = {.bytes = sizeof query,
                              .flags = MAP_QUERY_WRITABLE | MAP_QUERY_OR_NEXT,
                              .address = address,
                              .name_bytes = sizeof name,
                              .name = (uintptr_t)name};
    long result = system_call(SYS_ioctl, list.fd, MAP_QUERY, &query);
    if (result != 0)
        return result == -ENOENT ? 0 : -1;
    if (query.name_bytes == 0)
        name[0] = 0;
    *map = (struct map){.start = query.start,
                        .end = query.end,
                        .kind = kind_of(name),
                        .readable = query.found_flags & MAP_QUERY_READABLE,
                        .writable = true,
                        .executable = query.found_flags & MAP_QUERY_EXECUTABLE,
                        .shared = query.found_flags & MAP_QUERY_SHARED};
    map->cached = is_cached(map, name);
    return 1;
}

bool maps_each_writable(void (*visit)(const struct map *map, void *context), void *context) {
    struct map map = {0};
    int found = query_writable(0, &map);
    if (found < 0)
        return maps_each(visit, context);
    for (; found > 0; found = query_writable(map.end, &map))
        visit(&map, context);
    return found == 0 && descriptor_is_open(&list);
}

struct visit {
    void (*call)(uintptr_t start, uintptr_t end, void *context);
    void *context;
};

/* False when the kernel does not answer for this range. */
static bool resident_by_scan(uintptr_t start, uintptr_t end, bool private_only, struct visit to) {
    unsigned unwanted = PAGEMAP_ZERO | (private_only ? PAGEMAP_FILE : 0);
    struct pagemap_query query = {.inverted = unwanted,
                                  .all = unwanted,
                                  .any = PAGEMAP_PRESENT | PAGEMAP_SWAPPED,
                                  .report = unwanted};
    return pagemap_scan(start, end, query, to.call, to.context);
}

/* Calls back for each run of pages whose flag is set; flag i stands for the page start + i. */
static void visit_flagged(const bool *flags, size_t count, uintptr_t start, struct visit to) {
    size_t page = vm_page_bytes();
    for (size_t i = 0, first; i < count; i++) {
        if (!flags[i])
            continue;
        for (first = i; i < count && flags[i];)
            i++;
        to.call(start + first * page, start + i * page, to.context);
    }
}

static bool pagemap_flags(uintptr_t start, size_t pages, bool private_only, bool *flags) {
    uint64_t entries[PAGEMAP_BATCH];
    if (!pagemap_entries(start, pages, entries))
        return false;
    for (size_t i = 0; i < pages; i++)
        flags[i] = (entries[i] & (PAGEMAP_ENTRY_PRESENT | PAGEMAP_ENTRY_SWAPPED)) &&
                   !(private_only && (entries[i] & PAGEMAP_ENTRY_FILE));
    return true;
}

static bool mincore_flags(uintptr_t start, size_t pages, bool *flags) {
    unsigned char states[PAGEMAP_BATCH];
    if (swapped_out || system_call(SYS_mincore, start, pages * vm_page_bytes(), states) != 0)
        return false;
    for (size_t i = 0; i < pages; i++)
        flags[i] = states[i] & 1;
    return true;
}

/* A batch that neither interface answers for is taken as resident: reading it is safe anyway. */
static void resident_by_flags(uintptr_t start, uintptr_t end, bool private_only, struct visit to) {
    size_t page = vm_page_bytes();
    while (start < end) {
        bool flags[PAGEMAP_BATCH];
        size_t pages = (end - start) / page < PAGEMAP_BATCH ? (end - start) / page : PAGEMAP_BATCH;
        if (!(residency != RESIDENCY_MINCORE && pagemap_flags(start, pages, private_only, flags)) &&
            !mincore_flags(start, pages, flags))
            memset(flags, true, sizeof flags);
        visit_flagged(flags, pages, start, to);
        start += pages * page;
    }
}

/* Asking for every page of a vast map takes too long; there, only the page table counts. */
#define MOST_CACHED ((uintptr_t)4 << 30)

/* mincore tells what the page cache holds, but not what of it is in swap; then all is taken. */
void maps_resident_cached(uintptr_t start, uintptr_t end,
                          void (*visit)(uintptr_t start, uintptr_t end, void *context),
                          void *context) {
    struct visit to = {visit, context};
    size_t page = vm_page_bytes();
    if (end - start > MOST_CACHED) {
        maps_resident(start, end, false, visit, context);
        return;
    }
    swapped_out = has_swapped_pages();
    start &= ~(page - 1);
    for (end = (end + page - 1) & ~(page - 1); start < end; start += PAGEMAP_BATCH * page) {
        bool flags[PAGEMAP_BATCH];
        size_t pages = (end - start) / page < PAGEMAP_BATCH ? (end - start) / page : PAGEMAP_BATCH;
        if (!mincore_flags(start, pages, flags))
            memset(flags, true, sizeof flags);
        visit_flagged(flags, pages, start, to);
    }
}

/* Where PAGEMAP_SCAN works and yet does not answer, as when the program has closed the file
 * meanwhile, everything is taken as resident; what has become of the file's number is never read.
 */
void maps_resident(uintptr_t start, uintptr_t end, bool private_only,
                   void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context) {
    struct visit to = {visit, context};
    size_t page = vm_page_bytes();
    start &= ~(page - 1);
    end = (end + page - 1) & ~(page - 1);
    if (residency == RESIDENCY_SCAN && !resident_by_scan(start, end, private_only, to))
        visit(start, end, context);
    else if (residency != RESIDENCY_SCAN)
        resident_by_flags(start, end, private_only, to);
}

size_t maps_read(void *to, uintptr_t from, size_t bytes) {
    if (!uses_memory_file)
        return copy_by_call(to, from, bytes);
    size_t done = 0;
    while (done < bytes) {
        long got =
            system_call(SYS_pread64, memory.fd, (char *)to + done, bytes - done, from + done);
        if (got <= 0)
            break;
        done += got;
    }
    return done;
}
