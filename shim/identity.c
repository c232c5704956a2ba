/* Who the process is: users, groups, capabilities.
 *
 * The kernel keeps them for each thread. libc has all threads that it knows of change theirs; ours
 * it does not know, and they would go on with rights that the program has given up, in its memory.
 * So when they have changed, our threads end, and what is made later is made by a thread that is
 * what the program now is. Calls that the kernel refuses change nothing.
 */
#include "dismiss.h"
#include "real.h"

#include <errno.h>
#include <grp.h>
#include <sys/types.h>
#include <unistd.h>

#define CHANGED(call)                                                                              \
    ({                                                                                             \
        int result_ = (call), error_ = errno;                                                      \
        if (result_ == 0)                                                                          \
            dismiss_threads();                                                                     \
        errno = error_;                                                                            \
        result_;                                                                                   \
    })

TITHE_EXPORT int setuid(uid_t user) { return CHANGED(REAL(setuid)(user)); }
TITHE_EXPORT int setgid(gid_t group) { return CHANGED(REAL(setgid)(group)); }
TITHE_EXPORT int seteuid(uid_t user) { return CHANGED(REAL(seteuid)(user)); }
TITHE_EXPORT int setegid(gid_t group) { return CHANGED(REAL(setegid)(group)); }

TITHE_EXPORT int setreuid(uid_t real, uid_t effective) {
    return CHANGED(REAL(setreuid)(real, effective));
}

TITHE_EXPORT int setregid(gid_t real, gid_t effective) {
    return CHANGED(REAL(setregid)(real, effective));
}

TITHE_EXPORT int setresuid(uid_t real, uid_t effective, uid_t saved) {
    return CHANGED(REAL(setresuid)(real, effective, saved));
}

TITHE_EXPORT int setresgid(gid_t real, gid_t effective, gid_t saved) {
    return CHANGED(REAL(setresgid)(real, effective, saved));
}

TITHE_EXPORT int setgroups(size_t count, const gid_t *groups) {
    return CHANGED(REAL(setgroups)(count, groups));
}

TITHE_EXPORT int initgroups(const char *user, gid_t group) {
    return CHANGED(REAL(initgroups)(user, group));
}

/* Declared by libcap's headers alone, though libc has it. */
int capset(void *header, const void *data);
TITHE_EXPORT int capset(void *header, const void *data) {
    return CHANGED(REAL(capset)(header, data));
}
