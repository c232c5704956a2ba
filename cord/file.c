/* Files as cords. A file that is read when somebody looks is a leaf of its own; it keeps the blocks
 * that were looked at last, by their number. Blocks never change: a position may go on reading one
 * that is no longer kept.
 *
 * A file's lock guards what it keeps, and its stream. Nothing is allocated under it, because
 * finalizers, which may read this very cord, run in allocations.
 */
#include "cord/file.h"

#include "gc/gc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 4096, BLOCKS_KEPT = 32, EAGER_MOST = BLOCK_BYTES * BLOCKS_KEPT };

struct file {
    FILE *stream;
    size_t length;
    pthread_mutex_t lock;
    struct {
        size_t number;
        const char *bytes; /* NULL: nothing is kept here */
    } kept[BLOCKS_KEPT];
};

static void read_block(struct file *file, size_t number, char *bytes, size_t count) {
    if (fseeko(file->stream, (off_t)(number * BLOCK_BYTES), SEEK_SET) != 0 ||
        fread(bytes, 1, count, file->stream) != count)
        cord_fail("a file cannot be read, or became shorter");
}

static const char *kept_block(struct file *file, size_t number) {
    size_t place = number % BLOCKS_KEPT;
    pthread_mutex_lock(&file->lock);
    const char *bytes = file->kept[place].number == number ? file->kept[place].bytes : NULL;
    pthread_mutex_unlock(&file->lock);
    return bytes;
}

static const char *block(struct file *file, size_t number) {
    const char *kept = kept_block(file, number);
    if (kept)
        return kept;
    size_t left = file->length - number * BLOCK_BYTES, place = number % BLOCKS_KEPT;
    size_t count = left < BLOCK_BYTES ? left : BLOCK_BYTES;
    char *bytes = cord_allocate_characters(count);
    pthread_mutex_lock(&file->lock);
    read_block(file, number, bytes, count);
    file->kept[place].number = number;
    file->kept[place].bytes = bytes;
    pthread_mutex_unlock(&file->lock);
    return bytes;
}

/* What makes a function a file, and what CORD_fetch calls. */
static char file_character(size_t i, void *data) {
    return block(data, i / BLOCK_BYTES)[i % BLOCK_BYTES];
}

bool cord_is_file(CORD leaf) {
    return cord_is(CORD_KIND_FUNCTION, leaf) &&
           ((const struct cord_function *)leaf)->fn == file_character;
}

struct cord_block cord_file_block(CORD leaf, size_t i) {
    const struct cord_function *function = (const struct cord_function *)leaf;
    struct file *file = function->data;
    size_t first = function->offset, past = first + function->node.length;
    size_t number = (first + i) / BLOCK_BYTES, start = number * BLOCK_BYTES;
    size_t end = file->length - start < BLOCK_BYTES ? file->length : start + BLOCK_BYTES;
    const char *bytes = block(file, number);
    size_t from = start > first ? start : first, to = end < past ? end : past;
    return (struct cord_block){bytes + (from - start), from - first, to - first};
}

static void close_file(void *object, void *unused) {
    (void)unused;
    struct file *file = object;
    fclose(file->stream);
    pthread_mutex_destroy(&file->lock);
}

static size_t length_of(FILE *f) {
    off_t length = fseeko(f, 0, SEEK_END) == 0 ? ftello(f) : -1;
    if (length < 0)
        cord_fail("a file cannot seek");
    return (size_t)length;
}

static CORD lazily(FILE *f, size_t length) {
    if (length == 0) {
        fclose(f);
        return CORD_EMPTY;
    }
    struct file *file = cord_allocate(sizeof *file);
    file->stream = f;
    file->length = length;
    pthread_mutex_init(&file->lock, NULL);
    GC_register_finalizer(file, close_file, NULL, NULL, NULL);
    return cord_function(file_character, file, 0, length).cord;
}

CORD CORD_from_file_lazy(FILE *f) { return lazily(f, length_of(f)); }

/* Goes back to the start, if there is one, and tells how much room to begin with. One more than
 * the length, so that the end is met without asking for more. */
static size_t rewound(FILE *f) {
    off_t length = fseeko(f, 0, SEEK_END) == 0 ? ftello(f) : -1;
    if (length >= 0)
        rewind(f);
    return length > 0 ? (size_t)length + 1 : BLOCK_BYTES;
}

CORD CORD_from_file_eager(FILE *f) {
    size_t room = rewound(f), length = 0, count;
    char *bytes = cord_allocate_characters(room + 1);
    while ((count = fread(bytes + length, 1, room - length, f)) > 0) {
        length += count;
        if (length < room)
            continue;
        char *larger = cord_allocate_characters(2 * room + 1);
        memcpy(larger, bytes, length);
        bytes = larger;
        room *= 2;
    }
    if (ferror(f))
        cord_fail("a file cannot be read");
    fclose(f);
    bytes[length] = '\0';
    if (length == 0)
        return CORD_EMPTY;
    return length <= CORD_SHORT ? cord_of_bytes(bytes, length).cord
                                : cord_slice(bytes, length).cord;
}

CORD CORD_from_file(FILE *f) {
    size_t length = length_of(f);
    return length <= EAGER_MOST ? CORD_from_file_eager(f) : lazily(f, length);
}
