/* Names, counts and words of requests; see requests.h. */
#include "requests.h"

#include "heap/layout.h"
#include "heap/object.h"
#include "os/park.h"
#include "os/permitted.h"
#include "os/syscall.h"
#include "os/tasks.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

enum {
    FEW = 6, /* words that lie beside the name */
    FEWEST_BUCKETS = 64,
    FEWEST_BYTES = 64,
    CLASSES = 12, /* of free pieces, by powers of two from the fewest bytes on */
    CHUNK_BYTES = FEWEST_BYTES << (CLASSES - 1)
};

struct request {
    struct request *next;
    uint64_t name;
    size_t submitted, finished;
    bool kept;          /* until it is dropped */
    size_t room, count; /* of words; a table with 0 where nothing is, once they are not few */
    uint64_t *words;
    uint64_t few[FEW];
};

static struct lock lock = LOCK_OF(RANK_KERNEL_HELD);

struct piece {
    struct piece *next;
};

static struct piece *free_pieces[CLASSES]; /* zero behind the link */

struct requests_lock requests_lock(void) {
    struct requests_lock taken;
    uint64_t all = ~(uint64_t)0;
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &taken.mask, sizeof all);
    lock_take(&lock);
    return taken;
}

void requests_unlock(struct requests_lock taken) {
    lock_give(&lock);
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, &taken.mask, 0, sizeof taken.mask);
}

void requests_before_fork(void) { lock_take(&lock); }
void requests_after_fork(void) { lock_give(&lock); }

