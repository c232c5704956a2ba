/* Cords of files: read at once or when somebody looks, closed when nobody can look any more, read
 * by two threads. */
#include "cord/texts.h"

#include <dirent.h>

static int open_files(void) {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

START_TEST(files_are_cords) {
    CORD (*const makers[])(FILE *) = {CORD_from_file, CORD_from_file_eager, CORD_from_file_lazy};
    const size_t lengths[] = {0, 1, 31, 32, 4095, 4096, 4097, 131072, 131073, 500001};
    char *bytes = contents(500001);
    GC_disable(); /* none is closed meanwhile */
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int k = 0; k < 3; k++) {
            int before = open_files();
            bool lazy = k == 2 ? lengths[i] > 0 : k == 0 && lengths[i] > 131072;
            CORD x = makers[k](file_of(bytes, lengths[i]));
            ck_assert_int_eq(open_files(), before + lazy);
            ck_assert_uint_eq(CORD_len(x), lengths[i]);
            ck_assert_int_eq(memcmp(CORD_to_char_star(x), bytes, lengths[i]), 0);
            for (size_t at = 0; at < lengths[i]; at += lengths[i] / 50 + 1)
                ck_assert_int_eq(CORD_fetch(x, at), bytes[at]);
        }
    free(bytes);
}
END_TEST

/* So that they hold no file open. */
START_TEST(a_few_characters_of_a_file_are_a_string) {
    char *bytes = contents(200000);
    CORD x = CORD_from_file_lazy(file_of(bytes, 200000));
    for (size_t at = 4090; at < 4100; at++) {
        CORD part = CORD_substr(CORD_cat("the file: ", x), at + 10, 2);
        ck_assert(CORD_IS_STRING(part));
        ck_assert_int_eq(memcmp(part, bytes + at, 2), 0);
    }
    free(bytes);
}
END_TEST

START_TEST(parts_of_lazy_files_are_read_in_both_directions) {
    enum { LENGTH = 400000, START = 5000, PART = 300000 };
    char *bytes = contents(LENGTH);
    CORD part = CORD_substr(CORD_from_file_lazy(file_of(bytes, LENGTH)), START, PART);
    CORD x = CORD_cat("the file: ", part);
    size_t i = 0;
    CORD_pos p;
    CORD_FOR(p, part) REQUIRE(CORD_pos_fetch(p) == bytes[START + i++]);
    ck_assert_uint_eq(i, PART);
    for (CORD_set_pos(p, x, PART + 9); CORD_pos_to_index(p) > 9; CORD_prev(p))
        REQUIRE(CORD_pos_fetch(p) == bytes[START + --i]);
    ck_assert_uint_eq(i, 0);
    ck_assert_int_eq(CORD_pos_fetch(p), ' ');
    x = CORD_substr(CORD_from_file_lazy(file_of(bytes, LENGTH)), START, PART);
    for (CORD_set_pos(p, x, i = PART - 1); CORD_pos_valid(p); CORD_prev(p))
        REQUIRE(CORD_pos_fetch(p) == bytes[START + i--]);
    for (i = 0; i < 2000; i++)
        REQUIRE(CORD_fetch(part, i * 7919 % PART) == bytes[START + i * 7919 % PART]);
    free(bytes);
}
END_TEST

enum { FILES = 60 };

__attribute__((noinline)) static void look_at_files(const char *bytes) {
    for (int i = 0; i < FILES; i++) {
        CORD x = CORD_from_file_lazy(file_of(bytes, 10000));
        ck_assert_int_eq(CORD_fetch(x, 9999), bytes[9999]);
    }
}

START_TEST(lazy_files_are_closed_when_they_are_collected) {
    char *bytes = contents(10000);
    static CORD kept;
    kept = CORD_substr(CORD_from_file_lazy(file_of(bytes, 10000)), 1, 5000);
    GC_disable();
    int before = open_files();
    look_at_files(bytes);
    ck_assert_int_eq(open_files(), before + FILES);
    GC_enable();
    for (int i = 0; i < 3; i++) {
        GC_gcollect();
        GC_invoke_finalizers();
    }
    ck_assert_int_le(open_files(), before + FILES / 10);
    ck_assert_int_eq(CORD_fetch(kept, 4999), bytes[5000]);
    free(bytes);
}
END_TEST

START_TEST(what_cannot_seek_is_read_eagerly) {
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    char *bytes = contents(20000);
    ck_assert_int_eq(write(ends[1], bytes, 20000), 20000);
    close(ends[1]);
    CORD x = CORD_from_file_eager(fdopen(ends[0], "r"));
    ck_assert_uint_eq(CORD_len(x), 20000);
    ck_assert_int_eq(memcmp(CORD_to_char_star(x), bytes, 20000), 0);
    free(bytes);
}
END_TEST

static void read_pipe_lazily(void) {
    int ends[2];
    if (pipe(ends) == 0)
        CORD_from_file_lazy(fdopen(ends[0], "r"));
}

static void read_directory(void) { CORD_from_file_eager(fopen("/tmp", "r")); }

static void read_shortened(void) {
    static char bytes[100000]; /* more than the stream may keep */
    FILE *file = file_of(bytes, sizeof bytes);
    CORD x = CORD_from_file_lazy(file);
    if (ftruncate(fileno(file), 0) == 0)
        CORD_fetch(x, 50000);
}

START_TEST(files_that_cannot_be_read_end_the_program) {
    ck_assert(aborts(read_pipe_lazily));
    ck_assert(aborts(read_directory));
    ck_assert(aborts(read_shortened));
}
END_TEST

enum { SHARED_FILE = 300000 };

struct shared_file {
    CORD cord;
    const char *bytes;
};

static void *read_shared(void *data) {
    const struct shared_file *shared = data;
    for (int round = 0; round < 5; round++) {
        size_t i = 0;
        CORD_pos p;
        CORD_FOR(p, shared->cord) REQUIRE(CORD_pos_fetch(p) == shared->bytes[i++]);
        for (i = 0; i < 1000; i++)
            REQUIRE(CORD_fetch(shared->cord, i * 65537 % SHARED_FILE) ==
                    shared->bytes[i * 65537 % SHARED_FILE]);
        GC_gcollect();
    }
    return NULL;
}

START_TEST(two_threads_read_one_file) {
    static struct shared_file shared;
    char *bytes = contents(SHARED_FILE);
    shared = (struct shared_file){CORD_from_file_lazy(file_of(bytes, SHARED_FILE)), bytes};
    pthread_t thread;
    ck_assert_int_eq(GC_pthread_create(&thread, NULL, read_shared, &shared), 0);
    read_shared(&shared);
    ck_assert_int_eq(GC_pthread_join(thread, NULL), 0);
    free(bytes);
}
END_TEST

int cord_files_run(void) {
    const TTest *const tests[] = {
        files_are_cords,
        a_few_characters_of_a_file_are_a_string,
        parts_of_lazy_files_are_read_in_both_directions,
        lazy_files_are_closed_when_they_are_collected,
        what_cannot_seek_is_read_eagerly,
        files_that_cannot_be_read_end_the_program,
        two_threads_read_one_file,
    };
    return SUITE_RUN("cord files", tests, 60);
}
