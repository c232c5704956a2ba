/* Names, files, and where a name begins; see own_frames.h. */
#include "report/own_frames.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PATTERNS = 64, LONG_ARGUMENTS = 24 };

static const char *patterns[MOST_PATTERNS];
static size_t pattern_count;

void own_frames_fold(const char *pattern) {
    if (pattern_count < MOST_PATTERNS)
        patterns[pattern_count++] = pattern;
}

static bool is_one_of(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (fnmatch(names[i], name, 0) == 0)
            return true;
    return false;
}

#define IS_ONE_OF(name, names) is_one_of(name, names, sizeof(names) / sizeof *(names))

/* Where a readable name begins: behind the type that a template returns. */
static const char *behind_type(const char *name) {
    const char *start = name;
    int depth = 0;
    for (const char *at = name; *at; at++) {
        depth +=
            (*at == '<' || *at == '(' || *at == '{') - (*at == '>' || *at == ')' || *at == '}');
        if (depth == 0 && *at == ' ' && strncmp(start, "operator", 8) != 0)
            start = at + 1;
        else if (depth == 1 && *at == '(' && at > start && strncmp(at, "(anonymous", 10) != 0)
            break;
    }
    return strncmp(start, "const", 5) == 0 ? name : start;
}

static bool is_allocator(const struct symbol_frame *frame) {
    static const char *const names[] = {
        "malloc",        "calloc",         "realloc",        "reallocarray",     "strdup",
        "strndup",       "posix_memalign", "aligned_alloc",  "memalign",         "valloc",
        "free",          "cfree",          "operator new*",  "operator delete*", "xmalloc",
        "xcalloc",       "xrealloc",       "xstrdup",        "g_malloc*",        "g_realloc*",
        "g_try_malloc*", "g_strdup*",      "g_slice_alloc*", "rust_alloc*",      "rg_alloc*",
        "rdl_alloc*",    "rust_realloc*"};
    const char *name = frame->function;
    if (frame->module && strncmp(check_base_name(frame->module->path), "libtithe.so", 11) == 0)
        return true;
    if (name == NULL)
        return false;
    name += strspn(name, "_");
    if (strncmp(name, "GI_", 3) == 0) /* glibc's names for calls from within */
        name += 3 + strspn(name + 3, "_");
    return IS_ONE_OF(name, names);
}

bool own_frames_is_startup(const struct symbol_frame *frame) {
    static const char *const names[] = {"__libc_start_main",
                                        "__libc_start_call_main",
                                        "_start",
                                        "start_thread",
                                        "clone3",
                                        "clone",
                                        "__clone",
                                        "__clone3"};
    for (size_t i = 0; frame->function && i < sizeof names / sizeof *names; i++)
        if (strncmp(frame->function, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static bool serves_others(const struct symbol_frame *frame) {
    static const char *const files[] = {"libc.so*",      "libstdc++.so*", "libc++.so*",
                                        "libc++abi.so*", "libm.so*",      "ld-linux*"};
    static const char *const names[] = {"std::*",  "__gnu_cxx::*", "alloc::*",      "<alloc::*",
                                        "core::*", "<core::*",     "<T as alloc::*"};
    const char *file = frame->module ? check_base_name(frame->module->path) : "";
    if (is_allocator(frame) || IS_ONE_OF(file, files) || is_one_of(file, patterns, pattern_count))
        return true;
    return frame->function && (IS_ONE_OF(behind_type(frame->function), names) ||
                               is_one_of(frame->function, patterns, pattern_count));
}

void own_frames_find(const struct symbol_frame *frames, size_t count, size_t *called, size_t *own) {
    size_t allocators = 0, first = 0;
    while (allocators + 1 < count && is_allocator(&frames[allocators]))
        allocators++;
    while (first < count && serves_others(&frames[first]))
        first++;
    *called = allocators;
    *own = first < count && !own_frames_is_startup(&frames[first]) ? first : allocators;
}

/* Where the brackets that open here close; NULL for an operator's sign. */
static const char *closing(const char *open) {
    int depth = 0;
    for (const char *at = open; *at; at++) {
        depth += (*at == '<') - (*at == '>' && at[-1] != '-');
        if (depth == 0)
            return at;
    }
    return NULL;
}

char *own_frames_short_name(const char *name) {
    char *copy = malloc(strlen(name) + 1), *to = copy;
    if (copy == NULL)
        abort();
    while (*name) {
        const char *close = *name == '<' ? closing(name) : NULL;
        if (close && close - name > LONG_ARGUMENTS) {
            memcpy(to, "<...>", 5);
            to += 5;
            name = close + 1;
        } else {
            *to++ = *name++;
        }
    }
    *to = 0;
    return copy;
}
