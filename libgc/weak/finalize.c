/* Who is ready, and calling it; see finalize.h. */
#include "weak/finalize.h"

#include "heap/object.h"
#include "mark/drain.h"
#include "mark/scan.h"
#include "weak/links.h"
#include "weak/table.h"

#include <string.h>

/* The key is the object; the words are function, data and order. */
static struct weak_table registered;

/* A queue in mapped memory; it starts anew whenever it is empty. */
struct ready {
    void *object;
    struct finalizer finalizer;
};

static struct vm_region ready_region;
static size_t ready_first;
static volatile AO_t ready_end; /* under weak_lock; read by anybody for a glance */

enum { READY_STEP = 1 << 16 };
#define READY_RESERVED ((size_t)1 << 34)

static struct ready *ready_entry(size_t index) {
    return (struct ready *)ready_region.start + index;
}

size_t finalize_ready_count(void) {
    return AO_load(&ready_end) - AO_load((volatile AO_t *)&ready_first);
}
size_t finalize_registered_count(void) { return registered.count; }

static bool ready_add(void *object, struct finalizer finalizer) {
    size_t end = ready_end;
    if (ready_region.reserved == 0 && !vm_region_reserve(&ready_region, READY_RESERVED))
        return false;
    if (!vm_region_commit(&ready_region, (end + 1) * sizeof(struct ready), READY_STEP))
        return false;
    *ready_entry(end) = (struct ready){object, finalizer};
    AO_store_release(&ready_end, end + 1);
    return true;
}

static bool ready_take(struct ready *ready) {
    lock_take(&weak_lock);
    bool any = ready_first < ready_end;
    if (any) {
        *ready = *ready_entry(ready_first);
        *ready_entry(ready_first++) = (struct ready){0}; /* or it would keep the object for good */
    }
    if (any && ready_first == ready_end)
        ready_first = ready_end = 0;
    lock_give(&weak_lock);
    return any;
}

static struct finalizer entry_finalizer(const struct weak_entry *entry) {
    return (struct finalizer){(finalize_function)entry->words[0], (void *)entry->words[1],
                              (enum finalize_order)entry->words[2]};
}

static void entry_set(struct weak_entry *entry, struct finalizer finalizer) {
    entry->words[0] = (uintptr_t)finalizer.function;
    entry->words[1] = (uintptr_t)finalizer.data;
    entry->words[2] = finalizer.order;
}

static bool register_locked(void *object, struct finalizer finalizer, struct finalizer *old) {
    struct weak_entry *entry = weak_table_find(&registered, (uintptr_t)object);
    *old = entry ? entry_finalizer(entry) : (struct finalizer){NULL, NULL, FINALIZE_ORDERED};
    if (finalizer.function == NULL) {
        if (entry)
            weak_table_remove(&registered, entry);
        return true;
    }
    if (entry == NULL)
        entry = weak_table_add(&registered, (uintptr_t)object);
    if (entry)
        entry_set(entry, finalizer);
    return entry != NULL;
}

bool finalize_register(void *object, struct finalizer finalizer, struct finalizer *old) {
    lock_take(&weak_lock);
    bool done = register_locked(object, finalizer, old);
    lock_give(&weak_lock);
    return done;
}

size_t finalize_run(size_t most) {
    size_t count = 0;
    for (struct ready ready; count < most && ready_take(&ready); count++) {
        rank_expect_none("a finalizer runs");
        ready.finalizer.function(ready.object, ready.finalizer.data);
    }
    return count;
}

static bool make_ready(const struct weak_entry *entry) {
    return ready_add((void *)weak_hide(entry->hidden_key), entry_finalizer(entry));
}

static bool stays_registered(struct weak_entry *entry, void *context) {
    (void)context;
    return !make_ready(entry);
}

void finalize_all(void) {
    lock_take(&weak_lock);
    weak_table_filter(&registered, stays_registered, NULL);
    lock_give(&weak_lock);
}

/* Marking, with the world stopped. */

static void mark_address(struct marker *marker, const void *address) {
    scan_word(marker, (uintptr_t)address);
}

static bool is_white(const void *address) {
    struct object object;
    return object_find((uintptr_t)address, &object) && *object_state(object) == object_white();
}

static bool push_data(struct weak_entry *entry, void *marker) {
    mark_address(marker, (const void *)entry->words[1]);
    return true;
}

static void push_ready(struct marker *marker) {
    for (size_t i = ready_first; i < ready_end; i++) {
        mark_address(marker, ready_entry(i)->object);
        mark_address(marker, ready_entry(i)->finalizer.data);
    }
}

/* What an object leads to, not the object itself. */
static void push_contents(struct marker *marker, void *address, bool ignore_self) {
    struct object object;
    if (!object_find((uintptr_t)address, &object))
        return;
    scan_contents(marker, object, ignore_self);
}

enum { MOST_LOOPED = 8 };
static uintptr_t looped[MOST_LOOPED]; /* hidden */
static volatile unsigned looped_count;

const void *finalize_take_looped(void) {
    const void *object = NULL;
    if (AO_int_load(&looped_count) == 0)
        return NULL;
    lock_take(&weak_lock);
    if (looped_count > 0)
        object = (const void *)weak_hide(looped[--looped_count]);
    lock_give(&weak_lock);
    return object;
}

