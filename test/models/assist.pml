/* Marking by background workers and by assists: entering and leaving, completion, rounds, credit,
 * parking and the end of the cycle. README.md says what is proved and what each macro breaks.
 *
 * A unit is a root job or a grey span; scanning it earns one byte of credit. Each statement, and
 * each atomic block, is one access to a shared word, except that a bump of the wake word and the
 * futex wake after it are one step: a sleeper is woken late or early, never differently. Memory is
 * sequentially consistent here, so the C code needs full barriers wherever two words are related.
 *
 * The phase word holds {version, markers, state}. Every entry and every new round moves the version
 * on, and it never comes round again; so a compare-and-swap of a value got by leaving succeeds just
 * when nobody has entered since, which is what `last_leaver` says. SEPARATE_COUNT keeps the count
 * of markers in a word of its own, and a round number in the phase word instead.
 */
#ifndef MUTATORS
#define MUTATORS 2
#endif
#ifndef WORKERS
#define WORKERS 1
#endif
#ifndef ALLOCATIONS
#define ALLOCATIONS 1 /* of each mutator; each charges CHARGE */
#endif
#ifndef CHARGE
#define CHARGE 2
#endif
#ifndef QUANTUM
#define QUANTUM 2 /* an assist marks at least so much */
#endif
#ifndef GROWTH
#define GROWTH 2 /* units found by scanning, in all */
#endif
#ifndef ROUNDS
#define ROUNDS 1 /* rounds that may follow the first */
#endif
#ifndef SCANS
#define SCANS 1 /* stacks scanned inside a signal handler, in all */
#endif

#define THREADS (MUTATORS + WORKERS)
#define NOBODY 255
#define BIT(thread) (1 << (thread))

mtype = { OFF, MARKING, COMPLETE, ENDING };

/* The phase word; the round counts completions for the assertions. */
mtype state = MARKING;
byte markers;
byte last_leaver = NOBODY;
byte round = 1;

byte queue = 1;
byte growth = GROWTH;
byte rounds = ROUNDS;
byte scans = SCANS;

/* The wake word: whose reading of it is still current, and who sleeps on it. */
byte current, asleep;

/* Credit. Under the lock: the queue of parked threads, and debts of those in it. */
bool locked;
short debt[MUTATORS];
byte pool;
byte unflushed[2]; /* of each worker */
chan fifo = [MUTATORS] of { byte };
byte parked; /* a bit is cleared to wake its thread */

bool stopped; /* no thread moves on its own stack, except who stopped the others */

/* What only the assertions know. */
byte in_hand; /* units being scanned */
byte finds, claims;
byte owing; /* scanned by workers and not yet taken off anybody's debt */

#define SLEEPS(thread) (((asleep | parked) & BIT(thread)) != 0)
#define NOTHING_LEFT (queue == 0 && in_hand == 0)
#define EARNED_IS_KEPT (owing == pool + unflushed[0] + unflushed[1])

#if WORKERS > 0
ltl cycle_ends { <> (state == OFF) }
#endif
ltl sleeper_wakes { [] (SLEEPS(0) -> <> !SLEEPS(0)) }

inline wake_all() { atomic { current = 0; asleep = 0 } }

inline wake() {
#ifdef WAKE_ONE
    atomic {
        current = 0;
        if
        :: asleep == 0
        :: (asleep & BIT(0)) -> asleep = asleep & ~BIT(0)
        :: (asleep & BIT(1)) -> asleep = asleep & ~BIT(1)
        :: (asleep & BIT(2)) -> asleep = asleep & ~BIT(2)
        fi
    }
#else
    wake_all()
#endif
}

/* Sleeps until there may be work or something to claim. After the end a worker may sleep on. */
inline sleep_for_work(me) {
    current = current | BIT(me);
#ifndef SLEEP_WITHOUT_RECHECK
    if
    :: state == MARKING ->
       may_sleep = queue == 0
    :: state == ENDING -> may_sleep = true
    :: state == COMPLETE || state == OFF
    fi;
#else
    may_sleep = true;
#endif
    if
    :: atomic { may_sleep && (current & BIT(me)) -> asleep = asleep | BIT(me) }
       !(asleep & BIT(me)) || (me >= MUTATORS && state == OFF)
    :: !(may_sleep && (current & BIT(me)))
    fi;
    atomic { may_sleep = false; current = current & ~BIT(me) }
}

/* Entering, for who sees that marking is on; `entered` says whether it is a marker now. */
#if defined(SEPARATE_COUNT)
#define ENTER(me)                                                                                  \
    atomic { state == MARKING -> seen_round = round };                                             \
    markers++;                                                                                     \
    if                                                                                             \
    :: atomic { state == MARKING && round == seen_round -> entered = true }                        \
    :: atomic { !(state == MARKING && round == seen_round) -> entered = false; markers-- }         \
    fi
