/* What is written: cords, dumps, extensible cords, and printf beside that of stdio. */
#include "cord/texts.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <wchar.h>

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

static void check_as_native(const char *format, ...) {
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

static char fail_and_tell(size_t i, void *text) {
    errno = EBADF;
    return ((const char *)text)[i];
}

START_TEST(errno_is_printed_as_it_was_before) {
    CORD out;
    errno = ENOENT;
    CORD_sprintf(&out, CORD_from_fn(fail_and_tell, "%m", 2));
    ck_assert_text(out, strerror(ENOENT));
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

int cord_printing_run(void) {
    const TTest *const tests[] = {
        cords_are_written,
        representations_are_dumped,
        extensible_cords_grow,
        conversions_are_those_of_stdio,
        errno_is_printed_as_it_was_before,
        cords_are_printed,
        wrong_formats_are_errors,
        cords_are_printed_to_files,
    };
    return SUITE_RUN("cord printing", tests, 60);
}
