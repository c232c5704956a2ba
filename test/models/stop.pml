/* Stopping the world: the state word of each thread, the stop signal and its handler, threads that
 * are frozen because they run on their alternate stack, and stops that are cancelled. README.md
 * says what is proved and what each macro breaks.
 *
 * A state word is a state and, where the state belongs to a stop, the epoch of that stop. The epoch
 * is odd from the beginning of a stop to its end. Each statement, and each atomic block, is one
 * access to a shared word; memory is sequentially consistent. Signals queue up, and come when the
 * thread is on its own stack and not in the handler, at any time after they were sent. With
 * QUEUE_FILLS the kernel may have no room for one; then one goes to the process, and whichever thread
 * could take a signal takes it.
 */
#ifndef THREADS
#define THREADS 2
#endif
#ifndef STOPS
#define STOPS 2 /* stops that succeed */
#endif
#ifndef CANCELS
#define CANCELS 1
#endif
#ifndef FREEZES
#define FREEZES 2 /* of each thread */
#endif

mtype = { RUNNING, STOPPING, STOPPED, FROZEN, HELD };

mtype state[THREADS] = RUNNING;
byte stop_of[THREADS];
byte epoch;
bool stirred; /* somebody has acknowledged since the collector last read the count of that */
byte signals[THREADS];
bool queue_full; /* met in this stop */
bool plain_sent; /* one to the process is on its way */
bool plain;      /* the kernel has it */
byte collections; /* who parks on the alternate stack waits for the end of one */
bool over;        /* the collector stops nobody any more */

/* What only the assertions know. */
bool on_own_stack[THREADS] = true; /* not from an acknowledgement until the thread may go on */
bool asleep[THREADS];

ltl collector_finishes { <> over }
ltl sleeper_wakes { [] (asleep[0] -> <> !asleep[0]) }

inline sleep_while_epoch(me, seen) {
    asleep[me] = true;
    atomic { epoch != seen -> asleep[me] = false }
}

#ifdef HANDLER_IGNORES_EPOCH
#define SAME_STOP true
#else
#define SAME_STOP (stop_of[me] == seen)
#endif

inline handle_signal(me) {
    atomic {
        signals[me]--;
        seen = (state[me] == STOPPING -> stop_of[me] : 0)
    }
    obey_signal(me)
}

inline handle_plain(me) {
    plain_sent = false;
    seen = (state[me] == STOPPING -> stop_of[me] : 0);
    if
    :: seen == 0 -> stirred = true
    :: else
    fi;
    obey_signal(me)
}

inline obey_signal(me) {
    if
    :: atomic {
           seen != 0 && state[me] == STOPPING && SAME_STOP ->
           state[me] = STOPPED;
           on_own_stack[me] = false
       }
       stirred = true;
       sleep_while_epoch(me, seen);
       on_own_stack[me] = true
    :: else
    fi;
    seen = 0
}

/* All signals are masked from here until the thread is back on its own stack. */
inline enter_frozen(me) {
#ifdef ENTRY_IGNORES_STOPPING
    atomic { state[me] = FROZEN; on_own_stack[me] = false }
#else
    if
    :: atomic { state[me] == RUNNING -> state[me] = FROZEN; on_own_stack[me] = false }
    :: atomic { state[me] == STOPPING -> state[me] = HELD; on_own_stack[me] = false }
#ifndef ENTRY_DOES_NOT_STIR
       stirred = true
#endif
    fi
#endif
}

inline leave_frozen(me) {
    do
#ifdef LEAVE_UNCHECKED
    :: state[me] == FROZEN ->
       atomic { state[me] = RUNNING; on_own_stack[me] = true }
       break
#else
    :: atomic { state[me] == FROZEN -> state[me] = RUNNING; on_own_stack[me] = true }
       break
#endif
    :: atomic { state[me] == HELD -> seen = stop_of[me] }
       sleep_while_epoch(me, seen);
       seen = 0
    :: state[me] != FROZEN && state[me] != HELD -> assert(false)
    od
}

inline work_on_alternate_stack(me) {
    if
    :: skip
    :: atomic { seen = collections; asleep[me] = true }
       atomic { collections != seen || over -> asleep[me] = false; seen = 0 }
    fi
}

proctype mutator(byte me) {
    byte freezes = FREEZES, seen;
    do
    :: signals[me] > 0 -> handle_signal(me)
    :: atomic { plain -> plain = false } handle_plain(me)
    :: freezes > 0 ->
       freezes--;
       enter_frozen(me);
       work_on_alternate_stack(me);
       leave_frozen(me)
    :: over && signals[me] == 0 -> break
    od
}

inline send_plain() {
    if
    :: atomic { !plain_sent -> plain_sent = true }
       plain = true
    :: else
    fi
}

inline ask(thread) {
    if
    :: atomic { state[thread] == RUNNING -> state[thread] = STOPPING; stop_of[thread] = epoch }
       if
       :: signals[thread]++
#ifdef QUEUE_FILLS
       :: queue_full = true;
          send_plain()
#endif
       fi
    :: atomic { state[thread] == FROZEN -> state[thread] = HELD; stop_of[thread] = epoch }
    fi
}

inline release(thread) {
    if
    :: atomic { state[thread] == STOPPED -> state[thread] = RUNNING }
#ifdef HELD_TO_RUNNING
    :: atomic { state[thread] == HELD -> state[thread] = RUNNING }
#else
    :: atomic { state[thread] == HELD -> state[thread] = FROZEN }
#endif
#ifdef CANCEL_BY_STORE
    :: state[thread] == STOPPING ->
       state[thread] = RUNNING
#else
    :: atomic { state[thread] == STOPPING -> state[thread] = RUNNING }
#endif
    fi
}

#define each_thread for (thread : 0 .. THREADS - 1)

/* Whether every thread has acknowledged; if not, the stop may be cancelled. */
inline wait_for_all() {
    do
    :: stirred = false;
       complete = true;
       each_thread { complete = complete && state[thread] != STOPPING }
#ifndef PLAIN_SENT_ONCE
       if
       :: !complete && queue_full -> send_plain()
       :: else
       fi;
#endif
       if
       :: complete -> break
       :: !complete && stirred
       :: !complete && cancels > 0 -> cancels--; break
       fi
    od
}

inline check_stopped() {
    each_thread { assert(!on_own_stack[thread]) }
}

proctype collector() {
    byte thread, stops = STOPS, cancels = CANCELS;
    bool complete;
    do
    :: stops > 0 ->
       queue_full = false;
       epoch++;
       each_thread { ask(thread) }
       wait_for_all();
       if
       :: complete ->
          check_stopped();
          collections++;
          check_stopped();
          stops--
       :: else
       fi;
       each_thread { release(thread) }
       epoch++
    :: stops == 0 -> break
    od;
    over = true
}

init {
    byte next;
    atomic {
        run collector();
        for (next : 0 .. THREADS - 1) { run mutator(next) }
    }
}