static bool push_ordered(struct weak_entry *entry, void *marker) {
    void *object = (void *)weak_hide(entry->hidden_key);
    enum finalize_order order = entry_finalizer(entry).order;
    if (order == FINALIZE_NO_ORDER || !is_white(object))
        return true;
    push_contents(marker, object, order == FINALIZE_IGNORE_SELF);
    drain_stopped(marker);
    if (!is_white(object) && looped_count < MOST_LOOPED)
        looped[looped_count++] = weak_hide((uintptr_t)object);
    return true;
}

/* An object that was freed has nothing to be finalized. */
static bool find_ready(struct weak_entry *entry, void *marker) {
    struct object object;
    if (!object_find(weak_hide(entry->hidden_key), &object) ||
        !object_is_allocated(*object_state(object)))
        return false;
    if (*object_state(object) != object_white())
        return true;
    if (make_ready(entry))
        return false;
    scan_mark(marker, object);
    return true;
}

/* Those that only other ready objects lead to have to wait after all. */
static void put_back_reached(struct marker *marker, size_t from) {
    size_t kept = from;
    for (size_t i = from; i < ready_end; i++) {
        struct ready ready = *ready_entry(i);
        struct weak_entry *entry = NULL;
        if (ready.finalizer.order == FINALIZE_UNREACHABLE && !is_white(ready.object))
            entry = weak_table_add(&registered, (uintptr_t)ready.object);
        if (entry)
            entry_set(entry, ready.finalizer);
        else
            *ready_entry(kept++) = ready;
    }
    for (size_t i = kept; i < ready_end; i++)
        *ready_entry(i) = (struct ready){0}; /* or it would keep the object for good */
    AO_store(&ready_end, kept);
    push_ready(marker);
    drain_stopped(marker);
}

void (*finalize_awaited)(void *object);

static void tell_awaited(size_t from) {
    for (size_t i = from; finalize_awaited && i < ready_end; i++)
        finalize_awaited(ready_entry(i)->object);
}

static void push_found(struct marker *marker, size_t from) {
    for (size_t i = from; i < ready_end; i++) {
        const struct ready *ready = ready_entry(i);
        if (ready->finalizer.order != FINALIZE_UNREACHABLE)
            mark_address(marker, ready->object);
    }
    drain_stopped(marker);
}

/* Toggled objects: strong ones are kept as they are, weak ones inverted. */
enum toggle (*finalize_toggle)(void *object);

struct toggled {
    uintptr_t word;
    bool strong;
};

static struct vm_region toggled_region;
static size_t toggled_count;

static struct toggled *toggled_entry(size_t index) {
    return (struct toggled *)toggled_region.start + index;
}

static uintptr_t toggled_object(const struct toggled *toggled) {
    return toggled->strong ? toggled->word : weak_hide(toggled->word);
}

static void toggled_set(struct toggled *toggled, uintptr_t object, bool strong) {
    *toggled = (struct toggled){strong ? object : weak_hide(object), strong};
}

bool finalize_add_toggled(void *object, bool strong) {
    lock_take(&weak_lock);
    bool added =
        (toggled_region.reserved || vm_region_reserve(&toggled_region, READY_RESERVED)) &&
        vm_region_commit(&toggled_region, (toggled_count + 1) * sizeof(struct toggled), READY_STEP);
    if (added)
        toggled_set(toggled_entry(toggled_count++), (uintptr_t)object, strong);
    lock_give(&weak_lock);
    return added;
}

static bool is_allocated(uintptr_t address) {
    struct object object;
    return object_find(address, &object) && !object_is_free(*object_state(object));
}

/* What lies beyond would go on keeping objects where all memory is a root. */
static void keep_toggled(size_t count) {
    for (size_t i = count; i < toggled_count; i++)
        toggled_entry(i)->word = 0;
    toggled_count = count;
}

/* What was freed is not asked about: its memory is nobody's, or somebody else's. */
static void ask_toggled(struct marker *marker) {
    size_t kept = 0;
    for (size_t i = 0; finalize_toggle && i < toggled_count; i++) {
        uintptr_t object = toggled_object(toggled_entry(i));
        if (!is_allocated(object))
            continue;
        enum toggle answer = finalize_toggle((void *)object);
        if (answer == TOGGLE_DROP)
            continue;
        toggled_set(toggled_entry(kept++), object, answer == TOGGLE_STRONG);
        if (answer == TOGGLE_STRONG)
            scan_word(marker, object);
    }
    if (finalize_toggle)
        keep_toggled(kept);
}

static void drop_dead_toggled(void) {
    size_t kept = 0;
    for (size_t i = 0; i < toggled_count; i++)
        if (!is_white((void *)toggled_object(toggled_entry(i))))
            *toggled_entry(kept++) = *toggled_entry(i);
    keep_toggled(kept);
}

void finalize_push_roots(struct marker *marker) {
    ask_toggled(marker);
    weak_table_filter(&registered, push_data, marker);
    push_ready(marker);
}

void finalize_settle(struct marker *marker) {
    size_t from = ready_end;
    drop_dead_toggled();
    links_clear(LINK_SHORT);
    weak_table_filter(&registered, push_ordered, marker);
    weak_table_filter(&registered, find_ready, marker);
    push_found(marker, from);
    put_back_reached(marker, from);
    tell_awaited(from);
    links_clear(LINK_LONG);
    links_forget_dead(LINK_SHORT);
    links_forget_dead(LINK_LONG);
}
