/* Weak links, finalizers and all kinds of objects in many threads at once, with a collection every
 * quarter of a megabyte, so that nearly everything happens while one marks.
 *
 * Objects check themselves: each holds its number twice and knows whether it was finalized. A link
 * that is read with the lock held must lead to one that is whole, and that stays so while it is
 * held.
 */
#include "herd.h"
#include "suite.h"

#include "gc/gc_disclaim.h"
#include "gc/gc_mark.h"
#include "gc/gc_typed.h"

#include <pthread.h>

enum {
    THREADS = 4,
    SLOTS = 512,
    ROUNDS = 60000,
    PAUSE = 100000,
    PAUSE_EVERY = 256,
    STAMP = 0x5ca1ab1e
};

/* Its payload is reached by one word; another leads to it without being a pointer. */
struct being {
    GC_word number, check;
    struct being *payload;
    GC_word finalized;
};

static GC_word check_of(GC_word number) { return ~number ^ STAMP; }

static bool is_whole(const struct being *being, GC_word number) {
    return being->number == number && being->check == check_of(number) && !being->finalized;
}

struct slot {
    void *link; /* hidden */
    GC_word number;
};

static struct slot slots[SLOTS];
static GC_word numbers;
static GC_word finalizations;

static void finalize(void *object, void *data) {
    struct being *being = object;
    REQUIRE(is_whole(being, (GC_word)data));
    REQUIRE(being->payload == NULL || is_whole(being->payload, being->number + 1));
    being->finalized = 1;
    __atomic_add_fetch(&finalizations, 1, __ATOMIC_RELAXED);
}

static struct being *make_being(GC_word number, bool with_payload) {
    struct being *being = GC_malloc(sizeof *being);
    being->number = number;
    being->check = check_of(number);
    if (with_payload)
        being->payload = make_being(number + 1, false);
    return being;
}

static unsigned next_random(unsigned *seed) {
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* What a link leads to; NULL when it was cleared. With the lock. */
struct reading {
    struct slot *slot;
    GC_word number;
    int pause;
};

static void *read_link(void *context) {
    struct reading *reading = context;
    void *volatile hidden = reading->slot->link;
    reading->number = reading->slot->number;
    for (int i = 0; i < reading->pause; i++) /* long enough for a stop to come between */
        GC_reachable_here(hidden);
    return hidden ? GC_REVEAL_POINTER(hidden) : NULL;
}

/* Only under the lock are the link and the number of one object. */
struct writing {
    struct slot *slot;
    struct being *being;
};

static void *write_link(void *context) {
    struct writing *writing = context;
    writing->slot->link = writing->being ? (void *)GC_HIDE_POINTER(writing->being) : NULL;
    writing->slot->number = writing->being ? writing->being->number : 0;
    return NULL;
}

static pthread_mutex_t slot_locks[SLOTS];

/* A slot is replaced by one thread at a time, and read by all. It is empty while it is not
 * registered for what it holds. */
static void replace(int index, unsigned *seed) {
    struct slot *slot = &slots[index];
    if (pthread_mutex_trylock(&slot_locks[index]) != 0)
        return;
    GC_call_with_alloc_lock(write_link, &(struct writing){slot, NULL});
    GC_unregister_disappearing_link(&slot->link);
    struct being *being =
        make_being(__atomic_add_fetch(&numbers, 2, __ATOMIC_RELAXED), next_random(seed) % 2);
    GC_call_with_alloc_lock(write_link, &(struct writing){slot, being});
    REQUIRE(GC_general_register_disappearing_link(&slot->link, being) == GC_SUCCESS);
    if (next_random(seed) % 4 == 0)
        GC_register_finalizer_no_order(being, finalize, (void *)being->number, NULL, NULL);
    pthread_mutex_unlock(&slot_locks[index]);
    GC_reachable_here(being);
}

static struct being *read_slot(int index, GC_word *number, int pause) {
    struct reading reading = {&slots[index], 0, pause};
    struct being *being = GC_call_with_alloc_lock(read_link, &reading);
    *number = reading.number;
    return being;
}

/* So that what was wrongly taken for dead is somebody else's now. */
static void use_memory(void) {
    for (int i = 0; i < 3000; i++)
        GC_reachable_here(make_being((GC_word)i, false));
}

static unsigned long found, cleared;

static void *live_on_links(void *context) {
    unsigned seed = (unsigned)(intptr_t)context;
    struct being *held[8] = {NULL};
    GC_word held_numbers[8] = {0};
    for (int i = 0; i < ROUNDS; i++) {
        int index = (int)(next_random(&seed) % SLOTS), hold = (int)(next_random(&seed) % 8);
        if (next_random(&seed) % 3 == 0)
            replace(index, &seed);
        if (held[hold])
            REQUIRE(is_whole(held[hold], held_numbers[hold]));
        held[hold] = read_slot(index, &held_numbers[hold], i % PAUSE_EVERY ? 0 : PAUSE);
        if (i % PAUSE_EVERY == 0)
            use_memory();
        if (held[hold])
            REQUIRE(is_whole(held[hold], held_numbers[hold]));
        __atomic_add_fetch(held[hold] ? &found : &cleared, 1, __ATOMIC_RELAXED);
        GC_reachable_here(GC_malloc(next_random(&seed) % 200));
    }
    return NULL;
}

static void start_storm(void) {
    setenv("TITHE_OPTIONS", "gc_every=256K", 1);
    GC_INIT();
    GC_set_warn_proc(ignore_warning);
    GC_allow_register_threads();
}

static void run_in_threads(void *(*function)(void *)) {
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; i++)
        REQUIRE(GC_pthread_create(&threads[i], NULL, function, (void *)(i + 1)) == 0);
    for (int i = 0; i < THREADS; i++)
        GC_pthread_join(threads[i], NULL);
}

