/* Probes of kinds, descriptors, marks, links and roots. */
#include "probes.h"

#include "gc/gc_disclaim.h"
#include "gc/gc_gcj.h"
#include "gc/gc_mark.h"
#include "gc/gc_typed.h"

#include <stdio.h>
#include <sys/mman.h>

static void **holders[HERD];
static struct herd herds[4];

typedef void *allocator(void);

/* Each holder has an object in each of its first four words; says which of them keep theirs. */
__attribute__((noinline)) static void fill(allocator *make) {
    for (int i = 0; i < HERD; i++) {
        holders[i] = make();
        for (int word = 0; word < 4; word++)
            if (holders[i][word] == NULL) {
                holders[i][word] = GC_malloc(16);
                watch(&herds[word], i, holders[i][word]);
            }
    }
}

static void say_kept(const char *name, allocator *make) {
    memset(herds, 0, sizeof herds);
    fill(make);
    collect();
    say(name, "%s %s %s %s", kept(living(&herds[0])), kept(living(&herds[1])),
        kept(living(&herds[2])), kept(living(&herds[3])));
    memset(holders, 0, sizeof holders);
    collect();
}

static int procedure_calls;

static struct GC_ms_entry *mark_third(GC_word *object, struct GC_ms_entry *top,
                                      struct GC_ms_entry *limit, GC_word argument) {
    __atomic_add_fetch(&procedure_calls, 1, __ATOMIC_RELAXED);
    return argument == 5 ? GC_MARK_AND_PUSH((void *)object[2], top, limit, (void **)&object[2])
                         : top;
}

static int client_kind;
static void *make_of_kind(void) { return GC_generic_malloc(40, client_kind); }
static void *make_normal(void) { return GC_malloc(40); }
static void *make_atomic(void) { return memset(GC_malloc_atomic(40), 0, 40); }

/* The template's length in bytes, with or without the object's size. */
static void say_template(const char *name, GC_word descriptor, int adds) {
    client_kind = GC_new_kind(GC_new_free_list(), descriptor, adds, 1);
    say_kept(name, make_of_kind);
}

void probe_kinds(void) {
    GC_INIT();
    say_kept("words kept by GC_malloc", make_normal);
    say_kept("words kept by GC_malloc_atomic", make_atomic);
    unsigned procedure = GC_new_proc(mark_third);
    say_number("first GC_new_proc", procedure);
    say_number("second GC_new_proc", GC_new_proc(mark_third));
    client_kind = GC_new_kind(GC_new_free_list(), GC_MAKE_PROC(procedure, 5), 0, 1);
    say_number("first GC_new_kind", client_kind);
    say_kept("words kept by a mark procedure", make_of_kind);
    say_flag("the procedure was called", procedure_calls > 0);
    say_number("kind of such an object", GC_get_kind_and_size(make_of_kind(), NULL));
    say_template("words kept by a length of 16", 16, 0);
    say_template("words kept by a length of 0 with the size added", 0, 1);
    say_template("words kept by a map of words 1 and 3", (GC_word)5 << 60 | GC_DS_BITMAP, 0);
    void *object = GC_malloc(16);
    GC_gcollect();
    say_number("GC_is_marked of a survivor", GC_is_marked(object) != 0);
}

static GC_descr descriptor;
static void *make_typed(void) { return GC_malloc_explicitly_typed(64, descriptor); }
static void *make_array(void) { return GC_calloc_explicitly_typed(3, 16, descriptor); }

static GC_descr describe(const GC_word *bits, size_t words) {
    descriptor = GC_make_descriptor(bits, words);
    return descriptor;
}

static void *tables[2][4];
static void *make_gcj(void) { return GC_gcj_malloc(40, tables[0]); }
static void *make_gcj_of_procedure(void) { return GC_gcj_malloc(40, tables[1]); }

void probe_typed(void) {
    static const GC_word none[2], ends[] = {5}, all[] = {0xff}, second[] = {2},
                                  far[] = {0x5, (GC_word)1 << 40};
    GC_INIT();
    say("descriptor of no pointer", "%#lx", describe(none, 8));
    say_kept("words kept by a descriptor of no pointer", make_typed);
    say("descriptor of words 0 and 2", "%#lx", describe(ends, 3));
    say_kept("words kept by a descriptor of words 0 and 2", make_typed);
    say("descriptor of all of eight words", "%#lx", describe(all, 8));
    say_kept("words kept by a descriptor of all of eight words", make_typed);
    say("tag of a descriptor of 105 words", "%#lx", describe(far, 105) & GC_DS_TAGS);
    say_kept("words kept by a descriptor of 105 words, among them 0 and 2", make_typed);
    say("descriptor of the second word of two", "%#lx", describe(second, 2));
    say_kept("words kept by an array of those", make_array);
    say_number("kind of a typed object", GC_get_kind_and_size(make_typed(), NULL));
    say_number("kind of a typed array", GC_get_kind_and_size(make_array(), NULL));
    say_flag("GC_calloc_explicitly_typed of too much is NULL",
             GC_calloc_explicitly_typed(SIZE_MAX / 2, 16, descriptor) == NULL);
    GC_init_gcj_malloc(GC_GCJ_RESERVED_MARK_PROC_INDEX, mark_third);
    tables[0][1] = (void *)16;
    tables[1][1] = (void *)GC_MAKE_PROC(GC_GCJ_RESERVED_MARK_PROC_INDEX, 5);
    say_kept("words kept by a gcj object of length 16", make_gcj);
    say_kept("words kept by a gcj object with a procedure", make_gcj_of_procedure);
    say_flag("first word of a gcj object is its table", *(void **)make_gcj() == tables[0]);
    say_flag("GC_gcj_kind is set", GC_gcj_kind != 0);
    say_flag("kind of a gcj object is GC_gcj_kind",
             GC_get_kind_and_size(make_gcj(), NULL) == GC_gcj_kind);
}