#elif defined(ENTRY_UNCHECKED)
#define ENTER(me)                                                                                  \
    state == MARKING;                                                                              \
    atomic { markers++; last_leaver = NOBODY; entered = true }
#else
#define ENTER(me)                                                                                  \
    atomic { state == MARKING -> markers++; last_leaver = NOBODY; entered = true }
#endif

#if defined(SEPARATE_COUNT)
#define UNCHANGED(me) (state == MARKING && round == seen_round)
#elif defined(COMPARE_WITHOUT_VERSION)
#define UNCHANGED(me) (state == MARKING && markers == 0)
#else
#define UNCHANGED(me) (state == MARKING && markers == 0 && last_leaver == me)
#endif

inline find_completion(me) {
    atomic {
        if
        :: UNCHANGED(me) ->
            assert(NOTHING_LEFT && markers == 0);
            state = COMPLETE;
            finds++;
            assert(finds == round);
            found = true
        :: else
        fi
    }
}

#ifdef QUEUE_BEFORE_LEAVING
#define LOOK_BEFORE was_empty = queue == 0
#define SEEN_EMPTY was_empty
#else
#define LOOK_BEFORE skip
#define SEEN_EMPTY (queue == 0)
#endif

/* Leaving. Sets found if this marker found that the round is complete. */
inline leave(me) {
    LOOK_BEFORE;
    atomic {
        markers--;
        last_leaver = (markers == 0 -> me : last_leaver);
        last = markers == 0
    }
    if
    :: last && SEEN_EMPTY -> find_completion(me)
    :: else
    fi;
    atomic { last = false; was_empty = false }
}

/* With a unit in hand: pushes what it leads to. */
inline scan_unit() {
    do
    :: atomic { growth > 0 && queue == 0 -> growth--; queue++ }
       wake()
    :: atomic { growth > 0 && queue > 0 -> growth--; queue++ }
    :: break
    od
}

inline open_round() {
    rounds--;
#ifdef ROUND_BEFORE_JOBS
    atomic { state = MARKING; round++; last_leaver = NOBODY }
    queue++;
#else
    queue++;
    atomic { state = MARKING; round++; last_leaver = NOBODY }
#endif
    wake()
}

inline wake_parked() {
    atomic {
        !locked;
        do
        :: fifo?thread -> parked = parked & ~BIT(thread)
        :: empty(fifo) -> break
        od;
        thread = 0
    }
}

inline end_cycle() {
    atomic { assert(NOTHING_LEFT && markers == 0); stopped = true }
    queue++; /* the rescan found something */
    atomic { assert(queue == 1); queue--; in_hand++ }
    in_hand--;
#ifdef END_WAKES_FIRST
    wake_parked();
#endif
    atomic { assert(NOTHING_LEFT && markers == 0); state = OFF }
#ifndef END_WAKES_FIRST
    wake_parked();
#endif
    wake_all();
    stopped = false
}

/* Claims a completed round, if nobody else has, and goes on to the next one or to the end. */
inline mark_done() {
#ifdef CLAIM_UNCHECKED
    if
    :: state == COMPLETE ->
       atomic { state = ENDING; claims++; assert(claims == finds) }
#else
    if
    :: atomic { state == COMPLETE -> state = ENDING; claims++; assert(claims == finds) }
#endif
       if
       :: rounds > 0 -> open_round()
       :: end_cycle()
       fi
    :: state != COMPLETE
    fi
}

/* Takes credit off a debt. */
inline pay(debtor, bytes) {
    owing = owing - bytes;
    debt[debtor] = debt[debtor] - bytes
}

inline take_from_pool(me) {
    amount = (pool < debt[me] -> pool : debt[me]);
    pool = pool - amount;
    pay(me, amount);
    amount = 0
}

/* Pays the parked threads in order; who is not paid in full goes to the tail. */
inline flush_credit(own) {
    atomic {
        !locked;
        do
        :: own > 0 && nempty(fifo) ->
            fifo?thread;
            if
            :: debt[thread] <= own ->
                own = own - debt[thread];
                pay(thread, debt[thread]);
                parked = parked & ~BIT(thread)
            :: else ->
#ifndef PARTIAL_PAYMENT_LOST
                pay(thread, own);
#endif
                own = 0;
                fifo!thread
            fi
        :: own == 0 || empty(fifo) -> break
        od;
        pool = pool + own;
        own = 0;
        thread = 0;
        assert(EARNED_IS_KEPT)
    }
}

