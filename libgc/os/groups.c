/* Reading control groups; see groups.h. */
#include "os/groups.h"

#include "os/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

const char *groups_mount = "/sys/fs/cgroup", *groups_of_process = "/proc/self/cgroup";

/* Version 1 says "no limit" by a number close to this. */
static const size_t no_limit = (size_t)1 << 60;

enum { PATH_ROOM = 640, GROUP_ROOM = 512, LINE_ROOM = GROUP_ROOM + 64 };

/* A file, line by line, through a buffer that small stacks have room for. */
struct reader {
    long fd;
    bool failed; /* there may be more than was read */
    size_t at, end;
    char text[256];
};

static bool is_missing(long error) {
    return error == -ENOENT || error == -ENOTDIR || error == -EACCES || error == -EPERM;
}

static bool reader_open(struct reader *reader, const char *path) {
    reader->at = reader->end = 0;
    reader->fd = system_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    reader->failed = reader->fd < 0 && !is_missing(reader->fd);
    return reader->fd >= 0;
}

static void reader_close(const struct reader *reader) { system_call(SYS_close, reader->fd); }

/* The next byte, or -1. */
static int reader_byte(struct reader *reader) {
    if (reader->at == reader->end) {
        long got = system_call(SYS_read, reader->fd, reader->text, sizeof reader->text);
        reader->failed |= got < 0;
        if (got <= 0)
            return -1;
        reader->at = 0;
        reader->end = got;
    }
    return (unsigned char)reader->text[reader->at++];
}

/* Without its newline; what has no room is left out. False at the end. */
static bool reader_line(struct reader *reader, char *line, size_t room) {
    size_t length = 0;
    int byte = reader_byte(reader);
    if (byte < 0)
        return false;
    for (; byte >= 0 && byte != '\n'; byte = reader_byte(reader))
        if (length + 1 < room)
            line[length++] = byte;
    line[length] = 0;
    return true;
}

/* "max" and what is not a number are no limit. */
static size_t number(const char *text) {
    size_t value = 0;
    if (*text < '0' || *text > '9')
        return SIZE_MAX;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (size_t)(*text - '0'), &value))
            return SIZE_MAX;
    return value;
}

/* A group: the path of its folder, whose end is where the names of its files go. */
struct group {
    char path[PATH_ROOM];
    size_t length;
    bool unknown; /* a file could not be read for now */
};

static bool group_open(struct group *group, const char *file, struct reader *reader) {
    snprintf(group->path + group->length, sizeof group->path - group->length, "/%s", file);
    bool opened = reader_open(reader, group->path);
    group->unknown |= reader->failed;
    return opened;
}

static void group_close(struct group *group, struct reader *reader) {
    group->unknown |= reader->failed;
    reader_close(reader);
}

static size_t group_number(struct group *group, const char *file) {
    struct reader reader;
    char line[32];
    if (!group_open(group, file, &reader))
        return SIZE_MAX;
    size_t value = reader_line(&reader, line, sizeof line) ? number(line) : SIZE_MAX;
    group_close(group, &reader);
    return value;
}

/* What the two versions call the same things. The kernel takes files back before it fails. */
struct version {
    const char *limits[2], *used, *inactive_files, *active_files;
};

static const struct version versions[2] = {
    {{"memory.limit_in_bytes", NULL},
     "memory.usage_in_bytes",
     "total_inactive_file ",
     "total_active_file "},
    {{"memory.max", "memory.high"}, "memory.current", "inactive_file ", "active_file "},
};

static size_t line_value(const char *line, const char *key) {
    size_t length = strlen(key), value;
    if (strncmp(line, key, length) != 0)
        return 0;
    value = number(line + length);
    return value < no_limit ? value : 0;
}

static size_t group_files(struct group *group, const struct version *version) {
    struct reader reader;
    char line[64];
    size_t bytes = 0;
    if (!group_open(group, "memory.stat", &reader))
        return 0;
    while (reader_line(&reader, line, sizeof line))
        bytes +=
            line_value(line, version->inactive_files) + line_value(line, version->active_files);
    reader_close(&reader);
    return bytes;
}

static void group_ask(struct group *group, const struct version *version,
                      struct groups_memory *memory) {
    size_t limit = SIZE_MAX;
    for (int i = 0; i < 2 && version->limits[i]; i++) {
        size_t value = group_number(group, version->limits[i]);
        limit = value < limit ? value : limit;
    }
    if (limit >= no_limit)
        return;
    size_t used = group_number(group, version->used), files = group_files(group, version);
    used = used >= no_limit ? 0 : used > files ? used - files : 0;
    size_t left = limit > used ? limit - used : 0;
    memory->limit = limit < memory->limit ? limit : memory->limit;
    memory->left = left < memory->left ? left : memory->left;
}

/* The group and all it lies in. */
static bool path_ask(const char *mount, const char *controller, const char *path,
                     const struct version *version, struct groups_memory *memory) {
    struct group group = {.unknown = false};
    int length = snprintf(group.path, sizeof group.path, "%s%s", mount, controller);
    size_t top = length;
    length += snprintf(group.path + top, sizeof group.path - top, "%s", path);
    group.length = (size_t)length < sizeof group.path ? (size_t)length : top;
    for (;;) {
        while (group.length > top && group.path[group.length - 1] == '/')
            group.length--;
        group_ask(&group, version, memory);
        if (group.length == top)
            return !group.unknown;
        while (group.length > top && group.path[group.length - 1] != '/')
            group.length--;
    }
}

static bool has_memory(const char *controllers) {
    for (const char *at = controllers; (at = strstr(at, "memory")) != NULL; at++)
        if ((at == controllers || at[-1] == ',') && (at[6] == ',' || at[6] == ':'))
            return true;
    return false;
}

/* A line is "number:controllers:group"; that of version 2 has no controllers. */
static bool line_ask(const char *line, struct groups_memory *memory) {
    const char *controllers = strchr(line, ':');
    const char *group = controllers ? strchr(++controllers, ':') : NULL;
    if (group == NULL)
        return true;
    if (controllers == group)
        return path_ask(groups_mount, "", group + 1, &versions[1], memory);
    return !has_memory(controllers) ||
           path_ask(groups_mount, "/memory", group + 1, &versions[0], memory);
}

bool groups_ask(struct groups_memory *memory) {
    struct reader reader;
    char line[LINE_ROOM];
    bool known = true;
    *memory = (struct groups_memory){SIZE_MAX, SIZE_MAX};
    if (reader_open(&reader, groups_of_process)) {
        while (reader_line(&reader, line, sizeof line))
            known &= line_ask(line, memory);
        reader_close(&reader);
        return known && !reader.failed;
    }
    if (reader.failed)
        return false;
    /* Without /proc, what is mounted is taken to be the process's own. */
    return path_ask(groups_mount, "", "", &versions[1], memory) &&
           path_ask(groups_mount, "/memory", "", &versions[0], memory);
}
