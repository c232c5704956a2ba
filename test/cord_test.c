/* libcord: every function of cord.h, cord_pos.h and ec.h, depth, sharing, NULs, files, threads, and
 * random operations compared with plain C strings while collections go on.
 *
 * What a test expects of text is written out or computed from malloc'd memory, which the collector
 * does not look at, so that cords stay alive by their own roots only.
 */
#define GC_THREADS
#include "suite.h"

#include "gc/cord.h"
#include "gc/ec.h"
#include "gc/gc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

enum { MANY = 1000000 };

static void ck_assert_cord(CORD x, const char *bytes, size_t length) {
    ck_assert_uint_eq(CORD_len(x), length);
    ck_assert_int_eq(memcmp(CORD_to_const_char_star(x), bytes, length), 0);
}

static void ck_assert_text(CORD x, const char *text) { ck_assert_cord(x, text, strlen(text)); }

/* How many pairs lie above the i-th character. */
static int depth_at(CORD x, size_t i) {
    CORD_pos p;
    CORD_set_pos(p, x, i);
    return p->path_len;
}

static char letter(size_t i, void *data) {
    (void)data;
    return (char)('a' + i % 26);
}

static char counted_letter(size_t i, void *data) {
    ++*(int *)data;
    return letter(i, NULL);
}

