/* calls.c: what the macros do, as lines to be compared: compiled with two sets of headers and
 * linked to the same library, both programs must print the same. No address is printed. */
#include <stdio.h>
#include <stdlib.h>

#define GC_THREADS
#define GC_I_HIDE_POINTERS
#define GC_INITIAL_HEAP_SIZE 3000000
#define GC_FREE_SPACE_DIVISOR 5
#define GC_FULL_FREQ 7
#define GC_MAX_RETRIES 2
#define GC_DONT_EXPAND
#include <gc/gc.h>
#include <gc/gc_gcj.h>
#include <gc/gc_inline.h>
#include <gc/gc_mark.h>
#include <gc/gc_typed.h>

/* A count, or that it is none. */
static const char *head(void *list) {
    static char count[8];

    if ((GC_word)list > 999)
        return "list";
    sprintf(count, "%d", (int)(GC_word)list);
    return count;
}

static void own_lists(int granules, int num_direct, int kind, GC_word start) {
    void *lists[GC_TINY_FREELISTS + 1] = {NULL};
    void *const fixed = GC_malloc(16);
    int i;

    lists[granules] = (void *)start;
    printf("lists %d %d %d %lu:", granules, num_direct, kind, start);
    for (i = 0; i < 3; i++) {
        void *const before = lists[granules];
        int by_default = 0, initialized = 0, usual;
        void *obj;

        GC_FAST_MALLOC_GRANS(obj, granules, lists, num_direct, kind, (by_default = 1, fixed),
                             initialized = 1);
        usual = obj == before;
        printf(" %d%d%d %s", by_default, initialized, usual, head(lists[granules]));
        if (initialized)
            printf(" size %lu", (unsigned long)GC_size(obj));
    }
    printf("\n");
}

static void words(void) {
    static int first, second;
    void *scanned[GC_TINY_FREELISTS] = {NULL};
    void *atomic[GC_TINY_FREELISTS] = {NULL};
    size_t n;

    for (n = 0; n < 60; n += n < 5 ? 1 : 13) {
        void **obj;

        GC_MALLOC_WORDS(obj, n, scanned);
        printf("words %lu: %lu %d", (unsigned long)n, (unsigned long)GC_size(obj), obj[0] == NULL);
        GC_MALLOC_ATOMIC_WORDS(obj, n, atomic);
        printf(" atomic %lu\n", (unsigned long)GC_size(obj));
        GC_CONS(obj, &first, &second, scanned);
        printf("cons %lu %d %d\n", (unsigned long)GC_size(obj), obj[0] == &first,
               obj[1] == &second);
    }
    for (n = 0; n < 9; n++)
        printf("granules %lu %lu\n", (unsigned long)GC_WORDS_TO_GRANULES(n),
               (unsigned long)GC_WORDS_TO_WHOLE_GRANULES(n));
}

static void arithmetic(void) {
    long *const array = (long *)GC_MALLOC(4 * sizeof(long)), *p = array;
    void **const place = (void **)GC_MALLOC(2 * sizeof *place);

    printf("add %d", GC_PTR_ADD(p, 1) == array + 1);
    printf(" before %d", GC_PRE_INCR(p, 1) == array + 1);
    printf(" down %d", GC_POST_DECR(p) == array + 1);
    printf(" up %d", GC_POST_INCR(p) == array);
    printf(" at %d\n", (int)(p - array));
    GC_PTR_STORE(place, array);
    printf("stored %d hidden %d revealed %d\n", place[0] == array,
           HIDE_POINTER(array) == ~(GC_word)array, REVEAL_POINTER(GC_HIDE_POINTER(array)) == array);
    GC_PTR_STORE_AND_DIRTY(place, p);
    printf("dirty %d next %d\n", place[0] == p, GC_NEXT(place) == p);
    GC_END_STUBBORN_CHANGE(place);
    GC_reachable_here(place);
}

struct record {
    void *head;
    long number;
    char text[600];
    void *tail;
};

