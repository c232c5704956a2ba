/* The process's memory as the kernel sees it: which maps exist, which of their pages are resident,
 * and a way to read them that survives their going away.
 *
 * Everything here works on a stopped or a running process and never faults: a page that vanished is
 * merely not read. One thread at a time opens; any number may ask. Needs /proc.
 */
#ifndef TITHE_OS_MAPS_H
#define TITHE_OS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum map_kind {
    MAP_KIND_MEMORY,     /* anonymous memory, private or shared (memfd, shm, deleted file too) */
    MAP_KIND_MAIN_STACK, /* the main thread's stack */
    MAP_KIND_FILE,       /* a file on disk: code, data segments, mapped data */
    MAP_KIND_OTHER       /* devices and the kernel's own pages: never read */
};

struct map {
    uintptr_t start, end;
    enum map_kind kind;
    bool readable, writable, executable, shared;
    bool
        cached; /* memory that is kept beside the page table: shared, or of a file without a name */
};

/* Opens what the following need, or finds it open still; in a thread of the program's
 * (os/descriptor.h). False when there is no way to read memory safely. */
bool maps_open(void);

/* True while nobody has closed it. */
bool maps_are_open(void);

/* In the child of a fork: closes what belongs to the parent. */
void maps_after_fork(void);

/* True where memory can only be read through a file, which the program may close while it runs. */
bool maps_are_copied_by_file(void);

/* Calls visit for each map in address order. False when the list could not be read whole: then
 * roots cannot be known. The program must not run meanwhile, or what it maps and unmaps may be
 * missed. */
bool maps_each(void (*visit)(const struct map *map, void *context), void *context);

/* The same for those that are writable, and perhaps for others, where it is quicker that way. */
bool maps_each_writable(void (*visit)(const struct map *map, void *context), void *context);

/* Calls visit for each run of resident pages inside [start, end), never one read as zeros only
 * because nothing was written there. private_only leaves out pages that still equal their file. */
void maps_resident(uintptr_t start, uintptr_t end, bool private_only,
                   void (*visit)(uintptr_t start, uintptr_t end, void *context), void *context);

/* The same for a map with memory beside the page table: pages that this process has not touched
 * since they were mapped count, too. */
void maps_resident_cached(uintptr_t start, uintptr_t end,
                          void (*visit)(uintptr_t start, uintptr_t end, void *context),
                          void *context);

/* Copies up to bytes from an address that may vanish meanwhile. Returns how many came; a hole ends
 * the copy, so less than asked for means that the byte after is unreadable. */
size_t maps_read(void *to, uintptr_t from, size_t bytes);

/* True once the kernel has refused to read memory for another reason than that there is none: a
 * filter the program has installed since. Then what was read is not to be relied on. */
bool maps_are_refused(void);

/* How residency is found out: "pagemap_scan", "pagemap" or "mincore". */
const char *maps_method(void);

#endif
