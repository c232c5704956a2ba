/* The page: a template with the checks in it; see render.h and page/README.md. */
#include "report/render.h"

#include "program.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char checks_line[] = "@TITHE_CHECKS@\n", flames_line[] = "@TITHE_FLAME_GRAPH@\n";

static FILE *open_part(const char *name) {
    const char *place = program_is_installed() ? PAGE_DIRECTORY : PAGE_SOURCE;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", place, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        refuse(EXIT_REFUSED, "%s: %s", path, strerror(errno));
    return file;
}

static void copy_part(const char *name, FILE *out) {
    char buffer[8192];
    size_t bytes;
    FILE *file = open_part(name);
    while ((bytes = fread(buffer, 1, sizeof buffer, file)) > 0)
        fwrite(buffer, 1, bytes, out);
    fclose(file);
}

static void write_checks(const struct groups *const *checks, size_t count,
                         const struct report_options *options, FILE *out) {
    fputc('[', out);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? "," : "", out);
        render_json(checks[i], options, out);
    }
    fputc(']', out);
}

void render_html(const struct groups *const *checks, size_t count,
                 const struct report_options *options, FILE *out) {
    FILE *file = open_part("page.html");
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, file) > 0) {
        if (strcmp(line, checks_line) == 0)
            write_checks(checks, count, options, out);
        else if (strcmp(line, flames_line) == 0)
            copy_part("flame-graph.js", out);
        else
            fputs(line, out);
    }
    free(line);
    fclose(file);
}