START_TEST(a_link_read_with_the_lock_is_never_dead) {
    start_storm();
    for (int i = 0; i < SLOTS; i++)
        pthread_mutex_init(&slot_locks[i], NULL);
    run_in_threads(live_on_links);
    GC_gcollect();
    GC_invoke_finalizers();
    ck_assert_uint_gt(GC_get_gc_no(), 5);
    ck_assert_uint_gt(found, 1000);
    ck_assert_uint_gt(cleared, 1000);
    ck_assert_uint_gt(finalizations, 1000);
}
END_TEST

/* Every sort of allocation at once; each thread keeps a ring of objects and checks what falls out
 * of it. */

static unsigned typed_kind, procedure_kind;
static GC_descr third_word;
static GC_word closed;

static struct GC_ms_entry *mark_third(GC_word *object, struct GC_ms_entry *top,
                                      struct GC_ms_entry *limit, GC_word argument) {
    (void)argument;
    return GC_MARK_AND_PUSH((void *)object[2], top, limit, (void **)&object[2]);
}

static void close_object(void *object, void *data) {
    (void)data;
    __atomic_add_fetch(&closed, ((struct being *)object)->check == 1, __ATOMIC_RELAXED);
}

static const struct GC_finalizer_closure closure = {close_object, NULL};

enum sort { PLAIN, HELD, TYPED, OF_KIND, OF_PROCEDURE, CHAINED, DEBUGGING, CLOSED, SORTS };

static struct being *allocate(enum sort sort) {
    struct being *first;
    switch (sort) {
    case HELD:
        return GC_malloc_uncollectable(sizeof *first);
    case TYPED:
        return GC_malloc_explicitly_typed(sizeof *first, third_word);
    case OF_KIND:
        return GC_generic_malloc(sizeof *first, (int)typed_kind);
    case OF_PROCEDURE:
        return GC_generic_malloc(sizeof *first, (int)procedure_kind);
    case CHAINED:
        first = GC_malloc_many(sizeof *first);
        GC_NEXT(first) = NULL;
        return first;
    case DEBUGGING:
        return GC_debug_malloc(sizeof *first, "storm", 1);
    case CLOSED:
        return GC_finalized_malloc(sizeof *first, &closure);
    default:
        return GC_malloc(sizeof *first);
    }
}

struct entry {
    struct being *being;
    enum sort sort;
    GC_word number;
};

enum { RING = 400 };

