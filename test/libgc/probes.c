/* Probes of libgc's documented behaviour: prints one line "name: value" for each, the same in every
 * run. test/libgc_probes.sh runs this program on Debian's library and on ours, and compares.
 *
 * Each group of probes runs in a process of its own, which starts the collector itself.
 */
#include "probes.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

void say(const char *name, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("%s: ", name);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

const char *share(int count) { return count >= MOST ? "most" : count <= FEW ? "few" : "some"; }

const char *kept(int count) { return count == HERD ? "all" : count <= FEW ? "none" : "some"; }

static size_t read_all(int fd, char *text, size_t room) {
    size_t length = 0;
    for (ssize_t more; (more = read(fd, text + length, room - 1 - length)) > 0;)
        length += more;
    text[length] = 0;
    return length;
}

void say_end(const char *name, void (*function)(void), const char *text) {
    static char said[1 << 16];
    int ends[2], status;
    fflush(stdout);
    if (pipe(ends) != 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        function();
        fflush(stdout);
        _exit(0);
    }
    close(ends[1]);
    read_all(ends[0], said, sizeof said);
    close(ends[0]);
    waitpid(child, &status, 0);
    const char *found = text == NULL ? "" : strstr(said, text) ? ", said so" : ", silent";
    if (WIFSIGNALED(status))
        say(name, "signal %d%s", WTERMSIG(status), found);
    else
        say(name, "exit %d%s", WEXITSTATUS(status), found);
}

static void run_group(void (*probe)(void)) {
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        probe();
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    if (status != 0)
        say("a group of probes", "ended with status %d", status);
}

int main(void) {
    void (*const groups[])(void) = {
        probe_defaults,   probe_settings,        probe_sizes,      probe_objects,
        probe_checks,     probe_kinds,           probe_typed,      probe_links,
        probe_finalizers, probe_more_finalizers, probe_collection, probe_statistics,
        probe_roots,      probe_threads,         probe_debugging,  probe_ends,
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        run_group(groups[i]);
    return 0;
}
