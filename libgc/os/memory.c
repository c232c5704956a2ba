/* Reading memory that may vanish or be closed; see memory.h.
 *
 * process_vm_readv on ourselves; where a seccomp filter does not permit it or the call is missing,
 * /proc/self/mem, because service filters commonly kill for the former and never for the latter.
 * The file also reads what is closed to the program itself, as debuggers do, unless the kernel was
 * told not to (proc_mem.force_override of Linux 6.12). A protection key stops neither.
 */
#include "os/memory.h"

#include "os/descriptor.h"
#include "os/options.h"
#include "os/permitted.h"
#include "os/syscall.h"
#include "os/vm.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

static struct descriptor file = DESCRIPTOR_CLOSED;
static bool uses_file;        /* for all memory */
static bool opens_closed;     /* the file, when it was last opened */
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

/* A trial on a page of ours tells. */
static bool file_opens_closed(void) {
    struct vm_region page;
    char byte = 0;
    if (!vm_region_reserve(&page, vm_page_bytes()))
        return false;
    if (vm_region_commit(&page, 1, 0)) {
        *(volatile char *)page.start = 1;
        if (vm_guard(page.start, page.reserved))
            copy_by_file(&byte, page.start, 1);
    }
    vm_region_end(&page);
    return byte == 1;
}

static bool open_file(void) {
    if (descriptor_is_open(&file))
        return true;
    bool opened = descriptor_open(&file, "/proc/thread-self/mem");
    opens_closed = opened && strcmp(options.closed, "open") != 0 && file_opens_closed();
    return opened;
}

bool memory_open(void) {
    static bool chosen;
    if (!chosen || refused) {
        uses_file = !permitted(PERMITTED_READING) || !reads_itself();
        refused = false;
        chosen = true;
    }
    return open_file() || !uses_file;
}

bool memory_is_open(void) { return !refused && (!uses_file || descriptor_is_open(&file)); }

void memory_after_fork(void) {
    descriptor_close(&file);
    opens_closed = false;
}

bool memory_is_refused(void) { return refused; }

bool memory_is_read_by_file(void) { return uses_file; }

bool memory_reads_closed(void) { return opens_closed && descriptor_is_open(&file); }

/* What another file of the program's, that has our number now, has there is never taken. */
size_t memory_read(void *to, uintptr_t from, size_t bytes) {
    size_t done = copy(uses_file ? copy_by_file : copy_by_call, to, from, bytes);
    if (done == bytes || uses_file || !memory_reads_closed())
        return done;
    size_t more = copy(copy_by_file, (char *)to + done, from + done, bytes - done);
    return memory_reads_closed() ? done + more : done;
}
