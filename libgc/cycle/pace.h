/* The pacer: when a cycle begins, how far the heap may grow meanwhile, and what allocating costs.
 *
 * After a cycle the goal is what survived and the root memory that had to be read, plus `percent`
 * of that, but at least half more than `min_heap`, and not more than the memory limit leaves. How
 * much that is, is asked when the heap has a megabyte, and again all the way to the goal. The
 * next cycle begins at the trigger: so far below the goal that the work expected of the mark costs
 * a fixed price for each byte allocated meanwhile, never below `min_heap`. While marking runs, each
 * allocated byte owes so many bytes of marking that the work still expected is done when the goal
 * is reached; the rate is revised as both go on. When collecting takes more than half of the
 * processors' time, nothing is owed until that has fallen: a limit that is too small makes the
 * program slow, and does not stop it.
 *
 * With `gc_every` a cycle is also due each so many allocated bytes, and has to end within as many.
 * Reading is lock-free for any thread; begin, end and cancel are the conductor's.
 */
#ifndef TITHE_CYCLE_PACE_H
#define TITHE_CYCLE_PACE_H

#include <stdbool.h>
#include <stddef.h>

/* No cycle is due before so many bytes more than until now are live. */
void pace_raise_floor(size_t bytes);

/* So many bytes were taken outside of the heap for an object in it, until that is collected. */
void pace_count_beside(size_t bytes);

/* True when a cycle should begin now. */
bool pace_due(void);

/* The same for a thread that asks for so many bytes. With small heaps, where the program's threads
 * begin the cycles, whoever asks for few leaves it to others for a while: a library's own small
 * objects are allocated with its locks held and its lists half changed, and guile 3.0 loses a
 * wakeup when a collection's callback comes while it queues for a mutex. */
bool pace_due_for(size_t bytes);

/* True when the cycle that is due has kept the program waiting for too long: whoever allocates
 * should begin it himself. */
bool pace_overdue(void);

/* True when who is about to allocate so many bytes should look first how much memory is left, so
 * that a limit is known before a cycle is decided on; and that look. In a thread of the program's.
 */
bool pace_wants_look(size_t bytes);
void pace_look(void);

/* The heap cannot have what it wants without exceeding the memory limit. The first looks again how
 * much is left; true if there is a limit. The second is false when so little was allocated since
 * the last mark that another one would find hardly anything. The third lets the heap exceed the
 * limit until the next look; false when nothing was held back. In this order. */
bool pace_look_for_room(void);
bool pace_has_grown(void);
bool pace_exceed_limit(void);

/* True when the memory limit, and not what is alive, says when the next cycle is due. */
bool pace_is_limited(void);

/* True while the heap is below the goal that the next cycle begins for. */
bool pace_has_room(void);

/* From now on the program is stopped for all of a mark that is likely to be short: tracking what is
 * written meanwhile would cost more, and keep more garbage. For programs with small heaps. */
void pace_stop_for_small_marks(void);

/* The percentage has changed: the next cycle sets the goal without regard to what it was. */
void pace_forget_goal(void);

/* The process has so much memory in all, and so many threads: the heap of a small program may grow
 * by a share of that, however little of it is alive, and by more where each stop has many threads
 * to stop. */
void pace_note_process(size_t resident, unsigned threads);

/* True when the mark to come is one of those. */
bool pace_is_small(void);

/* True when it is so much that threads of the collector's own are worth having, or waking, for it.
 */
bool pace_wants_workers(void);

/* Marking begins with so many bytes live, after preparing for it since start (nanoseconds). */
void pace_begin(size_t live, long long start);

/* A round ended that found so many bytes on pages written since the round before. From here on,
 * what is allocated also owes the rescanning of what is written meanwhile, several times over, so
 * that each round finds less than the one before. */
void pace_round(size_t written);

/* Bytes of written pages that a stop should not have to read. */
enum { PACE_MUCH_WRITTEN = 64 << 20 };

/* After the last round, which found so much written: true if the cycle should be given up and be
 * due again later. A program that frees what it allocates is served from its caches: it owes
 * nothing, so nothing slows its writing down, and the stop would have to read the better part of
 * the heap again. Its heap does not grow, so the cycle can wait until it does; but not for ever. */
bool pace_puts_off(size_t written);

/* So many bytes were scanned; revises the rate. */
void pace_work_done(size_t scanned);

/* Bytes of marking that an allocated byte owes now, at least 0. */
double pace_work_per_byte(void);

/* Until told otherwise an allocated byte owes nothing: the mark cannot end for now, whatever
 * allocating threads do for it. */
void pace_forgive(bool all);

/* Bytes scanned in one assist at least: in a large heap few and longer waits spoil fewer operations
 * than many short ones, in a small one none should be long. */
size_t pace_least_assist(void);

/* Threads have spent so many nanoseconds on marking, in assists or as workers. */
void pace_time_spent(long long nanoseconds, bool assisting);

/* A cycle ended with this many bytes live, of which it has found so many reachable; the rest was
 * allocated meanwhile, and most of that is taken to stand for what has become garbage. It has found
 * roots bytes of roots.
 */
void pace_end(size_t live, size_t reached, size_t roots);

/* So many bytes of what the mark that is ending has kept are about to be freed: goal and trigger
 * are to be what they would be if it had found them dead. By the conductor, in the stop.
 */
void pace_expect_freed(size_t bytes);

/* So many bytes of what the mark that is ending has kept are dead, and stay for good: goal and
 * trigger lie by as much above what they would be without them. By the conductor, in the stop. */
void pace_bear(size_t bytes);

/* A cycle was given up; the next one is tried after some more growth. */
void pace_cancel(void);

/* Live bytes: at which the next cycle begins, and which the heap should not exceed in it. */
size_t pace_trigger(void);
size_t pace_goal(void);

/* Of the cycle that ended last, or goes on: nanoseconds of assists and of workers, bytes scanned.
 */
long long pace_assist_time(void);
long long pace_worker_time(void);
size_t pace_scanned(void);

#endif