/* Whether a function ends the process by abort. */
static bool aborts(void (*function)(void)) {
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        function();
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* Joining. */

START_TEST(cords_are_joined) {
    ck_assert_ptr_null(CORD_cat(CORD_EMPTY, CORD_EMPTY));
    ck_assert_uint_eq(CORD_len(CORD_EMPTY), 0);
    CORD word = "word";
    ck_assert_ptr_eq(CORD_cat(word, CORD_EMPTY), word);
    ck_assert_ptr_eq(CORD_cat(CORD_EMPTY, word), word);
    ck_assert(CORD_IS_STRING(word));
    ck_assert_text(CORD_cat(word, "s"), "words");
    ck_assert_text(word, "word");

    const char *part = "a part that is too long to be copied with another";
    CORD pair = CORD_cat(part, part);
    ck_assert(!CORD_IS_STRING(pair));
    ck_assert_uint_eq(CORD_len(pair), 2 * strlen(part));
    ck_assert_text(CORD_substr(pair, strlen(part), 6), "a part");

    ck_assert_ptr_eq(CORD_cat_char_star(word, "", 0), word);
    ck_assert_ptr_eq(CORD_cat_char_star(CORD_EMPTY, part, strlen(part)), part);
    ck_assert_uint_eq(CORD_len(CORD_cat_char_star(pair, part, strlen(part))), 3 * strlen(part));
    ck_assert_text(CORD_cat_char_star("ab", "cd", 2), "abcd");
    ck_assert_text(CORD_cat_char(CORD_cat_char(CORD_EMPTY, 'x'), '\xff'), "x\xff");
    ck_assert_cord(CORD_cat_char(CORD_cat_char("a", '\0'), 'b'), "a\0b", 3);
    ck_assert_text(CORD_catn(4, "a", (CORD)0, "bc", "d"), "abcd");
    ck_assert_ptr_null(CORD_catn(0));
}
END_TEST

START_TEST(short_texts_at_either_end_are_copied_together) {
    const char *part = "a part that is too long to be copied with another";
    CORD behind = CORD_cat(CORD_cat(part, ">"), ">"), before = CORD_cat("<", CORD_cat("<", part));
    ck_assert_int_eq(depth_at(behind, 0), 1);
    ck_assert_int_eq(depth_at(before, 0), 1);
    ck_assert_text(CORD_substr(before, 0, 4), "<<a ");
    ck_assert_text(CORD_substr(behind, CORD_len(behind) - 4, 9), "er>>");
}
END_TEST

/* Depth. */

static char nth(size_t i) { return (char)('a' + i % 23); }

static int check_next(char c, void *count) {
    size_t *i = count;
    REQUIRE(c == nth((*i)++));
    return 0;
}

static int check_previous(char c, void *count) {
    size_t *i = count;
    REQUIRE(c == nth(--*i));
    return 0;
}

static void check_chain(CORD chain) {
    ck_assert_uint_eq(CORD_len(chain), MANY);
    size_t i = 0;
    CORD_iter(chain, check_next, &i);
    ck_assert_uint_eq(i, MANY);
    CORD_riter(chain, check_previous, &i);
    ck_assert_uint_eq(i, 0);
    CORD_pos p;
    CORD_FOR(p, chain) REQUIRE(CORD_pos_fetch(p) == nth(i++) && p->path_len <= MAX_DEPTH);
    const char *flat = CORD_to_char_star(chain);
    CORD balanced = CORD_balance(chain);
    ck_assert_uint_eq(strlen(flat), MANY);
    ck_assert_int_eq(CORD_cmp(chain, flat), 0);
    ck_assert_int_eq(CORD_cmp(balanced, chain), 0);
    for (i = 0; i < MANY; i += 997)
        REQUIRE(CORD_fetch(balanced, i) == nth(i) && depth_at(balanced, i) <= 24);
    ck_assert_ptr_eq(CORD_balance(balanced), balanced);
}

START_TEST(a_million_characters_are_appended_one_by_one) {
    CORD chain = CORD_EMPTY;
    for (size_t i = 0; i < MANY; i++)
        chain = CORD_cat_char(chain, nth(i));
    check_chain(chain);
}
END_TEST

START_TEST(a_million_characters_are_prepended_one_by_one) {
    CORD chain = CORD_EMPTY;
    for (size_t i = MANY; i-- > 0;)
        chain = CORD_cat(CORD_cat_char(CORD_EMPTY, nth(i)), chain);
    check_chain(chain);
}
END_TEST

static char nth_of_data(size_t i, void *first) { return nth((size_t)(uintptr_t)first + i); }

START_TEST(a_million_leaves_that_cannot_be_copied_together_make_a_low_tree) {
    CORD right = CORD_EMPTY, left = CORD_EMPTY;
    for (size_t i = 0; i < MANY; i++) {
        right = CORD_cat(right, CORD_from_fn(nth_of_data, (void *)(uintptr_t)i, 1));
        left = CORD_cat(CORD_from_fn(nth_of_data, (void *)(uintptr_t)(MANY - 1 - i), 1), left);
    }
    int most = (int)(1.45 * log2(MANY)) + 1;
    CORD balanced[] = {CORD_balance(right), CORD_balance(left)};
    for (size_t i = 0; i < MANY; i += 101)
        for (int k = 0; k < 2; k++)
            REQUIRE(CORD_fetch(balanced[k], i) == nth(i) && depth_at(balanced[k], i) <= most);
    ck_assert_int_eq(CORD_cmp(left, right), 0);
}
END_TEST

START_TEST(sharing_does_not_multiply) {
    CORD x = "01";
    size_t length = 2;
    for (int i = 0; i < 40; i++, length = 2 * length + 1)
        x = CORD_cat(CORD_cat(x, "x"), x);
    size_t middle = length / 2;
    ck_assert_uint_eq(CORD_len(x), length);
    ck_assert_int_eq(CORD_fetch(x, middle), 'x');
    ck_assert_text(CORD_substr(x, middle - 2, 5), "01x01");
    ck_assert_text(CORD_substr(x, length - 2, 5), "01");
    ck_assert_uint_eq(CORD_chr(x, middle, 'x'), middle);
    ck_assert_int_eq(CORD_ncmp(x, 0, x, middle + 1, 100000), 0);
    ck_assert_int_le(depth_at(CORD_balance(x), middle), MAX_DEPTH);
    ck_assert_uint_lt(GC_get_memory_use(), (size_t)64 << 20);
}
END_TEST

static CORD longest;

static void join_longest(void) { CORD_cat(longest, longest); }

START_TEST(a_cord_may_be_as_long_as_a_size_t_can_tell) {
    CORD x = "ab";
    for (int i = 1; i < 63; i++)
        x = CORD_cat(x, x);
    size_t length = (size_t)1 << 63;
    ck_assert_uint_eq(CORD_len(x), length);
    for (size_t i = 1; i < length; i += length / 1000 + 7)
        REQUIRE(CORD_fetch(x, i) == "ab"[i % 2] && depth_at(x, i) <= MAX_DEPTH);
    CORD_pos p;
    size_t i = length / 2 - 100;
    for (CORD_set_pos(p, x, i); i < length / 2 + 100; CORD_next(p), i++)
        REQUIRE(CORD_pos_fetch(p) == "ab"[i % 2] && CORD_pos_to_index(p) == i);
    for (CORD_prev(p), i--; i > length / 2 - 100; CORD_prev(p), i--)
        REQUIRE(CORD_pos_fetch(p) == "ab"[i % 2] && CORD_pos_to_index(p) == i);
    ck_assert_text(CORD_substr(x, length - 3, 100), "bab");
    longest = CORD_cat(x, CORD_substr(x, 0, length - 1));
    ck_assert_uint_eq(CORD_len(longest), SIZE_MAX);
    ck_assert_int_eq(CORD_fetch(longest, SIZE_MAX - 1), 'a');
    CORD_set_pos(p, longest, SIZE_MAX - 1);
    CORD_next(p);
    ck_assert(!CORD_pos_valid(p));
    ck_assert(aborts(join_longest));
}
END_TEST

/* Parts. */

START_TEST(parts_are_taken) {
    const char *text = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-+";
    CORD whole = CORD_cat(CORD_cat(text, CORD_from_fn(letter, NULL, 52)), text);
    size_t length = CORD_len(whole);
    char *flat = CORD_to_char_star(whole);
    ck_assert_uint_eq(length, 180);
    for (size_t i = 0; i <= length + 1; i++)
        for (size_t n = 0; n <= length + 1; n++) {
            CORD part = CORD_substr(whole, i, n);
            size_t rest = i < length ? length - i : 0, expected = n < rest ? n : rest;
            REQUIRE(CORD_len(part) == expected && (part != CORD_EMPTY) == (expected != 0));
            REQUIRE(expected == 0 ||
                    memcmp(CORD_to_const_char_star(part), flat + i, expected) == 0);
        }
    ck_assert_ptr_eq(CORD_substr(whole, 0, SIZE_MAX), whole);
    ck_assert_text(CORD_substr(text, 60, SIZE_MAX), "YZ-+");
    ck_assert_text(CORD_substr(CORD_substr(CORD_substr(text, 5, 50), 5, 40), 5, 38),
                   "fghijklmnopqrstuvwxyzABCDEFGHIJKLMN");
}
END_TEST

/* Functions, NULs. */

START_TEST(functions_tell_characters_when_they_are_looked_at) {
    int calls = 0;
    CORD x = CORD_cat("before ", CORD_from_fn(counted_letter, &calls, 1000));
    ck_assert_uint_eq(CORD_len(x), 1007);
    x = CORD_substr(x, 5, 900);
    ck_assert_int_eq(calls, 0);
    ck_assert_int_eq(CORD_fetch(x, 2 + 27), 'b');
    ck_assert_int_eq(calls, 1);
    CORD_pos p;
    CORD_set_pos(p, x, 100);
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(CORD_pos_fetch(p), letter(98, NULL));
    ck_assert_int_eq(CORD_pos_fetch(p), letter(98, NULL));
    ck_assert_int_eq(calls, 2);
    ck_assert_ptr_null(CORD_from_fn(letter, NULL, 0));
    ck_assert_text(CORD_from_fn(letter, NULL, 27), "abcdefghijklmnopqrstuvwxyza");
}
END_TEST

START_TEST(nul_is_a_character) {
    CORD x = CORD_catn(3, "ab", CORD_nul(2), "cd");
    ck_assert_cord(x, "ab\0\0cd", 6);
    char *string = CORD_to_char_star(x);
    ck_assert_int_eq(memcmp(string, "ab\0\0cd", 7), 0);
    ck_assert_uint_eq(CORD_chr(x, 0, '\0'), 2);
    ck_assert_uint_eq(CORD_rchr(x, 5, '\0'), 3);
    ck_assert_uint_eq(CORD_str(x, 0, CORD_cat(CORD_nul(1), "c")), 3);
    ck_assert_int_lt(CORD_cmp(x, "abc"), 0);
    ck_assert_int_gt(CORD_cmp(x, "ab"), 0);
    ck_assert_cord(CORD_substr(x, 1, 3), "b\0\0", 3);
    ck_assert_int_eq(CORD_fetch(CORD_substr(CORD_nul(100), 50, 10), 9), '\0');
    ck_assert_int_ne(*CORD_chars('x', 3), '\0');
    ck_assert_ptr_null(CORD_chars('x', 0));
    ck_assert_text(CORD_chars('x', 5), "xxxxx");
    ck_assert_uint_eq(CORD_chr(CORD_chars('x', (size_t)1 << 60), 12345, 'x'), 12345);
    ck_assert_int_eq(CORD_fetch(CORD_chars('\xfe', (size_t)1 << 60), 1), '\xfe');
}
END_TEST

/* Going through cords. */

static CORD mixed(void) {
    CORD_ec binary;
    CORD_ec_init(binary);
    CORD_ec_append(binary, 'x');
    CORD_ec_append(binary, '\0');
    CORD_ec_append(binary, 'y');
    return CORD_catn(5, "a C string that is long enough to remain one", CORD_from_fn(letter, 0, 30),
                     CORD_ec_to_cord(binary), CORD_nul(3),
                     CORD_substr("another one, of which a part is taken from the middle", 3, 40));
}

START_TEST(positions_move_both_ways) {
    CORD x = mixed();
    size_t length = CORD_len(x), i;
    const char *flat = CORD_to_char_star(x);
    CORD_pos p;
    for (size_t start = 0; start < length; start++) {
        for (CORD_set_pos(p, x, start), i = start; CORD_pos_valid(p); CORD_next(p), i++)
            REQUIRE(CORD_pos_fetch(p) == flat[i] && CORD_pos_to_index(p) == i);
        REQUIRE(i == length);
        for (CORD_set_pos(p, x, start), i = start; CORD_pos_valid(p); CORD_prev(p), i--)
            REQUIRE(CORD_pos_fetch(p) == flat[i] && CORD_pos_to_index(p) == i);
        REQUIRE(i == SIZE_MAX);
    }
    CORD_set_pos(p, x, i = 5);
    for (int step = 0; step < 20000; step++) {
        if ((step / 7 * 31 + step) % 5 < 2 || i + 1 == length) {
            if (i == 0)
                continue;
            CORD_prev(p), i--;
        } else {
            CORD_next(p), i++;
        }
        REQUIRE(step % 3 == 0 || CORD_pos_fetch(p) == flat[i]);
    }
    ck_assert_ptr_eq(CORD_pos_to_cord(p), x);
}
END_TEST

START_TEST(positions_move_by_what_is_in_memory) {
    CORD x = mixed();
    size_t length = CORD_len(x), at = 0;
    char *flat = CORD_to_char_star(x), *copy = malloc(length);
    CORD_pos p;
    CORD_set_pos(p, x, 0);
    while (CORD_pos_valid(p)) {
        long n = CORD_pos_chars_left(p);
        if (n <= 0) {
            copy[at++] = CORD_pos_fetch(p);
            CORD_next(p);
        } else {
            memcpy(copy + at, CORD_pos_cur_char_addr(p), (size_t)n);
            at += (size_t)n;
            CORD_pos_advance(p, n);
        }
    }
    ck_assert_uint_eq(at, length);
    ck_assert_int_eq(memcmp(copy, flat, length), 0);
    CORD_set_pos(p, x, 3);
    CORD_pos_advance(p, 5);
    ck_assert_uint_eq(CORD_pos_to_index(p), 8);
    ck_assert_int_eq(CORD_pos_fetch(p), flat[8]);
    free(copy);
}
END_TEST

START_TEST(macros_for_positions_are_functions_too) {
    CORD x = CORD_cat("some text that is long enough for a leaf of its own", CORD_chars('c', 40));
    size_t (*to_index)(CORD_pos) = CORD_pos_to_index;
    CORD (*to_cord)(CORD_pos) = CORD_pos_to_cord;
    char (*fetch)(CORD_pos) = CORD_pos_fetch;
    int (*valid)(CORD_pos) = CORD_pos_valid;
    void (*next)(CORD_pos) = CORD_next, (*prev)(CORD_pos) = CORD_prev;
    int (*iterate)(CORD, CORD_iter_fn, void *) = CORD_iter;
    CORD_pos p;
    CORD_set_pos(p, x, 50);
    ck_assert_int_eq(fetch(p), 'n');
    next(p);
    ck_assert_int_eq(fetch(p), 'c');
    ck_assert_uint_eq(to_index(p), 51);
    prev(p);
    ck_assert_uint_eq(to_index(p), 50);
    ck_assert_ptr_eq(to_cord(p), x);
    ck_assert(valid(p));
    CORD_set_pos(p, x, CORD_len(x));
    ck_assert(!valid(p));
    size_t i = 3;
    CORD chain = CORD_from_fn(nth_of_data, (void *)3, 60);
    ck_assert_int_eq(iterate(chain, check_next, &i), 0);
    ck_assert_uint_eq(i, 63);
}
END_TEST

START_TEST(an_empty_cord_has_no_positions) {
    CORD_pos p;
    int count = 0;
    CORD_FOR(p, CORD_EMPTY) count++;
    ck_assert_int_eq(count, 0);
    ck_assert_ptr_null(CORD_pos_to_cord(p));
}
END_TEST

static void fetch_outside(void) { CORD_fetch(CORD_chars('x', 100), 100); }

static void fetch_from_empty(void) { CORD_fetch(CORD_EMPTY, 0); }

static void use_invalid(int how) {
    CORD_pos p;
    CORD_set_pos(p, CORD_chars('x', 100), 100);
    if (how == 0)
        CORD_pos_fetch(p);
    else if (how == 1)
        CORD_next(p);
    else
        CORD_prev(p);
}

static void fetch_invalid(void) { use_invalid(0); }
static void next_invalid(void) { use_invalid(1); }
static void prev_invalid(void) { use_invalid(2); }
static void nothing(void) {}

START_TEST(what_is_not_there_ends_the_program) {
    ck_assert(!aborts(nothing));
    ck_assert(aborts(fetch_outside));
    ck_assert(aborts(fetch_from_empty));
    ck_assert(aborts(fetch_invalid));
    ck_assert(aborts(next_invalid));
    ck_assert(aborts(prev_invalid));
}
END_TEST

struct heard {
    char text[300];
    size_t length;
    int batches;
    char stop_at;
};

static int hear(char c, void *data) {
    struct heard *heard = data;
    heard->text[heard->length++] = c;
    return c == heard->stop_at;
}

static int hear_batch(const char *s, void *data) {
    struct heard *heard = data;
    strcpy(heard->text + heard->length, s);
    heard->length += strlen(s);
    heard->batches++;
    return strchr(s, heard->stop_at) != NULL;
}

START_TEST(functions_are_called_for_each_character) {
    CORD x = mixed();
    size_t length = CORD_len(x);
    const char *flat = CORD_to_char_star(x);
    for (size_t start = 0; start < length; start++) {
        struct heard each = {.stop_at = '!'}, batched = {.stop_at = '!'}, back = {.stop_at = '!'};
        REQUIRE(CORD_iter5(x, start, hear, CORD_NO_FN, &each) == 0);
        REQUIRE(CORD_iter5(x, start, hear, hear_batch, &batched) == 0);
        REQUIRE(CORD_riter4(x, start, hear, &back) == 0);
        REQUIRE(each.length == length - start && batched.length == each.length);
        REQUIRE(memcmp(each.text, flat + start, each.length) == 0);
        REQUIRE(memcmp(batched.text, each.text, each.length) == 0);
        REQUIRE(each.batches == 0 && (batched.batches > 0) == (start < 44 || start == 76));
        REQUIRE(back.length == start + 1);
        for (size_t i = 0; i <= start; i++)
            REQUIRE(back.text[i] == flat[start - i]);
    }
    struct heard heard = {.stop_at = 'C'};
    ck_assert_int_eq(CORD_iter(x, hear, &heard), 1);
    ck_assert_uint_eq(heard.length, 3);
    heard = (struct heard){.stop_at = 'C'};
    ck_assert_int_eq(CORD_iter5(x, 0, hear, hear_batch, &heard), 1);
    ck_assert_uint_eq(heard.length, 44);
    heard = (struct heard){.stop_at = 'y'};
    ck_assert_int_eq(CORD_riter(x, hear, &heard), 1);
    ck_assert_uint_eq(heard.length, 40 + 3 + 1);
    ck_assert_int_eq(CORD_iter(CORD_EMPTY, hear, &heard), 0);
    ck_assert_int_eq(CORD_riter(CORD_EMPTY, hear, &heard), 0);
    ck_assert_uint_eq(heard.length, 44);
}
END_TEST

/* Comparing and searching. */

static int sign(int number) { return (number > 0) - (number < 0); }

START_TEST(cords_are_compared_as_strings) {
    const char *const texts[] = {"a", "aa", "ab", "b", "a\x80", "a\x7f", "abcabcabc", "abcabcabd"};
    int count = sizeof texts / sizeof *texts;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < count; k++) {
            CORD x = CORD_cat(CORD_chars('p', 70), texts[i]);
            CORD y = CORD_cat(CORD_chars('p', 35), CORD_cat(CORD_chars('p', 35), texts[k]));
            int order = sign(strcmp(texts[i], texts[k]));
            ck_assert_int_eq(sign(CORD_cmp(texts[i], texts[k])), order);
            ck_assert_int_eq(sign(CORD_cmp(x, y)), order);
            ck_assert_int_eq(sign(CORD_ncmp(x, 68, y, 68, 4)),
                             sign(strncmp(texts[i], texts[k], 2)));
            ck_assert_int_eq(sign(CORD_ncmp(x, 70, texts[k], 0, 100)), order);
        }
    ck_assert_int_lt(CORD_cmp(CORD_EMPTY, "a"), 0);
    ck_assert_int_gt(CORD_cmp("a", CORD_EMPTY), 0);
    ck_assert_int_eq(CORD_cmp(CORD_EMPTY, CORD_EMPTY), 0);
    ck_assert_int_eq(CORD_ncmp("abc", 1, "xbcd", 1, 2), 0);
    ck_assert_int_lt(CORD_ncmp("abc", 1, "xbcd", 1, 3), 0);
    ck_assert_int_eq(CORD_ncmp("abc", 0, "xyz", 0, 0), 0);
}
END_TEST