static void check_and_drop(struct entry *entry, unsigned random) {
    struct being *being = entry->being;
    if (being == NULL)
        return;
    REQUIRE(being->number == entry->number && is_whole(being->payload, entry->number + 1));
    if (entry->sort == HELD || (entry->sort == PLAIN && random % 4 == 0))
        GC_free(being);
    else if (entry->sort == DEBUGGING && random % 2)
        GC_debug_free(being);
    entry->being = NULL;
}

static void fill_entry(struct entry *entry, unsigned random) {
    entry->sort = random % SORTS;
    entry->number = random;
    entry->being = allocate(entry->sort);
    REQUIRE(entry->being->number == 0 && entry->being->payload == NULL);
    entry->being->number = random;
    entry->being->check = entry->sort == CLOSED;
    entry->being->payload = make_being(random + 1, false);
    GC_end_stubborn_change(entry->being);
}

static void *live_on_objects(void *context) {
    unsigned seed = (unsigned)(intptr_t)context * 7919;
    struct entry *ring = GC_malloc_uncollectable(RING * sizeof *ring);
    for (int i = 0; i < ROUNDS; i++) {
        struct entry *entry = &ring[next_random(&seed) % RING];
        check_and_drop(entry, next_random(&seed));
        fill_entry(entry, next_random(&seed));
    }
    for (int i = 0; i < RING; i++)
        check_and_drop(&ring[i], 0);
    GC_free(ring);
    return NULL;
}

START_TEST(objects_of_all_sorts_stay_whole) {
    static const GC_word map[] = {4};
    start_storm();
    GC_init_finalized_malloc();
    third_word = GC_make_descriptor(map, 4);
    typed_kind = GC_new_kind(GC_new_free_list(), (GC_word)1 << 61 | GC_DS_BITMAP, 0, 1);
    procedure_kind =
        GC_new_kind(GC_new_free_list(), GC_MAKE_PROC((GC_word)GC_new_proc(mark_third), 0), 0, 1);
    run_in_threads(live_on_objects);
    ck_assert_uint_gt(GC_get_gc_no(), 5);
    ck_assert_uint_gt(closed, 100);
}
END_TEST

/* Registering, moving and taking back by all threads in the same tables. */

static void *live_on_tables(void *context) {
    unsigned seed = (unsigned)(intptr_t)context * 104729;
    void **links = GC_malloc_atomic_uncollectable(SLOTS * sizeof *links);
    struct being *beings[16] = {NULL};
    memset(links, 0, SLOTS * sizeof *links);
    for (int i = 0; i < ROUNDS; i++) {
        unsigned which = next_random(&seed) % 16, from = next_random(&seed) % SLOTS;
        if (beings[which] == NULL || next_random(&seed) % 8 == 0)
            beings[which] = make_being(next_random(&seed), true);
        int status = GC_general_register_disappearing_link(&links[from], beings[which]);
        REQUIRE(status == GC_SUCCESS || status == GC_DUPLICATE);
        links[from] = (void *)GC_HIDE_POINTER(beings[which]);
        unsigned to = next_random(&seed) % SLOTS;
        status = GC_move_disappearing_link(&links[from], &links[to]);
        REQUIRE(status == GC_SUCCESS || status == GC_DUPLICATE);
        if (next_random(&seed) % 2)
            REQUIRE(GC_register_long_link(&links[to], beings[which]) <= GC_DUPLICATE);
        else
            GC_unregister_long_link(&links[to]);
        if (next_random(&seed) % 16 == 0)
            GC_register_finalizer(beings[which], finalize, (void *)beings[which]->number, NULL,
                                  NULL);
    }
    for (int i = 0; i < SLOTS; i++) {
        GC_unregister_disappearing_link(&links[i]);
        GC_unregister_long_link(&links[i]);
    }
    GC_free(links);
    return NULL;
}

START_TEST(tables_stand_many_threads) {
    start_storm();
    run_in_threads(live_on_tables);
    collect();
    ck_assert_uint_gt(finalizations, 100);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_link_read_with_the_lock_is_never_dead,
        objects_of_all_sorts_stay_whole,
        tables_stand_many_threads,
    };
    return SUITE_RUN("libgc, storm", tests, 120);
}