static void *link_one, *link_two, *link_three;

void probe_links(void) {
    GC_INIT();
    void *object = GC_malloc(16), *other = GC_malloc(16);
    link_one = link_two = link_three = (void *)GC_HIDE_POINTER(object);
    say_number("registering a link", GC_general_register_disappearing_link(&link_one, object));
    say_number("registering it again", GC_general_register_disappearing_link(&link_one, object));
    say_number("for another object", GC_general_register_disappearing_link(&link_one, other));
    say_number("moving it", GC_move_disappearing_link(&link_one, &link_two));
    say_number("moving it once more", GC_move_disappearing_link(&link_one, &link_two));
    say_number("moving it to itself", GC_move_disappearing_link(&link_two, &link_two));
    GC_general_register_disappearing_link(&link_three, object);
    say_number("moving it to a registered one", GC_move_disappearing_link(&link_two, &link_three));
    say_number("unregistering it", GC_unregister_disappearing_link(&link_two));
    say_number("unregistering it again", GC_unregister_disappearing_link(&link_two));
    say_number("registering a long link", GC_register_long_link(&link_one, object));
    say_number("registering the long link again", GC_register_long_link(&link_one, object));
    say_number("moving the long link", GC_move_long_link(&link_one, &link_two));
    say_number("moving a long link that is none", GC_move_long_link(&link_one, &link_two));
    say_number("unregistering the long link", GC_unregister_long_link(&link_two));
    say_number("unregistering the long link again", GC_unregister_long_link(&link_two));
    void **inside = GC_malloc_atomic(16);
    say_number("GC_register_disappearing_link", GC_register_disappearing_link(inside));
    say_number("unregistering that", GC_unregister_disappearing_link(inside));
    say_number("unregistering an unaligned address",
               GC_unregister_disappearing_link((void **)((char *)inside + 1)));
    say_flag("links of live objects stay", (GC_gcollect(), link_three != NULL));
    GC_reachable_here(object);
    GC_reachable_here(other);
}

static void *area[HERD], *excluded[HERD];
static struct herd in_area;

__attribute__((noinline)) static void fill_area(void **words) {
    for (int i = 0; i < HERD; i++) {
        words[i] = GC_malloc(16);
        watch(&in_area, i, words[i]);
    }
}

static void say_area(const char *name, void **words) {
    fill_area(words);
    collect();
    say(name, "%s", kept(living(&in_area)));
    memset(words, 0, HERD * sizeof *words);
}

static void **mapped;
static void push_mapped(void) { GC_push_all(mapped, mapped + HERD); }
static void push_mapped_eagerly(void) { GC_push_all_eager(mapped, mapped + HERD); }
static void push_mapped_conditionally(void) { GC_push_conditional(mapped, mapped + HERD, 1); }
static GC_push_other_roots_proc before;
static void (*pushing)(void);

static void push_more(void) {
    before();
    pushing();
}

static void say_pushed(const char *name, void (*push)(void)) {
    pushing = push;
    say_area(name, mapped);
}

void probe_roots(void) {
    int local;
    GC_INIT();
    mapped = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say_area("kept by static data", area);
    say_area("kept by memory of mmap", mapped);
    GC_add_roots(mapped, mapped + HERD);
    say_area("kept by it after GC_add_roots", mapped);
    GC_remove_roots(mapped, mapped + HERD / 2);
    say_area("kept by it after GC_remove_roots of a half", mapped);
    GC_remove_roots(mapped, mapped + HERD);
    say_area("kept by it after GC_remove_roots", mapped);
    GC_exclude_static_roots(excluded, excluded + HERD);
    say_area("kept by static data that is excluded", excluded);
    GC_add_roots(mapped + 2 * HERD, mapped + 4 * HERD);
    GC_exclude_static_roots(mapped + 2 * HERD, mapped + 3 * HERD);
    say_area("kept by added roots that are excluded", mapped + 2 * HERD);
    say_area("kept by those beside them", mapped + 3 * HERD);
    before = GC_get_push_other_roots();
    GC_set_push_other_roots(push_more);
    say_pushed("kept by GC_push_all", push_mapped);
    say_pushed("kept by GC_push_all_eager", push_mapped_eagerly);
    say_pushed("kept by GC_push_conditional", push_mapped_conditionally);
    GC_set_push_other_roots(before);
    say_number("GC_is_tmp_root of static data", GC_is_tmp_root(area) != 0);
    say_number("GC_is_tmp_root of a library's data", GC_is_tmp_root(&GC_dont_gc) != 0);
    say_number("GC_is_tmp_root of the stack", GC_is_tmp_root(&local) != 0);
    GC_clear_roots();
    say_area("kept by static data after GC_clear_roots", area);
    GC_add_roots(area, area + HERD);
    say_area("kept by static data that was added again", area);
}
