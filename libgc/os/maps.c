/* /proc/self/maps; see maps.h.
 *
 * The list of maps comes as text, which the kernel takes long to write: a quarter of a millisecond
 * for a hundred maps. Where it can be asked for one after the other (Linux 6.11) that takes a
 * fifth.
 */
#include "os/maps.h"

#include "os/descriptor.h"
#include "os/memory.h"
#include "os/resident.h"
#include "os/syscall.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

enum {
    READ_BYTES = 16384,
    MOST_TRIES = 100,
    LONGEST_NAME = 4096,
    LONGEST_LINE = LONGEST_NAME + 256
};

static struct descriptor list = DESCRIPTOR_CLOSED;

bool maps_are_open(void) {
    return list.fd >= 0 && descriptor_is_open(&list) && resident_is_open() && memory_is_open();
}

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
    if (!memory_open() || !open_list())
        return false;
    resident_open();
    return true;
}

void maps_after_fork(void) {
    descriptor_close(&list);
    memory_after_fork();
    resident_after_fork();
}

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

static const char *parse_decimal(const char *text, uint64_t *value) {
    while (*text == ' ')
        text++;
    for (*value = 0; *text >= '0' && *text <= '9'; text++)
        *value = *value * 10 + (uint64_t)(*text - '0');
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

static enum map_requests requests_of(const char *path) {
    if (starts_with(path, "anon_inode:[io_uring]"))
        return MAP_RING;
    return starts_with(path, "/[aio]") ? MAP_AIO : MAP_NO_REQUESTS;
}

static bool is_cached(const struct map *map, const char *path) {
    return map->kind == MAP_KIND_MEMORY && (map->shared || path[0] == '/');
}

/* The kind and what else the name tells. */
static void name_map(struct map *map, const char *path) {
    map->kind = kind_of(path);
    map->requests = requests_of(path);
    map->cached = is_cached(map, path);
    map->secret = starts_with(path, "/secretmem");
}

/* A line is "start-end rwxp offset device inode   path". */
static void parse_line(const char *line, struct map *map) {
    uintptr_t offset;
    const char *at = parse_hex(line, &map->start);
    at = parse_hex(at + 1, &map->end) + 1;
    map->readable = at[0] == 'r';
    map->writable = at[1] == 'w';
    map->executable = at[2] == 'x';
    map->shared = at[3] == 's';
    at = parse_hex(at + sizeof "rwxp", &offset);
    at = parse_decimal(strchr(at + 1, ' '), &map->inode);
    while (*at == ' ')
        at++;
    map->offset = offset;
    name_map(map, at);
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

/* A call that a signal broke is made again; whoever reads has all signals masked, so not often. */
static long read_list(char *to, long at) {
    long got = -EINTR;
    for (int tries = 0; got == -EINTR && tries < MOST_TRIES; tries++)
        got = system_call(SYS_pread64, list.fd, to, READ_BYTES, at);
    return got;
}

bool maps_each(void (*visit)(const struct map *map, void *context), void *context) {
    char buffer[READ_BYTES + LONGEST_LINE];
    size_t filled = 0;
    long got, at = 0;
    resident_begin();
    while ((got = read_list(buffer + filled, at)) > 0) {
        at += got;
        filled = visit_lines(buffer, filled + got, visit, context);
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
    MAP_QUERY_OR_NEXT = 16,
    MAP_QUERY_WITH_FILE = 32
};

/* The first map of a sort that ends behind an address: 1, 0 where there is none, else negative. */
static int query_next(uintptr_t address, unsigned sort, struct map *map) {
    char name[LONGEST_NAME];
    struct map_query query = {.bytes = sizeof query,
                              .flags = sort | MAP_QUERY_OR_NEXT,
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
                        .offset = query.offset,
                        .inode = query.inode,
                        .readable = query.found_flags & MAP_QUERY_READABLE,
                        .writable = query.found_flags & MAP_QUERY_WRITABLE,
                        .executable = query.found_flags & MAP_QUERY_EXECUTABLE,
                        .shared = query.found_flags & MAP_QUERY_SHARED};
    name_map(map, name);
    return 1;
}

bool maps_each_writable(void (*visit)(const struct map *map, void *context), void *context) {
    struct map map = {0};
    int found = query_next(0, MAP_QUERY_WRITABLE, &map);
    if (found < 0)
        return maps_each(visit, context);
    for (; found > 0; found = query_next(map.end, MAP_QUERY_WRITABLE, &map))
        visit(&map, context);
    return found == 0 && descriptor_is_open(&list);
}

bool maps_each_between(uintptr_t start, uintptr_t end,
                       void (*visit)(const struct map *map, void *context), void *context) {
    struct map map = {.end = start};
    int found = 1;
    while (map.end < end && (found = query_next(map.end, 0, &map)) > 0 && map.start < end)
        visit(&map, context);
    return found >= 0 && descriptor_is_open(&list);
}

bool maps_next(uintptr_t address, enum maps_sort sort, struct map *map) {
    int found = query_next(
        address, sort == MAPS_WITH_FILE ? MAP_QUERY_WITH_FILE : MAP_QUERY_EXECUTABLE, map);
    if (found == 0)
        map->start = map->end = UINTPTR_MAX;
    return found >= 0 && descriptor_is_open(&list);
}

bool maps_can_be_asked(void) {
    struct map map;
    return query_next(0, 0, &map) >= 0;
}