START_TEST(characters_are_found) {
    CORD x = CORD_catn(3, "abcabc and so on for a while, as text does", CORD_from_fn(letter, 0, 40),
                       "the end");
    const char *flat = CORD_to_char_star(x);
    size_t length = CORD_len(x);
    for (size_t i = 0; i < length; i++)
        for (int c = 'a'; c <= 'z'; c++) {
            const char *found = memchr(flat + i, c, length - i);
            const char *last = memrchr(flat, c, i + 1);
            REQUIRE(CORD_chr(x, i, c) == (found ? (size_t)(found - flat) : CORD_NOT_FOUND));
            REQUIRE(CORD_rchr(x, i, c) == (last ? (size_t)(last - flat) : CORD_NOT_FOUND));
        }
    ck_assert_uint_eq(CORD_chr("abc", 0, 'b' + 256), 1);
    ck_assert_uint_eq(CORD_chr(CORD_EMPTY, 0, 'a'), CORD_NOT_FOUND);
}
END_TEST

START_TEST(cords_are_found) {
    CORD x = CORD_cat("abababacabababa which goes on in a leaf of its own: ", "abac");
    ck_assert_uint_eq(CORD_str(x, 0, "ababac"), 2);
    ck_assert_uint_eq(CORD_str(x, 3, "aba"), 4);
    ck_assert_uint_eq(CORD_str(x, 9, "abac"), 52);
    ck_assert_uint_eq(CORD_str(x, 0, "n: aba"), 49);
    ck_assert_uint_eq(CORD_str(x, 53, "abac"), CORD_NOT_FOUND);
    ck_assert_uint_eq(CORD_str(x, 0, "abad"), CORD_NOT_FOUND);
    ck_assert_uint_eq(CORD_str(x, 7, CORD_EMPTY), 7);
    ck_assert_uint_eq(CORD_str(x, CORD_len(x), CORD_EMPTY), CORD_len(x));
    ck_assert_uint_eq(CORD_str(x, CORD_len(x) + 1, CORD_EMPTY), CORD_NOT_FOUND);
    ck_assert_uint_eq(CORD_str("ab", 0, "abc"), CORD_NOT_FOUND);
    ck_assert_uint_eq(CORD_str(x, 0, x), 0);
    /* Quadratic searching would take hours. */
    CORD pattern = CORD_cat(CORD_chars('a', MANY), "b");
    CORD text = CORD_catn(3, CORD_chars('a', 2 * MANY), "b", CORD_chars('c', 100));
    ck_assert_uint_eq(CORD_str(text, 0, pattern), MANY);
    ck_assert_uint_eq(CORD_str(CORD_chars('a', 3 * MANY), 0, pattern), CORD_NOT_FOUND);
}
END_TEST

