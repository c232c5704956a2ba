/* The text, its growth, and its file; see writer.h. */
#include "leak/writer.h"

#include "os/descriptor.h"
#include "os/syscall.h"
#include "os/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_ADDITION = 4096, STEP = 1 << 20, MODE = 0600, MOST_FILES = 500, MOST_BROKEN = 1000 };
static const size_t most_bytes = (size_t)4 << 30;

static struct descriptor directory = DESCRIPTOR_CLOSED;
static char directory_path[256];
static struct vm_region region;
static size_t used;
static bool incomplete; /* something had no room */

void writer_start(const char *path) {
    snprintf(directory_path, sizeof directory_path, "%s", path);
    descriptor_adopt(&directory,
                     system_call(SYS_openat, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0));
}

int writer_directory(void) { return descriptor_is_open(&directory) ? (int)directory.fd : AT_FDCWD; }

bool writer_begin(void) {
    used = 0;
    incomplete = false;
    for (size_t bytes = most_bytes; region.reserved == 0; bytes /= 2)
        if (bytes < STEP || vm_region_reserve(&region, bytes))
            break;
    return region.reserved > 0;
}

static char *room(size_t bytes) {
    if (vm_region_commit(&region, used + bytes, STEP))
        return (char *)region.start + used;
    incomplete = true;
    return NULL;
}

void writer_add(const char *format, ...) {
    char *to = room(LONGEST_ADDITION);
    va_list arguments;
    if (to == NULL)
        return;
    va_start(arguments, format);
    int length = vsnprintf(to, LONGEST_ADDITION, format, arguments);
    va_end(arguments);
    if (length > 0)
        used += length < LONGEST_ADDITION ? length : LONGEST_ADDITION - 1;
}

void writer_add_text(const char *text) {
    static const char digits[] = "0123456789ABCDEF";
    char *to = room(3 * strlen(text) + 1);
    size_t length = 0;
    if (to == NULL)
        return;
    for (; *text; text++) {
        unsigned char c = *text;
        if (c <= ' ' || c == '%' || c == ':' || c == ',' || c == 0x7f) {
            to[length++] = '%';
            to[length++] = digits[c >> 4];
            to[length++] = digits[c & 15];
        } else {
            to[length++] = c;
        }
    }
    if (length == 0)
        to[length++] = '-';
    used += length;
}

void writer_add_step(uintptr_t address, uintptr_t before) {
    static const char digits[] = "0123456789abcdef";
    bool down = address < before;
    uintptr_t rest = down ? before - address : address - before;
    int count = rest ? (63 - __builtin_clzl(rest)) / 4 + 1 : 1;
    char *to = room(2 + 16);
    if (to == NULL)
        return;
    to[0] = ' ';
    to[1] = down ? '-' : '+';
    for (int i = count; i > 0; i--, rest >>= 4)
        to[1 + i] = digits[rest & 15];
    used += 2 + count;
}

const char *writer_text(size_t *bytes) {
    *bytes = used;
    return (const char *)region.start;
}

void writer_drop(void) { vm_region_end(&region); }

static long write_whole(long fd) {
    size_t done = 0;
    for (int broken = 0; done < used;) {
        long wrote = system_call(SYS_write, fd, region.start + done, used - done);
        if (wrote == -EINTR && ++broken < MOST_BROKEN)
            continue;
        if (wrote <= 0)
            return wrote ? wrote : -EIO;
        done += wrote;
    }
    return 0;
}

/* Below the descriptor, or by the whole path if the program has closed that. */
static void name_file(char path[512], int at, int process, unsigned number, const char *suffix) {
    snprintf(path, 512, "%s%s%d.%u.%s", at == AT_FDCWD ? directory_path : "",
             at == AT_FDCWD ? "/" : "", process, number, suffix);
}

/* Checks by a timer would fill the disk in the end. The first one stays, to be compared with. */
static void drop_old(int at, int process, unsigned number) {
    char path[512];
    if (number <= MOST_FILES + 1)
        return;
    name_file(path, at, process, number - MOST_FILES, "check");
    system_call(SYS_unlinkat, at, path, 0);
}

unsigned writer_free_number(int process) {
    char path[512];
    int at = writer_directory();
    for (unsigned number = 1;; number++) {
        name_file(path, at, process, number, "check");
        if (system_call(SYS_faccessat, at, path, F_OK) != 0)
            return number;
    }
}

bool writer_end(int process, unsigned number, int *error) {
    char part[512], whole[512];
    int at = writer_directory();
    name_file(part, at, process, number, "part");
    name_file(whole, at, process, number, "check");
    long fd = system_call(SYS_openat, at, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
    long result = fd < 0 ? fd : incomplete ? -ENOMEM : write_whole(fd);
    if (fd >= 0)
        system_call(SYS_close, fd);
    if (result == 0)
        result = system_call(SYS_renameat2, at, part, at, whole, 0);
    if (result == 0)
        drop_old(at, process, number);
    vm_region_end(&region);
    *error = -result;
    return result == 0;
}
