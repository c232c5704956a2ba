/* Finding and refusing; see program.h. */
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SCRIPT_DEPTH = 4 };

#if defined(__x86_64__)
enum { OWN_MACHINE = EM_X86_64 };
#else
enum { OWN_MACHINE = EM_AARCH64 };
#endif

void refuse(int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("tithe: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(status);
}

/* The file that executing the name would run, as execvp finds it. */
static void find_file(const char *name, char path[PATH_MAX]) {
    const char *directories = getenv("PATH");
    if (directories == NULL)
        directories = "/usr/bin:/bin";
    if (strchr(name, '/')) {
        snprintf(path, PATH_MAX, "%s", name);
        if (access(path, F_OK) != 0)
            refuse(EXIT_NOT_FOUND, "%s: %s", name, strerror(errno));
        return;
    }
    for (const char *at = directories; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        int length = strcspn(at, ":");
        struct stat status;
        snprintf(path, PATH_MAX, "%.*s/%s", length ? length : 1, length ? at : ".", name);
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0)
            return;
    }
    refuse(EXIT_NOT_FOUND, "%s: command not found", name);
}

static void refuse_privileged(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0)
        refuse(EXIT_NOT_RUNNABLE, "%s: %s", path, strerror(errno));
    bool changes_user = (status.st_mode & S_ISUID) && status.st_uid != geteuid();
    bool changes_group =
        (status.st_mode & S_ISGID) && (status.st_mode & S_IXGRP) && status.st_gid != getegid();
    bool has_capabilities = geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
    if (changes_user || changes_group || has_capabilities)
        refuse(EXIT_REFUSED,
               "%s is set-user-ID, set-group-ID or has capabilities: the dynamic linker "
               "ignores preloads for it",
               path);
}

/* The dynamic linker that the program names, in text; "" if it names none. */
static void find_loader(int fd, const Elf64_Ehdr *header, char text[PATH_MAX]) {
    memset(text, 0, PATH_MAX);
    for (int i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;
        off_t at = header->e_phoff + (off_t)i * header->e_phentsize;
        if (pread(fd, &segment, sizeof segment, at) != sizeof segment ||
            segment.p_type != PT_INTERP)
            continue;
        size_t bytes = segment.p_filesz < PATH_MAX ? segment.p_filesz : PATH_MAX - 1;
        if (pread(fd, text, bytes, segment.p_offset) < 0)
            text[0] = 0;
    }
}

/* By the names that musl, uClibc and Android's libc have given theirs. */
static bool is_foreign_loader(const char *path) {
    static const char *const names[] = {"ld-musl", "ld64-uClibc", "linker64"};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void refuse_binary(const char *path, int fd) {
    Elf64_Ehdr header;
    char loader[PATH_MAX];
    if (pread(fd, &header, sizeof header, 0) != sizeof header)
        return;
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != OWN_MACHINE)
        refuse(EXIT_REFUSED, "%s is built for another architecture than tithe", path);
    find_loader(fd, &header, loader);
    if (loader[0] == 0)
        refuse(EXIT_REFUSED, "%s is statically linked: there is no dynamic linker to preload tithe",
               path);
    if (is_foreign_loader(loader))
        refuse(EXIT_REFUSED, "%s is built for another C library than glibc (its loader is %s)",
               path, loader);
}

/* The interpreter a script names, in text. False when this is no script. */
static bool script_interpreter(int fd, char text[PATH_MAX]) {
    char line[PATH_MAX] = "";
    ssize_t length = pread(fd, line, sizeof line - 1, 0);
    if (length < 2 || line[0] != '#' || line[1] != '!')
        return false;
    const char *start = line + 2 + strspn(line + 2, " \t");
    snprintf(text, PATH_MAX, "%.*s", (int)strcspn(start, " \t\r\n"), start);
    return true;
}