/* To and from C strings, memory. */

START_TEST(strings_are_copied) {
    char text[] = "text";
    CORD x = CORD_from_char_star(text);
    text[0] = 'T';
    ck_assert_text(x, "text");
    ck_assert_ptr_null(CORD_from_char_star(""));
    char *copy = CORD_to_char_star(x);
    ck_assert_ptr_ne(copy, x);
    copy[0] = 'n';
    ck_assert_text(x, "text");
    ck_assert_str_eq(CORD_to_char_star(CORD_EMPTY), "");
    ck_assert_str_eq(CORD_to_const_char_star(CORD_EMPTY), "");
    ck_assert_ptr_eq(CORD_to_const_char_star(x), x);
    const char *sentence = "a sentence from which the first and the last part are taken";
    ck_assert_ptr_eq(CORD_to_const_char_star(CORD_substr(sentence, 2, 99)), sentence + 2);
    ck_assert_str_eq(CORD_to_const_char_star(CORD_substr(sentence, 2, 40)),
                     "sentence from which the first and the la");
}
END_TEST

static void leave(void) { _exit(7); }

START_TEST(wanting_memory_is_told) {
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        CORD_oom_fn = leave;
        CORD_to_char_star(CORD_chars('x', (size_t)1 << 60));
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WEXITSTATUS(status), 7);
}
END_TEST

