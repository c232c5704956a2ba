/*
 * A server with gc.h: sessions that hold objects of every age, and never a call of GC_free. Each
 * thread has a cache of entries, most of the live memory, each a list of fields and a text; and
 * serves requests: it builds some dozens of objects that live for the request, looks entries up,
 * replaces one now and then, opens sessions, the newest of which it keeps and all of which are
 * counted when their finalizers run, and has a second cache behind weak links.
 *
 * What is looked up is checked. Stops are timed by the collector's own events, which both libraries
 * tell; requests from the end of the one before, so that no stop falls between two.
 */
#define GC_THREADS
#include <gc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "arguments.h"
#include "check.h"
#include "clock.h"
#include "latency.h"
#include "random.h"

enum {
    THREADS_MOST = 64,
    FIELDS_LEAST = 4,
    FIELDS_MOST = 12,
    TEXT_LEAST = 64,
    TEXT_MOST = 1536,
    ENTRY_BYTES = 1408, /* an entry with all that hangs on it, about */
    REQUEST_LEAST = 20,
    REQUEST_MOST = 60,
    LOOK_UPS = 4,
    REPLACED_ONE_IN = 4,
    SESSION_ONE_IN = 16,
    SESSIONS = 1024,
    WEAK_SLOTS = 4096
};

static size_t live_mib = 4096;
static size_t threads = 2;
static size_t seconds = 60;
static size_t warm = 30;
static bool incremental;

struct field {
    struct field *next;
    uint64_t name, value;
    void *spare;
};

struct entry {
    struct field *fields;
    unsigned char *text;
    uint64_t key;
    uint32_t text_bytes, field_count;
};

struct server {
    struct entry **entries; /* all that stays is reached from here: servers are static */
    struct entry **sessions;
    GC_word *weak; /* hidden addresses of entries, 0 once they are gone */
    size_t next_session;
    struct random_source random;
    struct latencies *latencies;
    size_t opened, missed;
};

static struct server servers[THREADS_MOST];
static size_t entry_count;
static volatile size_t closed; /* by finalizers */
static volatile size_t stops;  /* these and the next, by who collects, with the lock */
static uint64_t stop_begun, stop_longest, stop_all;
static volatile bool measuring; /* the main thread */
static pthread_barrier_t filled;

static struct field *fields_make(uint64_t key, size_t count) {
    struct field *first = NULL;
    for (size_t i = 0; i < count; i++) {
        struct field *field = GC_MALLOC(sizeof *field);
        CHECK(field, "GC_malloc returns memory");
        field->next = first;
        field->name = i;
        field->value = key + i;
        first = field;
    }
    return first;
}

static struct entry *entry_make(struct random_source *random) {
    struct entry *entry = GC_MALLOC(sizeof *entry);
    CHECK(entry && !entry->fields && !entry->text, "GC_malloc returns clear memory");
    entry->key = random_next(random) & UINT32_MAX;
    entry->field_count = random_between(random, FIELDS_LEAST, FIELDS_MOST);
    entry->text_bytes = random_between(random, TEXT_LEAST, TEXT_MOST);
    entry->fields = fields_make(entry->key, entry->field_count);
    entry->text = GC_MALLOC_ATOMIC(entry->text_bytes);
    CHECK(entry->text, "GC_malloc_atomic returns memory");
    memset(entry->text, (int)entry->key, entry->text_bytes);
    return entry;
}

static void entry_check(const struct entry *entry) {
    size_t count = 0;
    for (const struct field *field = entry->fields; field; field = field->next) {
        count++;
        CHECK(field->value == entry->key + entry->field_count - count, "a field has its value");
    }
    CHECK(count == entry->field_count, "an entry has all its fields");
    CHECK(entry->text[0] == (unsigned char)entry->key, "a text begins as it did");
    CHECK(entry->text[entry->text_bytes - 1] == (unsigned char)entry->key, "and ends as it did");
}

static void GC_CALLBACK session_closed(void *session, void *data) {
    (void)data;
    entry_check(session);
    __atomic_fetch_add(&closed, 1, __ATOMIC_RELAXED);
}

static void session_open(struct server *server) {
    struct entry *session = entry_make(&server->random);
    GC_REGISTER_FINALIZER_NO_ORDER(session, session_closed, NULL, NULL, NULL);
    server->sessions[server->next_session++ % SESSIONS] = session;
    server->opened++;
}

static void *GC_CALLBACK weak_read(void *slot) {
    GC_word hidden = *(GC_word *)slot;
    return hidden ? GC_REVEAL_POINTER(hidden) : NULL;
}

/* What is behind a link is made again when it is gone. */
static void weak_look_up(struct server *server) {
    GC_word *slot = &server->weak[random_below(&server->random, WEAK_SLOTS)];
    struct entry *entry = GC_call_with_alloc_lock(weak_read, slot);
    if (entry == NULL) {
        entry = entry_make(&server->random);
        *slot = GC_HIDE_POINTER(entry);
        int result = GC_general_register_disappearing_link((void **)slot, entry);
        CHECK(result == GC_SUCCESS || result == GC_DUPLICATE, "a link is registered");
        server->missed++;
    }
    entry_check(entry);
}

