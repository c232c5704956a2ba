/* exec: no stop signal may be under way to a thread that becomes another program, because signals
 * that wait survive the exec and handlers do not: the new program would be killed by it.
 *
 * So whoever replaces the program says so, and nobody sends from then on, which cancels a stop; the
 * lock of the registry is taken for that, so that what was sent before has arrived. It is not held
 * until the program is replaced: the section of a lock puts signals off, with all of them blocked,
 * and the next program would have them blocked. Children of vfork are sent nothing.
 */
#include "leak/trial.h"
#include "real.h"

#include "thread/thread.h"
#include "thread/world.h"

#include <alloca.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

/* What the trial of this program has found would be forgotten. */
static void trial_before_exec(void) {
    if (trial_is_on())
        trial_end(CHECK_EXEC, (struct mark_from){0});
}

static bool hold_signals(void) {
    return !thread_has_ended_stops() && thread_in_own_process() && world_hold_signals();
}

/* What was sent arrives at the end of a system call; asking for our id was one. */
#define HELD(call)                                                                                 \
    trial_before_exec();                                                                           \
    bool held = hold_signals();                                                                    \
    thread_in_own_process();                                                                       \
    int result = (call), failure = errno;                                                          \
    if (held)                                                                                      \
        world_release_signals();                                                                   \
    errno = failure;                                                                               \
    return result

TITHE_EXPORT int execve(const char *path, char *const arguments[], char *const environment[]) {
    HELD(REAL(execve)(path, arguments, environment));
}

TITHE_EXPORT int execv(const char *path, char *const arguments[]) {
    HELD(REAL(execv)(path, arguments));
}

TITHE_EXPORT int execvp(const char *file, char *const arguments[]) {
    HELD(REAL(execvp)(file, arguments));
}

TITHE_EXPORT int execvpe(const char *file, char *const arguments[], char *const environment[]) {
    HELD(REAL(execvpe)(file, arguments, environment));
}

TITHE_EXPORT int fexecve(int fd, char *const arguments[], char *const environment[]) {
    HELD(REAL(fexecve)(fd, arguments, environment));
}

TITHE_EXPORT int execveat(int directory, const char *path, char *const arguments[],
                          char *const environment[], int flags) {
    HELD(REAL(execveat)(directory, path, arguments, environment, flags));
}

static size_t count_arguments(va_list list) {
    size_t count = 1;
    while (va_arg(list, const char *))
        count++;
    return count;
}

/* The list becomes a vector on this frame; what follows its end, if anything, is the environment.
 */
#define VECTOR(first, vector)                                                                      \
    va_list list;                                                                                  \
    va_start(list, first);                                                                         \
    size_t count = count_arguments(list);                                                          \
    va_end(list);                                                                                  \
    char **vector = alloca((count + 1) * sizeof *vector);                                          \
    vector[0] = (char *)first;                                                                     \
    va_start(list, first);                                                                         \
    for (size_t i = 1; i <= count; i++)                                                            \
    vector[i] = va_arg(list, char *)

TITHE_EXPORT int execl(const char *path, const char *first, ...) {
    VECTOR(first, vector);
    va_end(list);
    return execv(path, vector);
}

TITHE_EXPORT int execlp(const char *file, const char *first, ...) {
    VECTOR(first, vector);
    va_end(list);
    return execvp(file, vector);
}

TITHE_EXPORT int execle(const char *path, const char *first, ...) {
    VECTOR(first, vector);
    char *const *environment = va_arg(list, char *const *);
    va_end(list);
    return execve(path, vector, environment);
}