/* Files. */

/* A stream of a new file with these contents, and no name. */
static FILE *file_of(const char *bytes, size_t length) {
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    ck_assert_int_eq(fflush(file), 0);
    return file;
}

static char *contents(size_t length) {
    char *bytes = malloc(length);
    uint32_t state = 1;
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)((state = state * 1664525 + 1013904223) >> 24);
    return bytes;
}

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

/* Output. */

/* What a function writes to the standard output. */
static char *said_by(void (*function)(void)) {
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    FILE *file = tmpfile();
    dup2(fileno(file), STDOUT_FILENO);
    function();
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    return CORD_to_char_star(CORD_from_file_eager(file));
}

START_TEST(cords_are_written) {
    CORD x = CORD_cat(mixed(), CORD_chars('z', 10000));
    FILE *file = tmpfile();
    fputs(">>", file);
    ck_assert_int_eq(CORD_put(x, file), 1);
    ck_assert_int_eq(CORD_put(CORD_EMPTY, file), 1);
    ck_assert_int_eq(CORD_cmp(CORD_from_file_eager(file), CORD_cat(">>", x)), 0);
    FILE *full = fopen("/dev/full", "w");
    setvbuf(full, NULL, _IONBF, 0);
    ck_assert_int_eq(CORD_put(x, full), EOF);
    ck_assert_int_eq(CORD_fprintf(full, "%r", x), -1);
    fclose(full);
}
END_TEST

static void dump_some(void) {
    CORD_dump(CORD_EMPTY);
    CORD_dump("a \"string\"\n");
    CORD_dump(CORD_cat(CORD_chars('x', 40), CORD_substr(CORD_from_fn(letter, 0, 50), 5, 45)));
    CORD_dump(CORD_cat(CORD_nul(1), CORD_from_file_lazy(file_of("file", 4))));
    CORD_dump(CORD_substr(
        "a text from which a part is taken, so long that only its beginning is shown", 2, 70));
}