static void *map_memory(size_t bytes) {
    long start =
        system_call(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return start < 0 && start > -4096 ? NULL : (void *)start;
}

static unsigned class_of(size_t bytes) {
    unsigned class = 0;
    while ((size_t)FEWEST_BYTES << class < bytes)
        class ++;
    return class;
}

static bool cut_chunk(unsigned class) {
    char *chunk = map_memory(CHUNK_BYTES);
    size_t bytes = (size_t)FEWEST_BYTES << class;
    for (size_t at = 0; chunk && at < CHUNK_BYTES; at += bytes) {
        struct piece *piece = (struct piece *)(chunk + at);
        piece->next = free_pieces[class];
        free_pieces[class] = piece;
    }
    return chunk != NULL;
}

void *requests_take(size_t bytes) {
    if (bytes > CHUNK_BYTES)
        return map_memory(bytes);
    unsigned class = class_of(bytes);
    if (free_pieces[class] == NULL && !cut_chunk(class))
        return NULL;
    struct piece *piece = free_pieces[class];
    free_pieces[class] = piece->next;
    piece->next = NULL;
    return piece;
}

void requests_give(void *memory, size_t bytes) {
    if (memory == NULL)
        return;
    if (bytes > CHUNK_BYTES) {
        system_call(SYS_munmap, memory, bytes);
        return;
    }
    unsigned class = class_of(bytes);
    memset(memory, 0, bytes);
    struct piece *piece = memory;
    piece->next = free_pieces[class];
    free_pieces[class] = piece;
}

bool requests_can_be_read(void) { return permitted(PERMITTED_READING); }

/* Under a filter that forbids the copying, the program's pointer is taken for what it is. */
bool requests_read(void *to, uint64_t from, size_t bytes) {
    struct iovec local = {to, bytes}, remote = {(void *)from, bytes};
    if (!requests_can_be_read()) {
        memcpy(to, (const void *)from, bytes);
        return true;
    }
    return system_call(SYS_process_vm_readv, tasks_self(), &local, 1, &remote, 1, 0) == (long)bytes;
}

static size_t mix(uint64_t word) {
    word *= 0x9e3779b97f4a7c15u;
    return word ^ word >> 29;
}

static struct request **bucket_of(const struct requests *requests, uint64_t name) {
    return &requests->buckets[mix(name) & (requests->room - 1)];
}

static bool widen(struct requests *requests) {
    size_t room = requests->room ? requests->room * 2 : FEWEST_BUCKETS;
    struct requests wider = {requests_take(room * sizeof *wider.buckets), room, requests->count};
    if (wider.buckets == NULL)
        return false;
    for (size_t i = 0; i < requests->room; i++)
        for (struct request *request = requests->buckets[i], *next; request; request = next) {
            struct request **bucket = bucket_of(&wider, request->name);
            next = request->next;
            request->next = *bucket;
            *bucket = request;
        }
    requests_give(requests->buckets, requests->room * sizeof *requests->buckets);
    *requests = wider;
    return true;
}

/* Where the request of this name hangs, or would hang. */
static struct request **find(const struct requests *requests, uint64_t name) {
    struct request **at = bucket_of(requests, name);
    while (*at && (*at)->name != name)
        at = &(*at)->next;
    return at;
}

static struct request *find_or_make(struct requests *requests, uint64_t name) {
    if (requests->count >= requests->room && !widen(requests))
        return NULL;
    struct request **at = find(requests, name);
    if (*at)
        return *at;
    struct request *request = requests_take(sizeof *request);
    if (request == NULL)
        return NULL;
    request->name = name;
    request->room = FEW;
    request->words = request->few;
    requests->count++;
    return *at = request;
}

static void give_words(struct request *request) {
    if (request->words != request->few)
        requests_give(request->words, request->room * sizeof *request->words);
}

static void take_out(struct requests *requests, struct request **at) {
    struct request *request = *at;
    *at = request->next;
    give_words(request);
    requests_give(request, sizeof *request);
    requests->count--;
}

/* The tags that a collector looks through are no hindrance to the kernel's giving a word back. */
static bool is_address(uint64_t word) { return heap_contains(word & (((uint64_t)1 << 48) - 1)); }

/* What was freed by the program is not to be kept from its next owner. */
static bool is_allocated(uint64_t word) {
    struct object object;
    return object_find(word & (((uint64_t)1 << 48) - 1), &object) &&
           !object_is_free(AO_char_load(object_state(object)));
}

static bool has_word(const struct request *request, uint64_t word) {
    for (size_t i = 0; i < request->count; i++)
        if (request->words[i] == word)
            return true;
    return false;
}

/* The place of a word in a table that is never full. */
static uint64_t *place_of(uint64_t *table, size_t room, uint64_t word) {
    size_t at = mix(word) & (room - 1);
    while (table[at] && table[at] != word)
        at = (at + 1) & (room - 1);
    return &table[at];
}

static bool widen_words(struct request *request) {
    bool few = request->words == request->few;
    size_t room = few ? 32 : request->room * 2, count = 0;
    uint64_t *table = requests_take(room * sizeof *table);
    if (table == NULL)
        return false;
    for (size_t i = 0; i < request->room; i++)
        if (request->words[i] && is_allocated(request->words[i])) {
            *place_of(table, room, request->words[i]) = request->words[i];
            count++;
        }
    give_words(request);
    memset(request->few, 0, sizeof request->few);
    request->words = table;
    request->room = room;
    request->count = count;
    return true;
}

static bool hold(struct request *request, uint64_t word) {
    if (!is_address(word))
        return true;
    if (request->words == request->few) {
        if (has_word(request, word))
            return true;
        if (request->count < FEW) {
            request->few[request->count++] = word;
            return true;
        }
    }
    if (request->words == request->few || request->count * 2 >= request->room)
        if (!widen_words(request))
            return false;
    uint64_t *place = place_of(request->words, request->room, word);
    request->count += *place == 0;
    *place = word;
    return true;
}

static bool lost;

void requests_lose(void) { lost = true; }
bool requests_are_lost(void) { return lost; }

void requests_add(struct requests *requests, uint64_t name, uint64_t word) {
    struct request *request = find_or_make(requests, name);
    if (request == NULL || !hold(request, word))
        requests_lose();
}

void requests_submit(struct requests *requests, uint64_t name, const uint64_t *words,
                     size_t count) {
    struct request *request = find_or_make(requests, name);
    if (request)
        request->submitted++;
    for (size_t i = 0; i < count; i++)
        if (request == NULL || !hold(request, words[i]))
            requests_lose();
}

bool requests_finish(struct requests *requests, uint64_t name) {
    struct request **at = requests->count ? find(requests, name) : NULL;
    if (at == NULL || *at == NULL)
        return false;
    if (++(*at)->finished >= (*at)->submitted && !(*at)->kept)
        take_out(requests, at);
    return true;
}

void requests_keep(struct requests *requests, uint64_t name, uint64_t word) {
    struct request *request = find_or_make(requests, name);
    if (request)
        request->kept = true;
    if (request == NULL || !hold(request, word))
        requests_lose();
}

void requests_drop(struct requests *requests, uint64_t name) {
    if (requests->count == 0)
        return;
    struct request **at = find(requests, name);
    if (*at)
        take_out(requests, at);
}

void requests_drop_all(struct requests *requests) {
    for (size_t i = 0; i < requests->room; i++)
        while (requests->buckets[i])
            take_out(requests, &requests->buckets[i]);
    requests_give(requests->buckets, requests->room * sizeof *requests->buckets);
    *requests = (struct requests){0};
}
