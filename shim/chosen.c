/* Names and paths against lists of patterns; see chosen.h. */
#include "chosen.h"

#include "os/options.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A pattern with a slash is of paths. */
static bool matches(const char *pattern, const char *binary) {
    if (strchr(pattern, '/'))
        return fnmatch(pattern, binary, FNM_PATHNAME) == 0;
    return fnmatch(pattern, base_name(binary), 0) == 0 ||
           fnmatch(pattern, program_invocation_short_name, 0) == 0;
}

static bool is_listed(const char *list, const char *binary) {
    char pattern[sizeof options.only];
    while (*list) {
        size_t length = strcspn(list, ",");
        memcpy(pattern, list, length);
        pattern[length] = 0;
        if (length > 0 && matches(pattern, binary))
            return true;
        list += length + (list[length] == ',');
    }
    return false;
}

bool chosen_is_this_program(void) {
    char binary[PATH_MAX];
    if (options.only[0] == 0 && options.never[0] == 0)
        return true;
    ssize_t length = readlink("/proc/self/exe", binary, sizeof binary - 1);
    binary[length > 0 ? length : 0] = 0;
    return (options.only[0] == 0 || is_listed(options.only, binary)) &&
           !is_listed(options.never, binary);
}