START_TEST(representations_are_dumped) {
    ck_assert_str_eq(said_by(dump_some),
                     "empty\n"
                     "string, 11 characters: \"a \\\"string\\\"\\012\"\n"
                     "pair, 85 characters, depth 1, level parts 1\n"
                     " function, 40 characters from 0 on\n"
                     " function, 45 characters from 5 on\n"
                     "pair, 5 characters, depth 1, level parts 1\n"
                     " function, 1 characters from 0 on\n"
                     " file, 4 characters from 0 on\n"
                     "slice, 70 characters: \"text from which a part is taken, so long that only "
                     "its begin\"...\n");
}
END_TEST

START_TEST(extensible_cords_grow) {
    static CORD_ec x;
    CORD_ec_init(x);
    ck_assert_ptr_null(CORD_ec_to_cord(x));
    for (size_t i = 0; i < 1000; i++)
        CORD_ec_append(x, nth(i));
    CORD before = CORD_ec_to_cord(x);
    CORD_ec_append_cord(x, "and a cord");
    CORD_ec_append_cord(x, CORD_EMPTY);
    CORD_ec_append(x, '\0');
    CORD_ec_append(x, '.');
    CORD_ec_flush_buf(x);
    ck_assert_ptr_eq(x->ec_bufptr, x->ec_buf);
    CORD after = CORD_ec_to_cord(x);
    ck_assert_uint_eq(CORD_len(before), 1000);
    ck_assert_uint_eq(CORD_len(after), 1012);
    for (size_t i = 0; i < 1000; i++)
        ck_assert(CORD_fetch(before, i) == nth(i) && CORD_fetch(after, i) == nth(i));
    ck_assert_cord(CORD_substr(after, 1000, 100), "and a cord\0.", 12);
}
END_TEST

/* Printing. */

__attribute__((format(printf, 1, 2))) static void check_as_native(const char *format, ...) {
    char expected[2000];
    CORD printed = "untouched";
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    errno = ENOENT;
    int length = vsnprintf(expected, sizeof expected, format, list);
    errno = ENOENT;
    int ours = CORD_vsprintf(&printed, format, again);
    va_end(again);
    va_end(list);
    if (ours != length)
        ck_abort_msg("%s: %d, not %d", format, ours, length);
    ck_assert_cord(printed, expected, (size_t)length);
}

START_TEST(conversions_are_those_of_stdio) {
    setlocale(LC_ALL, "C.UTF-8");
    check_as_native("no conversion");
    check_as_native("%d %i %5d|%-5d|%05d %+d % d %.3d %'d", 1, -2, 3, 4, 5, 6, 7, 8, 1234567);
    check_as_native("%o %u %x %X %#o %#x %#X", 8u, 4000000000u, 255u, 255u, 8u, 255u, 255u);
    check_as_native("%hhd %hd %ld %lld %jd %zd %td", 300, 70000, LONG_MIN, LLONG_MAX, INTMAX_MIN,
                    (ssize_t)-5, (ptrdiff_t)-6);
    check_as_native("%hhu %hu %lu %llx %ju %zu", 300, 70000, ULONG_MAX, ULLONG_MAX, UINTMAX_MAX,
                    SIZE_MAX);
    check_as_native("%f %F %e %E %g %G %a %A %.0f %10.3f|%-10.1e|", 1.5, INFINITY, 12345.678, 1e-7,
                    0.0001, 1e20, 1.0, 0.5, 2.5, 3.14159, 2.0);
    check_as_native("%Lf %.20Lg", 1.25L, 1.0L / 3);
    check_as_native("%c%5c|%-5c|", 'a', 'b', 'c');
    check_as_native("%c after a NUL", '\0');
    check_as_native("%s|%10s|%-10s|%.2s|%10.2s|", "one", "two", "three", "four", "five");
    check_as_native("%lc %ls %5ls|%C %S", (wint_t)0xe4, L"w\xf6rd", L"w", (wint_t)'x', L"yz");
    check_as_native("%p %p", (void *)&errno, (void *)NULL);
    check_as_native("%m %% 100%%");
    check_as_native("%*d|%-*d|%*d|%.*d|%.*d|%*.*f", 5, 1, 5, 2, -5, 3, 3, 4, -1, 5, 8, 2, 1.5);
    check_as_native("%2$s %1$d %2$s %4$.*3$f", 5, "twice", 2, 1.23456);
    check_as_native("%300d|%.300d|%s", 1, 2, CORD_to_char_star(CORD_chars('s', 900)));
}
END_TEST

START_TEST(cords_are_printed) {
    CORD x = CORD_cat("a long text that is shared with what it is printed to", CORD_nul(1)), out;
    ck_assert_int_eq(CORD_sprintf(&out, "<%r>", x), 56);
    ck_assert_cord(out, CORD_to_char_star(CORD_catn(3, "<", x, ">")), 56);
    ck_assert_int_eq(CORD_sprintf(&out, "%r", (CORD)CORD_EMPTY), 0);
    ck_assert_ptr_null(out);
    ck_assert_int_eq(CORD_sprintf(&out, "[%6r|%-6r|%.2r|%5.1r|%-*.*r|%*r]", "abc", "abc", "abc",
                                  "abc", 4, 2, "abc", -4, "xy"),
                     34);
    ck_assert_text(out, "[   abc|abc   |ab|    a|ab  |xy  ]");
    ck_assert_int_eq(CORD_sprintf(&out, "%2$r %1$d", 5, "five"), 6);
    ck_assert_text(out, "five 5");
    int i;
    signed char c;
    short s;
    long l;
    long long ll;
    ck_assert_int_eq(CORD_sprintf(&out, CORD_cat("%r%n12%hhn3%hn4%ln5%lln", CORD_nul(1)), "abc", &i,
                                  &c, &s, &l, &ll),
                     9);
    ck_assert(i == 3 && c == 5 && s == 6 && l == 7 && ll == 8);
    ck_assert_cord(out, "abc12345\0", 9);
}
END_TEST

