/* Debugging allocation: objects that know where they were allocated, and that notice writes past
 * their end and freeing twice.
 *
 * Before the client's part lies a header, behind it a mark of one word. Both are checked when the
 * object is freed, and those of all live ones in each collection (damage.c). A freed object is
 * overwritten, so that using it shows; with GC_FINDLEAK_DELAY_FREE it is left to the collector, so
 * that writing it shows as well. The client sees only its own part: GC_base of a pointer to it
 * gives the header.
 */
#include "api/debug.h"
#include "gc/gc_gcj.h"

#include "alloc/alloc.h"

#include <string.h>

enum { KIND_ATOMIC = 0, KIND_NORMAL = 1, KIND_HELD = 2, KIND_ATOMIC_HELD = 3 };

size_t GC_get_debug_header_size(void) { return sizeof(struct header); }

static const GC_word end_mark = 0xbcdecdefcba98765u;
volatile bool debug_used;
bool debug_delays_free;

static struct header *header_of(const void *object) {
    struct header *header = (struct header *)object - 1;
    return GC_base(header) == header ? header : NULL;
}

static void set_end(struct header *header) {
    memcpy(debug_client_part(header) + header->bytes, &end_mark, DEBUG_END_BYTES);
}

bool debug_end_is_whole(struct header *header) {
    return memcmp(debug_client_part(header) + header->bytes, &end_mark, DEBUG_END_BYTES) == 0;
}

static void *finish(struct header *header, size_t bytes, const char *file, int line) {
    if (header == NULL)
        return NULL;
    debug_used = true;
    *header = (struct header){file, line, bytes, 0};
    set_end(header);
    AO_store_release((volatile AO_t *)&header->check, debug_check_of(header, DEBUG_ALLOCATED));
    return debug_client_part(header);
}

static size_t whole_bytes(size_t bytes) {
    size_t whole;
    return __builtin_add_overflow(bytes, sizeof(struct header) + DEBUG_END_BYTES, &whole) ? SIZE_MAX
                                                                                          : whole;
}

/* The mark behind the client's part is what a pointer one past its end leads to. */
static void *debug_allocate(size_t bytes, int kind, const char *file, int line) {
    size_t whole = whole_bytes(bytes) - api_end_byte;
    void *header = kind == KIND_NORMAL   ? GC_malloc(whole)
                   : kind == KIND_ATOMIC ? GC_malloc_atomic(whole)
                                         : GC_generic_malloc(whole, kind);
    return finish(header, bytes, file, line);
}

#define DEBUG_ALLOCATOR(name, kind)                                                                \
    void *name(size_t bytes, const char *file, int line) {                                         \
        return debug_allocate(bytes, kind, file, line);                                            \
    }

DEBUG_ALLOCATOR(GC_debug_malloc, KIND_NORMAL)
DEBUG_ALLOCATOR(GC_debug_malloc_stubborn, KIND_NORMAL)
DEBUG_ALLOCATOR(GC_debug_malloc_ignore_off_page, KIND_NORMAL)
DEBUG_ALLOCATOR(GC_debug_malloc_atomic, KIND_ATOMIC)
DEBUG_ALLOCATOR(GC_debug_malloc_atomic_ignore_off_page, KIND_ATOMIC)
DEBUG_ALLOCATOR(GC_debug_malloc_uncollectable, KIND_HELD)
DEBUG_ALLOCATOR(GC_debug_malloc_atomic_uncollectable, KIND_ATOMIC_HELD)

void *GC_debug_generic_or_special_malloc(size_t bytes, int kind, const char *file, int line) {
    return debug_allocate(bytes, kind, file, line);
}

void *GC_debug_malloc_replacement(size_t bytes) { return GC_debug_malloc(bytes, "unknown", 0); }

void *GC_debug_gcj_malloc(size_t bytes, void *table, const char *file, int line) {
    void **object = debug_allocate(bytes, GC_gcj_debug_kind, file, line);
    if (object)
        *object = table;
    return object;
}