static void refuse_unservable(const char *path, int depth) {
    unsigned char magic[SELFMAG] = {0};
    char interpreter[PATH_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno == EACCES)
            return;
        refuse(EXIT_NOT_RUNNABLE, "%s: %s", path, strerror(errno));
    }
    refuse_privileged(path);
    if (pread(fd, magic, sizeof magic, 0) == sizeof magic && memcmp(magic, ELFMAG, SELFMAG) == 0)
        refuse_binary(path, fd);
    else if (depth > 0 && script_interpreter(fd, interpreter))
        refuse_unservable(interpreter, depth - 1);
    close(fd);
}

/* The library that was built beside the command, if this is a command that was not installed. */
static bool find_built_library(char path[PATH_MAX]) {
    char own[PATH_MAX] = "";
    if (readlink("/proc/self/exe", own, sizeof own - 1) <= 0 || strrchr(own, '/') == NULL)
        return false;
    *strrchr(own, '/') = 0;
    return snprintf(path, PATH_MAX, "%s/.libs/libtithe.so", own) < PATH_MAX &&
           access(path, R_OK) == 0;
}

bool program_is_installed(void) {
    char path[PATH_MAX];
    return !find_built_library(path);
}

/* Where the library is: named by the environment, beside an uninstalled command, or installed. */
static void find_library(char path[PATH_MAX]) {
    const char *named = getenv("TITHE_LIBRARY");
    if (named) {
        snprintf(path, PATH_MAX, "%s", named);
        if (access(named, R_OK) != 0 || (*named != '/' && realpath(named, path) == NULL))
            refuse(EXIT_REFUSED, "TITHE_LIBRARY=%s: %s", named, strerror(errno));
        return;
    }
    if (find_built_library(path))
        return;
    snprintf(path, PATH_MAX, "%s/libtithe.so", LIBRARY_DIRECTORY);
    if (access(path, R_OK) != 0)
        refuse(EXIT_REFUSED, "%s: %s", path, strerror(errno));
}

/* Puts text in front of an environment variable that is a list. */
void program_prepend(const char *variable, const char *text) {
    const char *old = getenv(variable);
    char *joined;
    if (asprintf(&joined, "%s%s%s", text, old && *old ? ":" : "", old ? old : "") < 0 ||
        setenv(variable, joined, 1) != 0)
        refuse(EXIT_REFUSED, "out of memory");
    free(joined);
}

void program_find_self(char path[PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (length > 0)
        path[length] = 0;
    else
        find_file(program_invocation_name, path);
}

void program_find(const char *name, char path[PATH_MAX]) {
    find_file(name, path);
    refuse_unservable(path, SCRIPT_DEPTH);
}

void program_preload(void) {
    char library[PATH_MAX];
    find_library(library);
    if (strpbrk(library, " :"))
        refuse(EXIT_REFUSED,
               "%s: the dynamic linker preloads nothing with a space or a colon in its name; "
               "TITHE_LIBRARY may name a link to it",
               library);
    program_prepend("LD_PRELOAD", library);
}

void program_execute(const char *path, char **arguments) {
    size_t count = 0;
    execv(path, arguments);
    if (errno == ENOEXEC) {
        while (arguments[count])
            count++;
        char *shell[count + 2];
        shell[0] = "/bin/sh";
        shell[1] = (char *)path;
        memcpy(shell + 2, arguments + 1, count * sizeof *shell);
        execv(shell[0], shell);
    }
    refuse(EXIT_NOT_RUNNABLE, "%s: %s", path, strerror(errno));
}

int program_join_value(char **arguments, int at, const char *const *names) {
    while (*names && strcmp(arguments[at], *names) != 0)
        names++;
    if (*names == NULL)
        return at;
    if (arguments[at + 1] == NULL)
        refuse(EXIT_REFUSED, "%s needs a value", arguments[at]);
    char *joined;
    if (asprintf(&joined, "%s=%s", arguments[at], arguments[at + 1]) < 0)
        abort();
    arguments[at + 1] = joined;
    return at + 1;
}