START_TEST(wrong_formats_are_errors) {
    static const char *const wrong[] = {"%",    "text %",   "%y",       "%5",
                                        "%ll",  "%.",       "%1$d %d",  "%*1$d",
                                        "%0$d", "%99999$d", "%1$d%1$s", "%99999999999d"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CORD out = "as before";
        errno = 0;
        if (CORD_sprintf(&out, wrong[i], 1, 2) != -1 || errno != EINVAL)
            ck_abort_msg("%s is printed", wrong[i]);
        ck_assert_text(out, "as before");
    }
    CORD out = "as before";
    ck_assert_int_eq(CORD_sprintf(&out, "%r%r", CORD_chars('x', INT_MAX), "y"), -1);
    ck_assert_int_eq(errno, EOVERFLOW);
    ck_assert_int_eq(CORD_sprintf(&out, "%*d", INT_MIN, 1), -1);
    ck_assert_int_eq(CORD_sprintf(&out, "%lc", (wint_t)0x7fffffff), -1);
    ck_assert_int_eq(errno, EILSEQ);
    ck_assert_text(out, "as before");
}
END_TEST

static int print_list(int to_file, FILE *file, CORD format, ...) {
    va_list list;
    va_start(list, format);
    int length = to_file ? CORD_vfprintf(file, format, list) : CORD_vprintf(format, list);
    va_end(list);
    return length;
}

static void print_some(void) {
    ck_assert_int_eq(CORD_printf("%d %r;", 1, "one"), 6);
    ck_assert_int_eq(CORD_fprintf(stdout, "%d %r;", 2, "two"), 6);
    ck_assert_int_eq(print_list(0, NULL, "%d %r;", 3, "three"), 8);
    ck_assert_int_eq(print_list(1, stdout, "%d %r;", 4, "four"), 7);
}

START_TEST(cords_are_printed_to_files) {
    ck_assert_str_eq(said_by(print_some), "1 one;2 two;3 three;4 four;");
}
END_TEST

/* Random operations beside plain memory. */

enum { CORDS = 24, OPERATIONS = 20000, LONGEST = 20000 };

/* A cord and what it must be. */
struct model {
    CORD cord;
    char *bytes; /* malloc'd */
    size_t length;
};

struct generator {
    uint64_t state;
};

static uint32_t random_below(struct generator *generator, uint32_t limit) {
    generator->state = generator->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((generator->state >> 32) * limit >> 32);
}

/* Few different characters, so that comparing and searching find something. */
static char random_character(struct generator *generator) {
    return random_below(generator, 40) ? (char)('a' + random_below(generator, 3))
                                       : (char)random_below(generator, 256);
}

static char *model_resize(struct model *model, size_t length) {
    free(model->bytes);
    model->length = length;
    model->bytes = malloc(length + 1);
    model->bytes[length] = '\0';
    return model->bytes;
}

static char of_array(size_t i, void *array) { return ((const char *)array)[i]; }

static void make_text(struct generator *generator, struct model *model) {
    char *bytes = model_resize(model, random_below(generator, 8) ? random_below(generator, 60)
                                                                 : random_below(generator, 3000));
    bool nuls = false;
    for (size_t i = 0; i < model->length; i++)
        nuls |= (bytes[i] = random_character(generator)) == '\0';
    CORD_ec ec;
    unsigned how = random_below(generator, 4);
    if (how == 0 && !nuls) {
        model->cord = CORD_from_char_star(bytes);
    } else if (how == 1) {
        char *array = GC_MALLOC_ATOMIC(model->length + 1);
        memcpy(array, bytes, model->length);
        model->cord = CORD_from_fn(of_array, array, model->length);
    } else if (how == 2) {
        FILE *file = file_of(bytes, model->length);
        model->cord = random_below(generator, 2) ? CORD_from_file_lazy(file) : CORD_from_file(file);
    } else {
        CORD_ec_init(ec);
        for (size_t i = 0; i < model->length; i++)
            CORD_ec_append(ec, bytes[i]);
        model->cord = CORD_ec_to_cord(ec);
    }
}

static void make_joined(struct generator *generator, struct model *to, const struct model *x,
                        const struct model *y) {
    size_t length = x->length + y->length;
    char *bytes = malloc(length + 1);
    *(char *)mempcpy(mempcpy(bytes, x->bytes, x->length), y->bytes, y->length) = '\0';
    CORD cord;
    if (random_below(generator, 4))
        cord = CORD_cat(x->cord, y->cord);
    else
        CORD_sprintf(&cord, "%r%r", x->cord, y->cord);
    free(to->bytes);
    *to = (struct model){cord, bytes, length};
}

static void make_part(struct generator *generator, struct model *to, const struct model *x) {
    size_t start = random_below(generator, x->length + 1);
    size_t length = random_below(generator, x->length - start + 1);
    char *bytes = malloc(length + 1);
    memcpy(bytes, x->bytes + start, length);
    bytes[length] = '\0';
    CORD cord = CORD_substr(x->cord, start, length);
    free(to->bytes);
    *to = (struct model){cord, bytes, length};
}

static void append_characters(struct generator *generator, struct model *model) {
    size_t count = random_below(generator, 80);
    model->bytes = realloc(model->bytes, model->length + count + 1);
    while (count--) {
        char character = random_character(generator);
        model->cord = CORD_cat_char(model->cord, character);
        model->bytes[model->length++] = character;
    }
    model->bytes[model->length] = '\0';
}

