/* libcord: every function of cord.h, cord_pos.h and ec.h, here and in cord/: depth, sharing, NULs,
 * positions and searches; files and threads; printing; random operations beside plain C strings.
 *
 * What a test expects of text is written out or computed from malloc'd memory, which the collector
 * does not look at, so that cords stay alive by their own roots only.
 */
#include "cord/texts.h"

#include <math.h>
#include <sys/mman.h>

enum { MANY = 1000000 };

/* How many pairs lie above the i-th character. */
static int depth_at(CORD x, size_t i) {
    CORD_pos p;
    CORD_set_pos(p, x, i);
    return p->path_len;
}

static char counted_letter(size_t i, void *data) {
    ++*(int *)data;
    return letter(i, NULL);
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

/* A C string of this many characters, in little memory. */
static const char *long_string(size_t length) {
    size_t piece = (size_t)16 << 20;
    int file = memfd_create("x", 0);
    ck_assert_int_eq(ftruncate(file, (off_t)piece), 0);
    memset(mmap(NULL, piece, PROT_WRITE, MAP_SHARED, file, 0), 'x', piece);
    char *string = mmap(NULL, length + piece, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert(string != MAP_FAILED);
    size_t at = 0;
    for (; at + piece <= length; at += piece)
        ck_assert(mmap(string + at, piece, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0) !=
                  MAP_FAILED);
    memset(string + at, 'x', length - at);
    close(file);
    return string;
}

START_TEST(c_strings_may_be_longer_than_four_gigabytes) {
    size_t length = ((size_t)4 << 30) + 5;
    CORD x = CORD_cat(long_string(length), "the end");
    ck_assert_uint_eq(CORD_len(x), length + 7);
    ck_assert_text(CORD_substr(x, length - 2, 20), "xxthe end");
    ck_assert_int_eq(CORD_fetch(x, length - 1), 'x');
    ck_assert_int_eq(CORD_fetch(x, length), 't');
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
    /* Searching that is quadratic does not end in the time a test has. */
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
        c_strings_may_be_longer_than_four_gigabytes,
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
    };
    int failed = SUITE_RUN("cord", tests, 60);
    failed |= cord_files_run();
    failed |= cord_printing_run();
    failed |= cord_random_run();
    return failed;
}
