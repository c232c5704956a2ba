/* Threads that have ended and were not joined: the results they hold for whoever joins them.
 *
 * libc keeps a thread's result in the thread's descriptor, to which pthread_self points, until the
 * thread is joined; then the result is in the joiner's hands. Nobody tells us of a join that is not
 * GC_pthread_join's, but it writes to the descriptor where the thread's number was, whose place in
 * it every thread can find. A detached thread has no result. Alone only: under the preload all
 * memory of libc's is a root.
 *
 * The table's entries: the key is the handle, that is what pthread_self was. Under weak_lock.
 */
#include "api/api.h"

#include "mark/scan.h"
#include "os/memory.h"
#include "os/tasks.h"
#include "weak/table.h"

#include <pthread.h>

enum { END, NUMBER, SUSPENDED }; /* the words of an entry */

/* How much is read where the descriptor lies on no stack, whose end would be its own: main's. */
enum { DESCRIPTOR_BYTES = 4096, NUMBER_MOST = 1024 };

static struct weak_table ended;

/* Where descriptors have the thread's number, from their start; 0: not found. */
static size_t number_at;

static size_t find_number(uintptr_t start) {
    for (size_t at = sizeof(int); at < NUMBER_MOST; at += sizeof(int))
        if (*(const volatile int *)(start + at) == tasks_self())
            return at;
    return 0;
}

void ended_start(void) { number_at = find_number((uintptr_t)pthread_self()); }

/* Where descriptors are found to have it: the number of a thread that can be joined. */
static int number_of(uintptr_t handle) {
    return number_at ? *(const volatile int *)(handle + number_at) : 0;
}

/* Where the calling thread's descriptor ends; 0 when nobody can join the thread. */
static uintptr_t end_of_descriptor(uintptr_t start) {
    pthread_attr_t attributes;
    void *low;
    size_t bytes;
    int detached = PTHREAD_CREATE_DETACHED;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return start + DESCRIPTOR_BYTES;
    pthread_attr_getdetachstate(&attributes, &detached);
    bool known = pthread_attr_getstack(&attributes, &low, &bytes) == 0;
    pthread_attr_destroy(&attributes);
    if (detached == PTHREAD_CREATE_DETACHED)
        return 0;
    return known && start - (uintptr_t)low < bytes ? (uintptr_t)low + bytes
                                                   : start + DESCRIPTOR_BYTES;
}

/* Without memory for an entry the result is lost sooner than the program is. */
void ended_note(void) {
    uintptr_t handle = (uintptr_t)pthread_self(), end = end_of_descriptor(handle);
    if (end == 0)
        return;
    lock_take(&weak_lock);
    struct weak_entry *entry = weak_table_find(&ended, handle);
    if (entry == NULL)
        entry = weak_table_add(&ended, handle);
    if (entry) {
        entry->words[END] = end;
        entry->words[NUMBER] = tasks_self();
        entry->words[SUSPENDED] = 0;
    }
    lock_give(&weak_lock);
}

int ended_number(uintptr_t handle) {
    lock_take(&weak_lock);
    const struct weak_entry *entry = weak_table_find(&ended, handle);
    int number = entry ? (int)entry->words[NUMBER] : number_of(handle);
    lock_give(&weak_lock);
    return number;
}

void ended_forget(uintptr_t handle, int number) {
    lock_take(&weak_lock);
    struct weak_entry *entry = weak_table_find(&ended, handle);
    if (entry && (number == 0 || (int)entry->words[NUMBER] == number))
        weak_table_remove(&ended, entry);
    lock_give(&weak_lock);
}

static bool forget_entry(struct weak_entry *entry, void *unused) {
    (void)entry, (void)unused;
    return false;
}

void ended_forget_all(void) { weak_table_filter(&ended, forget_entry, NULL); }

void ended_suspend(uintptr_t handle, bool suspended) {
    lock_take(&weak_lock);
    struct weak_entry *entry = weak_table_find(&ended, handle);
    if (entry)
        entry->words[SUSPENDED] = suspended;
    lock_give(&weak_lock);
}

bool ended_is_suspended(uintptr_t handle) {
    lock_take(&weak_lock);
    const struct weak_entry *entry = weak_table_find(&ended, handle);
    bool suspended = entry && entry->words[SUSPENDED];
    lock_give(&weak_lock);
    return suspended;
}

/* While the thread has not quite ended its number is there, and then 0, until somebody joins it and
 * its memory goes, or gets another thread. */
static bool is_joined(uintptr_t handle, int number) {
    int found;
    if (number_at == 0)
        return false;
    if (memory_read(&found, handle + number_at, sizeof found) != sizeof found)
        return !memory_is_refused();
    return found != 0 && found != number;
}

static bool push_result(struct weak_entry *entry, void *marker) {
    uintptr_t handle = weak_hide(entry->hidden_key);
    if (is_joined(handle, entry->words[NUMBER]))
        return false;
    scan_foreign(marker, handle, entry->words[END], SCAN_STACK);
    return true;
}

void ended_push_results(struct marker *marker) {
    if (api_stands_alone)
        weak_table_filter(&ended, push_result, marker);
}