static void serve(struct server *server) {
    struct random_source *random = &server->random;
    size_t objects = random_between(random, REQUEST_LEAST, REQUEST_MOST);
    const struct field *parsed = fields_make(objects, objects);
    for (size_t i = 0; i < LOOK_UPS; i++)
        entry_check(server->entries[random_below(random, entry_count)]);
    if (random_below(random, REPLACED_ONE_IN) == 0) {
        struct entry *entry = entry_make(random);
        size_t index = random_below(random, entry_count);
        server->entries[index] = entry;
        GC_END_STUBBORN_CHANGE(server->entries);
    }
    if (random_below(random, SESSION_ONE_IN) == 0) {
        session_open(server);
        weak_look_up(server);
    }
    while (parsed->next)
        parsed = parsed->next;
    CHECK(parsed->value == objects, "what a request made is whole");
}

static void fill(struct server *server) {
    server->entries = GC_MALLOC(entry_count * sizeof *server->entries);
    server->sessions = GC_MALLOC(SESSIONS * sizeof *server->sessions);
    server->weak = GC_MALLOC_ATOMIC(WEAK_SLOTS * sizeof *server->weak);
    CHECK(server->entries && server->sessions && server->weak, "there is room for the tables");
    memset(server->weak, 0, WEAK_SLOTS * sizeof *server->weak);
    for (size_t i = 0; i < entry_count; i++)
        server->entries[i] = entry_make(&server->random);
}

static void *run(void *argument) {
    struct server *server = argument;
    fill(server);
    pthread_barrier_wait(&filled);
    for (double end = seconds_now() + (double)warm; seconds_now() < end;)
        serve(server);
    pthread_barrier_wait(&filled);
    uint64_t now = nanoseconds_now(), end = now + seconds * UINT64_C(1000000000);
    for (latencies_start(server->latencies, now); now < end;
         latencies_record(server->latencies, now)) {
        serve(server);
        now = nanoseconds_now();
    }
    return NULL;
}

static void GC_CALLBACK note_stop(GC_EventType event) {
    if (event == GC_EVENT_PRE_STOP_WORLD)
        stop_begun = nanoseconds_now();
    if (event != GC_EVENT_POST_START_WORLD || !measuring)
        return;
    uint64_t took = nanoseconds_now() - stop_begun;
    stop_all += took;
    stop_longest = took > stop_longest ? took : stop_longest;
    stops = stops + 1;
}

static void report(const struct latencies *all, double filling, GC_word collections) {
    struct rusage usage;
    size_t opened = 0, missed = 0;
    getrusage(RUSAGE_SELF, &usage);
    for (size_t i = 0; i < threads; i++) {
        opened += servers[i].opened;
        missed += servers[i].missed;
    }
    printf(
        "server: live %zu MiB filled %.1f s rate %.0f /s longest %.3f ms percentile99.99 %.3f ms "
        "stops %zu stop %.3f ms stopped %.3f s collections %lu opened %zu closed %zu missed %zu "
        "peak %ld KiB\n",
        live_mib, filling, (double)all->operations / (double)seconds, (double)all->longest * 1e-6,
        (double)latencies_percentile(all, 9999) * 1e-6, stops, (double)stop_longest * 1e-6,
        (double)stop_all * 1e-9, (unsigned long)collections, opened, closed, missed,
        usage.ru_maxrss);
}

int main(int argc, char **argv) {
    const struct argument arguments[] = {
        {"live", "MiB that stay, about", &live_mib, 1, NULL},
        {"threads", "that serve", &threads, 1, NULL},
        {"seconds", "to measure", &seconds, 1, NULL},
        {"warm", "seconds before that", &warm, 0, NULL},
        {"incremental", "GC_enable_incremental", NULL, 0, &incremental},
    };
    pthread_t workers[THREADS_MOST];
    (void)argc;
    read_arguments(argv, arguments, ARGUMENT_COUNT(arguments));
    CHECK(threads <= THREADS_MOST, "there is room for the threads");
    GC_INIT();
    if (incremental)
        GC_enable_incremental();
    GC_set_on_collection_event(note_stop);
    entry_count = (live_mib << 20) / threads / ENTRY_BYTES;
    pthread_barrier_init(&filled, NULL, (unsigned)threads + 1);
    double start = seconds_now();
    for (size_t i = 0; i < threads; i++) {
        servers[i].random.state = i + 1;
        servers[i].latencies = latencies_open(seconds + 60);
        CHECK(GC_pthread_create(&workers[i], NULL, run, &servers[i]) == 0, "a thread starts");
    }
    pthread_barrier_wait(&filled);
    double filling = seconds_now() - start;
    pthread_barrier_wait(&filled);
    GC_word before = GC_get_gc_no();
    measuring = true;
    for (size_t i = 0; i < threads; i++)
        CHECK(GC_pthread_join(workers[i], NULL) == 0, "a thread ends");
    measuring = false;
    for (size_t i = 1; i < threads; i++)
        latencies_merge(servers[0].latencies, servers[i].latencies);
    report(servers[0].latencies, filling, GC_get_gc_no() - before);
    return 0;
}