static char *copy_text(const char *text, size_t length, const char *file, int line) {
    char *copy = GC_debug_malloc_atomic(length + 1, file, line);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

char *GC_debug_strdup(const char *text, const char *file, int line) {
    return text ? copy_text(text, strlen(text), file, line) : NULL;
}

char *GC_debug_strndup(const char *text, size_t most, const char *file, int line) {
    return copy_text(text, strnlen(text, most), file, line);
}

void debug_report(const char *what, const void *object, const char *file, size_t line,
                  size_t bytes) {
    char type[GC_TYPE_DESCR_LEN + 1];
    dump_name_type(object, type);
    GC_err_printf("tithe: %s %p (%s:%zu, %zu bytes%s%s)\n", what, object, file, line, bytes,
                  type[0] ? ", " : "", type);
}

static void report(const char *what, struct header *header) {
    debug_report(what, debug_client_part(header), header->file, header->line, header->bytes);
}

/* Until a collection finds it dead, or the memory is used again, a freed object shows who writes to
 * it or frees it once more. Those of the client's kinds are cleared, for their mark procedures. */
static void release(struct header *header) {
    int kind = GC_get_kind_and_size(header, NULL);
    if (kind > KIND_ATOMIC_HELD)
        GC_free(header);
    else if (kind > KIND_NORMAL || !debug_delays_free) {
        statistics_freed(GC_size(header));
        free_fast(header);
    }
}

static void free_whole(struct header *header) {
    if (!debug_end_is_whole(header))
        report("found smashed location: object written past its end:", header);
    memset(debug_client_part(header), DEBUG_FREED_BYTE, header->bytes);
    header->check = debug_check_of(header, DEBUG_FREED);
    release(header);
}

/* An object of the other functions'. */
static void free_plain(void *object) {
    if (GC_base(object) != object)
        api_abort("GC_debug_free of memory that is not an object's start");
    GC_err_printf("tithe: GC_debug_free of %p, which has no debugging information\n", object);
    GC_free(object);
}

void GC_debug_free(void *object) {
    if (object == NULL)
        return;
    struct header *header = header_of(object);
    if (header == NULL) {
        free_plain(object);
        return;
    }
    switch (debug_state(header)) {
    case DEBUG_NONE:
        GC_err_printf("tithe: GC_debug_free: found smashed object, written before its start: %p\n",
                      object);
        GC_free(header);
        break;
    case DEBUG_FREED:
        report("found previously deallocated object, freed twice:", header);
        break;
    default:
        free_whole(header);
    }
}

/* A damaged object is told of as by GC_debug_free. */
void GC_debug_freezero(void *object, size_t bytes) {
    struct header *header = object ? header_of(object) : NULL;
    if (header && debug_state(header) == DEBUG_ALLOCATED)
        memset(object, 0, bytes < header->bytes ? bytes : header->bytes);
    GC_debug_free(object);
}

void *GC_debug_realloc(void *old, size_t bytes, const char *file, int line) {
    if (old == NULL)
        return GC_debug_malloc(bytes, file, line);
    if (bytes == 0) {
        GC_debug_free(old);
        return NULL;
    }
    struct header *header = header_of(old);
    if (header == NULL || debug_state(header) != DEBUG_ALLOCATED)
        api_abort("GC_debug_realloc of memory that is not a debugging object");
    void *copy = debug_allocate(bytes, GC_get_kind_and_size(header, NULL), file, line);
    if (copy == NULL)
        return NULL;
    memcpy(copy, old, header->bytes < bytes ? header->bytes : bytes);
    GC_debug_free(old);
    return copy;
}

void *GC_debug_reallocf(void *old, size_t bytes, const char *file, int line) {
    void *resized = GC_debug_realloc(old, bytes, file, line);
    if (resized == NULL && bytes > 0)
        GC_debug_free(old);
    return resized;
}

void *GC_debug_realloc_replacement(void *old, size_t bytes) {
    return GC_debug_realloc(old, bytes, "unknown", 0);
}

/* The finalizer is called with the client's part: the closure remembers how. */
struct closure {
    GC_finalization_proc function;
    void *data;
};

static void call_closure(void *object, void *data) {
    const struct closure *closure = data;
    closure->function(debug_client_part(object), closure->data);
}

typedef void registrar(void *, GC_finalization_proc, void *, GC_finalization_proc *, void **);

static void debug_register(registrar *with, void *object, GC_finalization_proc function, void *data,
                           GC_finalization_proc *old_function, void **old_data) {
    struct header *header = header_of(object);
    GC_finalization_proc old = NULL;
    void *old_closure = NULL;
    struct closure *closure = NULL;
    if (header == NULL)
        return;
    if (function && (closure = GC_malloc(sizeof *closure)) != NULL)
        *closure = (struct closure){function, data};
    with(header, closure ? call_closure : NULL, closure, &old, &old_closure);
    bool wrapped = old == call_closure;
    if (old_function)
        *old_function = wrapped ? ((struct closure *)old_closure)->function : old;
    if (old_data)
        *old_data = wrapped ? ((struct closure *)old_closure)->data : old_closure;
}

#define DEBUG_REGISTER(name, with)                                                                 \
    void name(void *object, GC_finalization_proc function, void *data,                             \
              GC_finalization_proc *old_function, void **old_data) {                               \
        debug_register(with, object, function, data, old_function, old_data);                      \
    }

DEBUG_REGISTER(GC_debug_register_finalizer, GC_register_finalizer)
DEBUG_REGISTER(GC_debug_register_finalizer_ignore_self, GC_register_finalizer_ignore_self)
DEBUG_REGISTER(GC_debug_register_finalizer_no_order, GC_register_finalizer_no_order)
DEBUG_REGISTER(GC_debug_register_finalizer_unreachable, GC_register_finalizer_unreachable)

void GC_debug_register_displacement(size_t offset) {
    GC_register_displacement(offset);
    GC_register_displacement(sizeof(struct header) + offset);
}

static void check_debugging(const void *object, const char *message) {
    struct header *header = header_of(object);
    if (header == NULL || debug_state(header) == DEBUG_NONE)
        api_abort(message);
}

void GC_debug_change_stubborn(const void *object) { (void)object; }

void GC_debug_end_stubborn_change(const void *object) {
    if (GC_is_heap_ptr(object))
        check_debugging(object, "GC_debug_end_stubborn_change of no debugging object");
}

void GC_debug_ptr_store_and_dirty(void *place, const void *value) {
    GC_ptr_store_and_dirty(GC_is_visible(place), GC_is_valid_displacement((void *)value));
}