/* On the alternate stack, in debt, with no work found. */
inline park(me) {
#ifdef PARK_WITHOUT_PHASE
    if
    :: state == MARKING ->
       atomic { !locked -> locked = true }
       atomic { may_park = true }
#else
    if
    :: atomic { !locked -> locked = true }
#ifdef END_WAKES_FIRST
       may_park = state != OFF;
#else
       may_park = state == MARKING;
#endif
#endif
       if
       :: atomic { may_park && pool > 0 -> take_from_pool(me) }
       :: else
       fi;
       if
       :: atomic {
              may_park && debt[me] > 0 ->
              may_park = false;
              parked = parked | BIT(me);
              fifo!me;
              locked = false
          }
          !(parked & BIT(me))
       :: atomic { else -> may_park = false; locked = false }
       fi
#ifdef PARK_WITHOUT_PHASE
    :: state != MARKING
#endif
    fi
}

/* Scanning the own stack in a signal handler: a short marker that may not run mark_done. */
inline scan_stack(me) {
    if
    :: ENTER(me);
       if
       :: entered ->
          if
          :: atomic { queue > 0 -> queue--; in_hand++ }
             scan_unit();
             in_hand--
          :: queue == 0
          fi;
          leave(me);
          if
          :: found ->
#ifndef SCAN_DOES_NOT_WAKE
             wake();
#endif
             found = false
          :: else
          fi
       :: else
       fi
    :: state != MARKING
    fi;
    entered = false
}

/* On the alternate stack: pays the debt by marking, or sleeps until it is paid or there is work. */
inline assist(me) {
#ifndef PARAM_KEPT
    param = false;
#endif
    found = false;
    quota = (debt[me] < QUANTUM -> QUANTUM : debt[me]);
    if
    :: ENTER(me);
       if
       :: entered ->
          do
          :: atomic { quota > 0 && queue > 0 -> queue--; in_hand++ }
             scan_unit();
             atomic { in_hand--; debt[me] = debt[me] - 1; quota-- }
          :: quota == 0 || queue == 0 -> break
          od;
          leave(me);
          param = param || found
       :: else
       fi
    :: state != MARKING
    fi;
    entered = false;
    quota = 0;
    if
    :: debt[me] > 0 && !param ->
#if WORKERS == 0 && !defined(PARK_WITHOUT_WORKERS)
       sleep_for_work(me)
#else
       park(me)
#endif
    :: else
    fi
}

/* What it does on its own stack happens only while the world is not stopped. */
proctype mutator(byte me) {
    byte allocations = ALLOCATIONS, quota, amount, thread, seen_round;
    bool entered, found, last, was_empty, param, may_park, may_sleep;
    do
    :: atomic {
           !stopped && debt[me] <= 0 && allocations > 0 && state != COMPLETE ->
           allocations--;
           debt[me] = debt[me] + (state == MARKING -> CHARGE : 0)
       }
    :: !stopped && state == COMPLETE && (debt[me] > 0 || allocations > 0) -> mark_done()
    :: atomic { !stopped && debt[me] > 0 && (state == OFF || state == ENDING) -> debt[me] = 0 }
#ifdef LOCK_ON_OWN_STACK
    :: !stopped && debt[me] > 0 && state == MARKING && pool > 0 ->
       atomic { !stopped && !locked -> locked = true }
       atomic { !stopped -> take_from_pool(me); locked = false }
#else
    :: atomic { !stopped && debt[me] > 0 && state == MARKING && pool > 0 -> take_from_pool(me) }
#endif
    :: !stopped && debt[me] > 0 && state == MARKING && pool == 0 ->
       assist(me);
       if
       :: atomic {
              !stopped && param -> assert(found);
#ifndef PARAM_KEPT
              param = false;
#endif
              found = false
          }
          mark_done()
       :: !stopped && !param
       fi
    :: atomic { !stopped && scans > 0 -> scans-- }
       scan_stack(me)
    :: atomic { !stopped && debt[me] <= 0 && allocations == 0 -> break }
    od
}

proctype worker(byte me) {
    byte thread, seen_round;
    bool entered, found, last, was_empty, may_sleep;
    do
    :: state == MARKING && queue > 0 ->
       if
       :: ENTER(me);
          if
          :: entered ->
             do
             :: atomic { queue > 0 -> queue--; in_hand++ }
                scan_unit();
                atomic { in_hand--; unflushed[me - MUTATORS]++; owing++ }
                if
                :: flush_credit(unflushed[me - MUTATORS])
                :: skip
                fi
             :: queue == 0 -> break
             od;
             flush_credit(unflushed[me - MUTATORS]);
             leave(me)
          :: else
          fi
       :: state != MARKING
       fi;
       entered = false;
       if
       :: found -> found = false; mark_done()
       :: else
       fi
    :: state == COMPLETE -> mark_done()
    :: state == OFF -> break
    :: else ->
       sleep_for_work(me)
    od
}

init {
    byte next;
    atomic {
        do
        :: next < MUTATORS -> run mutator(next); next++
        :: next >= MUTATORS && next < THREADS -> run worker(next); next++
        :: next == THREADS -> break
        od
    }
}
