/* One look at all that holds requests; see beyond.h. */
#include "beyond.h"

#include "altstack.h"
#include "linux_aio.h"
#include "queued.h"
#include "requests.h"
#include "rings.h"

#include "os/handled.h"
#include "os/maps.h"
#include "roots/roots.h"
#include "roots/unknown.h"

#include <stddef.h>

static void begin_walk(void) {
    struct requests_lock lock = requests_lock();
    rings_begin_walk();
    aio_begin_walk();
    requests_unlock(lock);
}

static void visit_map(const struct map *map, struct marker *marker) {
    struct requests_lock lock = requests_lock();
    if (map->requests == MAP_RING)
        rings_visit_map(map, marker);
    else
        aio_visit_map(map);
    requests_unlock(lock);
}

static void end_walk(struct marker *marker) {
    struct requests_lock lock = requests_lock();
    if (requests_are_lost())
        roots_cannot_know("out of memory for what the kernel holds");
    rings_end_walk(marker);
    aio_end_walk(marker != NULL);
    if (marker)
        queued_settle();
    else
        handled_settle();
    requests_unlock(lock);
}

static const char *ask(bool stopped) {
    struct requests_lock lock = requests_lock();
    const char *why = rings_why_unknown(stopped);
    requests_unlock(lock);
    return why;
}

void beyond_start(void) {
    roots_beyond = (struct roots_beyond){begin_walk, visit_map, end_walk};
    roots_ask(ask);
}

void beyond_after_fork(void) {
    altstack_after_fork();
    rings_after_fork();
    queued_after_fork();
}
