/* Names of files, and the one that is open; see output.h. */
#include "report/output.h"

#include "program.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    FILE *file; /* NULL: the command's stream */
    char **names;
    size_t count;
} output;

static bool names_process(const char *name) {
    return strstr(name, "%p") != NULL || strstr(name, "%n") != NULL;
}

void output_check(const char *name) {
    char directory[PATH_MAX] = ".";
    const char *slash = strrchr(name, '/');
    if (*name == 0 || strlen(name) >= sizeof directory)
        refuse(EXIT_REFUSED, "--output: a file's name is needed");
    if (slash)
        snprintf(directory, sizeof directory, "%.*s", (int)(slash - name + 1), name);
    struct stat found;
    bool exists = stat(name, &found) == 0;
    if (exists && S_ISDIR(found.st_mode))
        refuse(EXIT_REFUSED, "%s: %s", name, strerror(EISDIR));
    if (access(exists ? name : directory, W_OK) != 0)
        refuse(EXIT_REFUSED, "%s: %s", name, strerror(errno));
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void add_number(const char *name, int process, char path[PATH_MAX]) {
    const char *suffix = strrchr(base_name(name), '.');
    int stem = suffix ? (int)(suffix - name) : (int)strlen(name);
    snprintf(path, PATH_MAX, "%.*s.%d%s", stem, name, process, suffix ? suffix : "");
}

static void expand(const char *name, const struct check *check, char path[PATH_MAX]) {
    size_t used = 0;
    for (; *name && used + 1 < PATH_MAX; name++) {
        size_t room = PATH_MAX - used;
        int length = 1;
        if (strncmp(name, "%p", 2) == 0)
            length = snprintf(path + used, room, "%d", check->process);
        else if (strncmp(name, "%n", 2) == 0)
            length = snprintf(path + used, room, "%s", base_name(check->program));
        else
            path[used] = *name;
        if (*name == '%' && name[1] && strchr("pn%", name[1]))
            name++;
        used = (size_t)length < room ? used + length : PATH_MAX - 1;
    }
    path[used] = 0;
}

static bool was_opened(const char *path) {
    for (size_t i = 0; i < output.count; i++)
        if (strcmp(output.names[i], path) == 0)
            return true;
    return false;
}

static void note_opened(const char *path) {
    output.names = realloc(output.names, (output.count + 1) * sizeof *output.names);
    if (output.names == NULL || (output.names[output.count++] = strdup(path)) == NULL)
        abort();
}

static bool is_one_a_file(const struct report_options *options) {
    return options->format == REPORT_HTML || options->format == REPORT_PPROF;
}

static bool say_error(const char *path) {
    fprintf(stderr, "tithe: %s: %s\n", path, strerror(errno));
    return false;
}

FILE *output_open(const struct report_options *options, const struct check *check) {
    char path[PATH_MAX];
    if (options->output == NULL)
        return options->stream;
    expand(options->output, check, path);
    if (was_opened(path) && is_one_a_file(options)) {
        char first[PATH_MAX];
        memcpy(first, path, sizeof first);
        add_number(first, check->process, path);
    } else if (was_opened(path) && !names_process(options->output)) {
        return output.file;
    }
    if (!output_close(options))
        return NULL;
    output.file = fopen(path, was_opened(path) ? "a" : "w");
    if (output.file == NULL)
        say_error(path);
    else
        note_opened(path);
    return output.file;
}

bool output_close(const struct report_options *options) {
    FILE *file = output.file;
    output.file = NULL;
    if (file == NULL)
        return fflush(options->stream) == 0 || say_error("the report");
    return fclose(file) == 0 || say_error(output.names[output.count - 1]);
}
