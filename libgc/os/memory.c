/* Reading memory that may vanish; see memory.h.
 *
 * process_vm_readv on ourselves; where a seccomp filter does not permit it or the call is missing,
 * /proc/self/mem, because service filters commonly kill for the former and never for the latter.
 */
#include "os/memory.h"

#include "os/descriptor.h"
#include "os/permitted.h"
#include "os/syscall.h"

#include <errno.h>
#include <sys/uio.h>

static struct descriptor file = DESCRIPTOR_CLOSED;
static bool uses_file;
static volatile bool refused; /* any thread sets it; cleared when a way is looked for again */

/* By the calling thread's id: the process's is unknown to the kernel once its first thread has
 * ended, as are the files in /proc that go by it. */
static long copy_by_call(void *to, uintptr_t from, size_t bytes) {
    struct iovec local = {to, bytes}, remote = {(void *)from, bytes};
    return system_call(SYS_process_vm_readv, system_call(SYS_gettid), &local, 1, &remote, 1, 0);
}

static long copy_by_file(void *to, uintptr_t from, size_t bytes) {
    return system_call(SYS_pread64, file.fd, to, bytes, from);
}

/* The kernel tells why it stopped only when nothing came at all, so the rest is asked for alone. */
static size_t copy(long (*some)(void *, uintptr_t, size_t), void *to, uintptr_t from,
                   size_t bytes) {
    size_t done = 0;
    while (done < bytes) {
        long got = some((char *)to + done, from + done, bytes - done);
        if (got <= 0) {
            if (got != 0 && got != -EFAULT && got != -EIO)
                refused = true;
            break;
        }
        done += got;
    }
    return done;
}

static bool reads_itself(void) {
    char from = 1, to = 0;
    return copy_by_call(&to, (uintptr_t)&from, 1) == 1 && to == 1;
}

bool memory_open(void) {
    static bool chosen;
    if (!chosen || refused) {
        uses_file = !permitted(PERMITTED_READING) || !reads_itself();
        refused = false;
        chosen = true;
    }
    return !uses_file || descriptor_is_open(&file) ||
           descriptor_open(&file, "/proc/thread-self/mem");
}

bool memory_is_open(void) { return !refused && (!uses_file || descriptor_is_open(&file)); }

void memory_after_fork(void) { descriptor_close(&file); }

bool memory_is_refused(void) { return refused; }

bool memory_is_read_by_file(void) { return uses_file; }

size_t memory_read(void *to, uintptr_t from, size_t bytes) {
    return copy(uses_file ? copy_by_file : copy_by_call, to, from, bytes);
}
