/* The page: a template with the checks in it; see render.h and page/README.md. */
#include "report/render.h"

#include "program.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char placeholder[] = "@TITHE_CHECKS@";

/* Beside the sources for a command that is not installed. */
static FILE *open_template(void) {
    static const char *const places[] = {PAGE_DIRECTORY "/page.html", PAGE_SOURCE "/page.html"};
    for (size_t i = 0; i < 2; i++) {
        FILE *file = fopen(places[i], "r");
        if (file)
            return file;
    }
    refuse(EXIT_REFUSED, "%s: %s", places[0], strerror(errno));
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
    FILE *file = open_template();
    char *line = NULL, *found;
    size_t room = 0;
    while (getline(&line, &room, file) > 0) {
        if ((found = strstr(line, placeholder)) == NULL) {
            fputs(line, out);
            continue;
        }
        fwrite(line, 1, found - line, out);
        write_checks(checks, count, options, out);
        fputs(found + sizeof placeholder - 1, out);
    }
    free(line);
    fclose(file);
}
