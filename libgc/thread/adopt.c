/* Looks at the kernel's list; see adopt.h. */
#include "thread/adopt.h"

#include "os/tasks.h"
#include "thread/thread.h"

static bool adopt_unknown(int tid, void *context) {
    struct adopt_look *look = context;
    if (thread_by_id(tid))
        return true;
    if (tasks_needs_no_stop(tid)) {
        look->dead++;
        look->dead_sum += tid;
        return true;
    }
    look->adopted++;
    return thread_adopt(tid) != NULL;
}

static bool are_same_dead(const struct adopt_look *one, const struct adopt_look *other) {
    return one->dead == other->dead && one->dead_sum == other->dead_sum;
}

static unsigned count_present(void) {
    unsigned present = 0;
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        present += thread_state(thread) != THREAD_GONE && thread->tid != 0;
    return present;
}

/* The main thread is counted by the kernel until the last one ends. */
static bool main_is_dead(void) {
    return !thread_by_id(tasks_process()) && tasks_is_gone(tasks_process());
}

void adopt_begin(struct adoption *adoption) {
    *adoption = (struct adoption){.main_dead = main_is_dead()};
    adoption->dead = adoption->main_dead;
}

/* Dead threads count if two looks have found the same: one that was alive a moment ago may have
 * left a new one behind that takes its place in the number. */
enum adopt_answer adopt_missing(struct adoption *adoption) {
    int count = tasks_count();
    if (count >= 0 && (unsigned)count == count_present() + adoption->dead)
        return ADOPT_COMPLETE;
    struct adopt_look look = {0};
    if (!tasks_each(adopt_unknown, &look))
        return ADOPT_FAILED;
    bool settled =
        look.adopted == 0 && adoption->has_looked && are_same_dead(&look, &adoption->last);
    adoption->dead = settled ? look.dead : adoption->main_dead;
    adoption->last = look;
    adoption->has_looked = true;
    return count < 0 && settled ? ADOPT_COMPLETE : ADOPT_AGAIN;
}
