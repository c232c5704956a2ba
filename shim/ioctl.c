/* ioctl: a program's own userfaultfd, and devices that give the program's pointers back.
 *
 * The kernel lets only one userfaultfd have a map, and we track written pages by one. So where it
 * says that somebody has a map which the program wants to have, ours lets go of it between two
 * cycles; from then on its pages are read whole in each stop. Inside the heap the program may only
 * track what is written; when it hands out pages that are missing there, nothing is collected.
 *
 * USB devices give back requests by their address, and displays an event with the program's datum.
 * Everything else goes on to libc untouched, by a jump.
 */
#include "ioctl.h"

#include "real.h"
#include "requests.h"

#include "cycle/cycle.h"
#include "heap/layout.h"
#include "os/dirty.h"
#include "os/handled.h"
#include "roots/unknown.h"

#include <errno.h>
#include <linux/usbdevice_fs.h>
#include <linux/userfaultfd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

enum { MODES_OF_HANDLERS = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR };

struct registering {
    int fd;
    struct uffdio_register *request;
    int result, failure;
};

static uintptr_t start_of(const struct uffdio_register *request) { return request->range.start; }
static uintptr_t end_of(const struct uffdio_register *request) {
    return request->range.start + request->range.len;
}

static void register_now(struct registering *registering) {
    registering->result = REAL(ioctl)(registering->fd, UFFDIO_REGISTER, registering->request);
    registering->failure = errno;
}

/* While no cycle goes on. */
static void register_in_place(void *context) {
    struct registering *registering = context;
    struct uffdio_register *request = registering->request;
    register_now(registering);
    if (registering->result != 0 && registering->failure == EBUSY &&
        dirty_untrack(start_of(request), end_of(request)))
        register_now(registering);
    if (registering->result == 0 && request->mode & MODES_OF_HANDLERS)
        handled_note(start_of(request), end_of(request),
                     request->mode & UFFDIO_REGISTER_MODE_MINOR);
}

static int register_range(int fd, struct uffdio_register *request) {
    struct registering registering = {fd, request, -1, 0};
    cycle_while_idle(register_in_place, &registering);
    errno = registering.failure;
    return registering.result;
}

struct unregistering {
    int fd;
    struct uffdio_range *range;
    int result, failure;
};

static void unregister_in_place(void *context) {
    struct unregistering *unregistering = context;
    struct uffdio_range *range = unregistering->range;
    unregistering->result = REAL(ioctl)(unregistering->fd, UFFDIO_UNREGISTER, range);
    unregistering->failure = errno;
    if (unregistering->result == 0)
        handled_forget(range->start, range->start + range->len);
}

static int unregister_range(int fd, struct uffdio_range *range) {
    struct unregistering unregistering = {fd, range, -1, 0};
    cycle_while_idle(unregister_in_place, &unregistering);
    errno = unregistering.failure;
    return unregistering.result;
}

static bool heap_is_handled(void) {
    return handled_kind(heap.objects.start, heap.objects.start + heap.objects.reserved);
}

static const char *ask(bool stopped) {
    (void)stopped;
    if (heap_is_handled())
        handled_settle();
    if (heap_is_handled())
        return "a thread of the program's hands out pages of the heap";
    return NULL;
}

void ioctl_start(void) { roots_ask(ask); }

static struct requests usb, displays; /* by the request's address; by descriptor */

/* A request that the device has taken comes back by its address. */
static int submit_to_usb(int fd, const struct usbdevfs_urb *request) {
    struct usbdevfs_urb copy = {0};
    uint64_t name = (uintptr_t)request;
    bool known = requests_read(&copy, name, sizeof copy);
    uint64_t words[] = {name, (uintptr_t)copy.buffer, (uintptr_t)copy.usercontext};
    struct requests_lock lock = requests_lock();
    if (known)
        requests_submit(&usb, name, words, sizeof words / sizeof *words);
    requests_unlock(lock);
    int result = REAL(ioctl)(fd, USBDEVFS_SUBMITURB, request), failure = errno;
    if (known && result != 0) {
        lock = requests_lock();
        requests_finish(&usb, name);
        requests_unlock(lock);
    }
    errno = failure;
    return result;
}

static int reap_from_usb(int fd, unsigned long operation, void **request) {
    int result = REAL(ioctl)(fd, operation, request), failure = errno;
    if (result == 0) {
        struct requests_lock lock = requests_lock();
        requests_finish(&usb, (uintptr_t)*request);
        requests_unlock(lock);
    }
    errno = failure;
    return result;
}

/* Of drm/drm_mode.h and drm/drm.h, which need not be there: the operations that end in an event,
 * and where in their arguments the program's datum stands. */
enum {
    DISPLAY_WAIT_VERTICAL = 0x3a,
    DISPLAY_QUEUE_SEQUENCE = 0x3c,
    DISPLAY_FLIP = 0xb0,
    DISPLAY_CHANGE = 0xbc
};

static const unsigned char *datum_of(unsigned long operation, const unsigned char *argument) {
    switch (_IOC_NR(operation)) {
    case DISPLAY_WAIT_VERTICAL:
        return argument + 8;
    case DISPLAY_QUEUE_SEQUENCE:
        return argument + 16;
    case DISPLAY_FLIP:
        return argument + 16;
    case DISPLAY_CHANGE:
        return argument + 48;
    default:
        return NULL;
    }
}

/* Events are read like any file, so nobody sees which data come back. They stay held; a program
 * has few. */
static int ask_display(int fd, unsigned long operation, void *argument) {
    const unsigned char *from = datum_of(operation, argument);
    uint64_t datum;
    if (from && requests_read(&datum, (uintptr_t)from, sizeof datum)) {
        struct requests_lock lock = requests_lock();
        requests_keep(&displays, fd, datum);
        requests_unlock(lock);
    }
    return REAL(ioctl)(fd, operation, argument);
}

static bool is_of_display(unsigned long operation) {
    return _IOC_TYPE(operation) == 'd' && datum_of(operation, NULL) != NULL;
}

__attribute__((noinline)) int ioctl_seen(int fd, unsigned long operation, void *argument) {
    if (operation == UFFDIO_REGISTER)
        return register_range(fd, argument);
    if (operation == UFFDIO_UNREGISTER)
        return unregister_range(fd, argument);
    if (operation == USBDEVFS_SUBMITURB)
        return submit_to_usb(fd, argument);
    if (operation == USBDEVFS_REAPURB || operation == USBDEVFS_REAPURBNDELAY)
        return reap_from_usb(fd, operation, argument);
    return ask_display(fd, operation, argument);
}

bool ioctl_is_watched(unsigned long operation) {
    switch (_IOC_TYPE(operation)) {
    case UFFDIO:
        return operation == UFFDIO_REGISTER || operation == UFFDIO_UNREGISTER;
    case 'U':
        return operation == USBDEVFS_SUBMITURB || operation == USBDEVFS_REAPURB ||
               operation == USBDEVFS_REAPURBNDELAY;
    case 'd':
        return is_of_display(operation);
    default:
        return false;
    }
}

/* By its own name in C, since libc's takes any number of arguments. */
int ioctl_entered(int fd, unsigned long operation, void *argument) __asm__("ioctl");
TITHE_EXPORT int ioctl_entered(int fd, unsigned long operation, void *argument) {
    if (__builtin_expect(ioctl_is_watched(operation), 0) && !cycle_is_ended())
        return ioctl_seen(fd, operation, argument);
    return REAL(ioctl)(fd, operation, argument);
}