static void descriptors(void) {
    GC_word map[GC_BITMAP_SIZE(struct record)] = {0};
    void *const low = (void *)8, *const high = (void *)~(GC_word)7;
    struct GC_ms_entry entries[2], *const top = entries, *const limit = entries + 1;
    GC_word env;
    GC_descr descr;

    printf("bitmap %lu\n", (unsigned long)GC_BITMAP_SIZE(struct record));
    GC_set_bit(map, GC_WORD_OFFSET(struct record, head));
    GC_set_bit(map, GC_WORD_OFFSET(struct record, tail));
    printf("bits %lu %lu %lu\n", (unsigned long)GC_get_bit(map, 0),
           (unsigned long)GC_get_bit(map, 1),
           (unsigned long)GC_get_bit(map, GC_WORD_LEN(struct record) - 1));
    descr = GC_make_descriptor(map, GC_WORD_LEN(struct record));
    printf("descriptor %lx %lx\n", GC_make_descriptor(map, 8), descr & GC_DS_TAGS);
    printf("typed %d\n", GC_MALLOC_EXPLICITLY_TYPED(sizeof(struct record), descr) != NULL);
    for (env = 0; env < 5; env++)
        printf("proc %lx\n", GC_MAKE_PROC((GC_word)GC_RESERVED_MARK_PROCS, env << (3 * env)));
    printf("mark %d %d\n", GC_MARK_AND_PUSH(low, top, limit, NULL) == top,
           GC_MARK_AND_PUSH(high, top, limit, NULL) == top);
}

static void objects(void) {
    char *const text = GC_STRDUP("some text"), *const part = GC_STRNDUP(text, 4);
    void *const obj = GC_MALLOC(40);
    static void *link, *long_link;

    printf("%s %s\n", text, part);
    printf("base %d header %d\n", GC_base((char *)obj + 7) == GC_base(obj), GC_base(obj) != obj);
    printf("link %d\n", GC_GENERAL_REGISTER_DISAPPEARING_LINK(&link, obj));
    printf("long link %d\n", GC_REGISTER_LONG_LINK(&long_link, obj));
    GC_REGISTER_FINALIZER(obj, NULL, NULL, NULL, NULL);
    printf("realloc %d\n", GC_REALLOC(obj, 400) != NULL);
    GC_FREE(GC_MALLOC_ATOMIC_UNCOLLECTABLE(1));
}

static void *nothing(size_t size) {
    printf("no memory for %lu\n", (unsigned long)size);
    return NULL;
}

static void no_memory(void) {
    void *kept = NULL, **obj;
    long before = 0;

    GC_set_oom_fn(nothing);
    GC_set_max_heap_size(4000000);
    do {
        void *lists[GC_TINY_FREELISTS] = {NULL};
        int initialized = 0;

        GC_FAST_MALLOC_GRANS(obj, 20, lists, 0, GC_I_NORMAL, NULL,
                             (initialized = 1, *(void **)obj = kept));
        kept = obj ? obj : kept;
        before += initialized;
    } while (obj && before < 1000000);
    printf("some %d then none %d\n", before > 1000, obj == NULL);
}

int main(void) {
    static const int granules[] = {0, 3, GC_TINY_FREELISTS - 1, GC_TINY_FREELISTS};
    static const GC_word starts[] = {0, 1, 2, 3, 4, 5, 26, 27};
    unsigned g, s;
    int kind;

    setvbuf(stdout, NULL, _IONBF, 0);
    GC_INIT();
    printf("heap %d divisor %lu freq %d retries %lu expand %d\n", GC_get_heap_size() >= 3000000,
           GC_get_free_space_divisor(), GC_get_full_freq(), GC_get_max_retries(),
           GC_get_dont_expand());
    GC_set_dont_expand(0);
    for (kind = GC_I_PTRFREE; kind <= GC_I_NORMAL; kind++)
        for (g = 0; g < sizeof granules / sizeof *granules; g++)
            for (s = 0; s < sizeof starts / sizeof *starts; s++) {
                if (starts[s] <= GC_TINY_FREELISTS + 1)
                    own_lists(granules[g], 0, kind, starts[s]);
                own_lists(granules[g], 4, kind, starts[s]);
            }
    words();
    arithmetic();
    descriptors();
    objects();
    no_memory();
    return 0;
}
