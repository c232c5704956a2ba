/* The allocation lock shared by many who only read what it guards: no collection stops the world
 * meanwhile, and nobody who takes it for himself alone is in it. The first of them takes it for
 * all, and the last gives it.
 */
#include "api/api.h"

#include "weak/table.h"

static struct lock count_lock = LOCK_OF(RANK_READERS); /* before weak_lock */
static unsigned readers;                               /* with count_lock */

static void enter(void) {
    lock_take(&count_lock);
    if (readers++ == 0) {
        lock_take(&weak_lock);
        lock_lend(&weak_lock);
    }
    lock_give(&count_lock);
}

static void leave(void) {
    lock_take(&count_lock);
    if (--readers == 0) {
        lock_take_back(&weak_lock);
        lock_give(&weak_lock);
    }
    lock_give(&count_lock);
}

/* What a lock is given with is seen by whoever takes it next, whether that was asked for or not. */
void *GC_call_with_reader_lock(GC_fn_type function, void *argument, int release) {
    (void)release;
    enter();
    api_count_program_lock(1);
    void *result = function(argument);
    api_count_program_lock(-1);
    leave();
    return result;
}

/* The fork had weak_lock, so nobody read; another thread may have been about to. */
void readers_after_fork(void) {
    lock_reset(&count_lock);
    readers = 0;
}
