/* The program to be run, for the command: where it is, and whether a library can be preloaded into
 * it. What the dynamic linker would silently not preload into is refused with a reason.
 */
#ifndef TITHE_SHIM_PROGRAM_H
#define TITHE_SHIM_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

enum { EXIT_REFUSED = 125, EXIT_NOT_RUNNABLE = 126, EXIT_NOT_FOUND = 127 };

/* Says a line and ends the command. */
void refuse(int status, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

/* The file that executing the name would run, as execvp finds it, if we can serve it. */
void program_find(const char *name, char path[PATH_MAX]);

/* The file of this very command. */
void program_find_self(char path[PATH_MAX]);

/* Puts text in front of an environment variable that is a list. */
void program_prepend(const char *variable, const char *text);

/* Has programs that are executed from here on preload our library. */
void program_preload(void);

/* Executes the file, as execvp does: by the shell what the kernel does not know. */
void program_execute(const char *path, char **arguments) __attribute__((noreturn));

/* False for a command that stands in the folder where it was built. An installed one takes nothing
 * from there: whoever may write there need not be trusted by those who run it. */
bool program_is_installed(void);

/* The option at a position, if it is one of the names (the last is NULL) and its value is the next
 * argument, as NAME=VALUE there. Returns the position to go on at; ends the command with one line
 * when there is no next argument. */
int program_join_value(char **arguments, int at, const char *const *names);

#endif
