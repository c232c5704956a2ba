/* The maps of the process, as the kernel lists them.
 *
 * Works on a stopped or a running process. One thread at a time opens; any number may ask. Needs
 * /proc.
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

/* Memory that the kernel shares with the program, and in which requests to it wait. */
enum map_requests { MAP_NO_REQUESTS, MAP_RING /* io_uring */, MAP_AIO };

struct map {
    uintptr_t start, end;
    enum map_kind kind;
    enum map_requests requests;
    uint64_t offset, inode;
    bool readable, writable, executable, shared;
    /* Memory that is kept beside the page table: shared, or of a file without a name. */
    bool cached;
    /* memfd_secret: only the process's own loads read it. */
    bool secret;
};

/* Opens the list and what resident.h and memory.h need, or finds it open still; in a thread of the
 * program's (os/descriptor.h). False when there is no list, or no way to read memory safely. */
bool maps_open(void);

/* True while nobody has closed it. */
bool maps_are_open(void);

/* In the child of a fork: closes what belongs to the parent. */
void maps_after_fork(void);

/* Calls visit for each map in address order. False when the list could not be read whole: then
 * roots cannot be known. The program must not run meanwhile, or what it maps and unmaps may be
 * missed. */
bool maps_each(void (*visit)(const struct map *map, void *context), void *context);

/* The same for those that are writable, and perhaps for others, where it is quicker that way. */
bool maps_each_writable(void (*visit)(const struct map *map, void *context), void *context);

/* Calls visit for each map that reaches into [start, end), asking for just these. False where the
 * kernel cannot be asked so. */
bool maps_each_between(uintptr_t start, uintptr_t end,
                       void (*visit)(const struct map *map, void *context), void *context);

/* Those of a sort: the kernel passes over others in some 50 ns each. One with a file is any that is
 * shared, too, whether anybody ever named the file or not. */
enum maps_sort { MAPS_WITH_FILE, MAPS_EXECUTABLE };

/* Finds the first one that reaches behind an address; one at the very end of all memory where there
 * is none. False where the kernel cannot be asked so. */
bool maps_next(uintptr_t address, enum maps_sort sort, struct map *map);

/* Whether the kernel can be asked for single maps. */
bool maps_can_be_asked(void);

#endif