static void check_whole(const struct model *model) {
    size_t i = 0;
    REQUIRE(CORD_len(model->cord) == model->length);
    REQUIRE((model->cord == CORD_EMPTY) == (model->length == 0));
    REQUIRE(memcmp(CORD_to_const_char_star(model->cord), model->bytes, model->length + 1) == 0);
    CORD_pos p;
    CORD_FOR(p, model->cord) REQUIRE(CORD_pos_fetch(p) == model->bytes[i++]);
    REQUIRE(i == model->length);
    if (i)
        for (CORD_set_pos(p, model->cord, i - 1); CORD_pos_valid(p); CORD_prev(p))
            REQUIRE(CORD_pos_fetch(p) == model->bytes[--i]);
    REQUIRE(i == 0);
}

static void check_order(const struct model *x, const struct model *y) {
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = memcmp(x->bytes, y->bytes, shorter);
    if (order == 0)
        order = (x->length > y->length) - (x->length < y->length);
    REQUIRE(sign(CORD_cmp(x->cord, y->cord)) == sign(order));
}

static void check_search(struct generator *generator, const struct model *x) {
    if (x->length == 0)
        return;
    size_t start = random_below(generator, x->length);
    size_t length = 1 + random_below(generator, x->length - start < 9 ? x->length - start : 9);
    CORD wanted = CORD_substr(x->cord, start, length);
    size_t from = random_below(generator, x->length);
    const char *found = memmem(x->bytes + from, x->length - from, x->bytes + start, length);
    REQUIRE(CORD_str(x->cord, from, wanted) ==
            (found ? (size_t)(found - x->bytes) : CORD_NOT_FOUND));
    char character = random_character(generator);
    found = memchr(x->bytes + from, character, x->length - from);
    REQUIRE(CORD_chr(x->cord, from, character) ==
            (found ? (size_t)(found - x->bytes) : CORD_NOT_FOUND));
    found = memrchr(x->bytes, character, from + 1);
    REQUIRE(CORD_rchr(x->cord, from, character) ==
            (found ? (size_t)(found - x->bytes) : CORD_NOT_FOUND));
    REQUIRE(CORD_fetch(x->cord, from) == x->bytes[from]);
}

static void change_or_check(struct generator *generator, struct model *models) {
    struct model *to = &models[random_below(generator, CORDS)];
    const struct model *x = &models[random_below(generator, CORDS)];
    const struct model *y = &models[random_below(generator, CORDS)];
    switch (random_below(generator, 10)) {
    case 0:
        make_text(generator, to);
        break;
    case 1:
    case 2:
    case 3:
        if (x->length + y->length < LONGEST)
            make_joined(generator, to, x, y);
        break;
    case 4:
    case 5:
        make_part(generator, to, x);
        break;
    case 6:
        append_characters(generator, to);
        break;
    case 7:
        to->cord = CORD_balance(to->cord);
        break;
    case 8:
        check_order(x, y);
        break;
    default:
        check_search(generator, x);
    }
    if (random_below(generator, 20) == 0)
        check_whole(to);
}

/* models lie where the collector looks. */
static void random_operations(struct generator *generator, struct model *models, int operations) {
    for (int i = 0; i < CORDS; i++)
        make_text(generator, &models[i]);
    for (int i = 0; i < operations; i++) {
        change_or_check(generator, models);
        if (i % 500 == 0) {
            GC_gcollect();
            for (int k = 0; k < CORDS; k++)
                check_whole(&models[k]);
        }
    }
}

static struct generator generator_from_environment(void) {
    const char *given = getenv("TITHE_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2 + 1;
    printf("cord: TITHE_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return (struct generator){seed};
}

START_TEST(random_operations_match_plain_strings) {
    static struct model models[CORDS];
    struct generator generator = generator_from_environment();
    random_operations(&generator, models, OPERATIONS);
}
END_TEST

static void *operate(void *seed) {
    struct model *models = GC_MALLOC_UNCOLLECTABLE(CORDS * sizeof *models);
    struct generator generator = {(uint64_t)(uintptr_t)seed};
    random_operations(&generator, models, OPERATIONS / 4);
    return NULL;
}

START_TEST(two_threads_make_cords) {
    struct generator generator = generator_from_environment();
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(GC_pthread_create(&threads[i], NULL, operate,
                                           (void *)(uintptr_t)(generator.state + 1000 * i)),
                         0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(GC_pthread_join(threads[i], NULL), 0);
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

int main(void) {
    GC_INIT();
    const TTest *const tests[] = {
        cords_are_joined,
        short_texts_at_either_end_are_copied_together,
        a_million_characters_are_appended_one_by_one,
        a_million_characters_are_prepended_one_by_one,
        a_million_leaves_that_cannot_be_copied_together_make_a_low_tree,
        sharing_does_not_multiply,
        a_cord_may_be_as_long_as_a_size_t_can_tell,
        parts_are_taken,
        functions_tell_characters_when_they_are_looked_at,
        nul_is_a_character,
        positions_move_both_ways,
        positions_move_by_what_is_in_memory,
        macros_for_positions_are_functions_too,
        an_empty_cord_has_no_positions,
        what_is_not_there_ends_the_program,
        functions_are_called_for_each_character,
        cords_are_compared_as_strings,
        characters_are_found,
        cords_are_found,
        strings_are_copied,
        wanting_memory_is_told,
        files_are_cords,
        parts_of_lazy_files_are_read_in_both_directions,
        lazy_files_are_closed_when_they_are_collected,
        what_cannot_seek_is_read_eagerly,
        files_that_cannot_be_read_end_the_program,
        cords_are_written,
        representations_are_dumped,
        extensible_cords_grow,
        conversions_are_those_of_stdio,
        cords_are_printed,
        wrong_formats_are_errors,
        cords_are_printed_to_files,
        random_operations_match_plain_strings,
        two_threads_make_cords,
        two_threads_read_one_file,
    };
    return SUITE_RUN("cord", tests, 60);
}
