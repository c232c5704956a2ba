/* cords.c: every macro of cord.h, cord_pos.h and ec.h, as lines to be compared: compiled with two
 * sets of headers and linked to the same libcord, both programs must print the same. C and C++, old
 * and new.
 */
#include <gc/cord.h>
#include <gc/ec.h>
#include <gc/gc.h>

static char letter(size_t i, void *first) { return (char)(*(const char *)first + i % 26); }

static int show(char c, void *file) { return c == '.' || putc(c, (FILE *)file) == EOF; }

static int show_batch(const char *s, void *file) { return fprintf((FILE *)file, "(%s)", s) < 0; }

static CORD text(void) {
    static char a = 'a';

    return CORD_cat(
        CORD_cat("one leaf that is too long to be copied. ", CORD_from_fn(letter, &a, 60)),
        CORD_cat(CORD_nul(2), "another leaf, at the end of it all"));
}

static void positions(CORD x) {
    CORD_pos p;
    int step;

    CORD_FOR(p, x) printf("%c", CORD_pos_fetch(p) ? CORD_pos_fetch(p) : '0');
    printf(" %lu %d\n", (unsigned long)CORD_pos_to_index(p), CORD_pos_to_cord(p) == x);
    for (CORD_set_pos(p, x, 110); CORD_pos_valid(p); CORD_prev(p))
        printf("%c", CORD_pos_fetch(p) ? CORD_pos_fetch(p) : '0');
    printf("\n");
    CORD_set_pos(p, x, 45);
    for (step = 0; step < 100; step++) {
        if (step * step % 7 < 3)
            CORD_next(p);
        else
            CORD_prev(p);
        printf("%lu%c ", (unsigned long)CORD_pos_to_index(p), CORD_pos_fetch(p));
    }
    printf("\n");
    for (CORD_set_pos(p, x, 0); CORD_pos_valid(p);) {
        long const n = CORD_pos_chars_left(p);

        if (n > 0) {
            printf("[%.*s]", (int)n, CORD_pos_cur_char_addr(p));
            CORD_pos_advance(p, n);
        } else {
            printf("%c", CORD_pos_fetch(p));
            CORD_next(p);
        }
    }
    printf("\n%d %d %x\n", MAX_DEPTH, FUNCTION_BUF_SZ, CORD_POS_INVALID);
    printf("%lu %lu\n", (unsigned long)sizeof(CORD_pos), (unsigned long)sizeof(struct CORD_pe));
}

static void extensible(void) {
    CORD_ec x;
    CORD begun;
    int i;

    CORD_ec_init(x);
    printf("%d ", CORD_ec_to_cord(x) == CORD_EMPTY);
    for (i = 0; i < 1000; i++)
        CORD_ec_append(x, (char)('a' + i % 26));
    begun = CORD_ec_to_cord(x);
    CORD_ec_append_cord(x, "and more");
    CORD_ec_append(x, '!');
    printf("%lu %lu\n", (unsigned long)CORD_len(begun),
           (unsigned long)CORD_len(CORD_ec_to_cord(x)));
    printf("%d %lu\n", CORD_BUFSZ, (unsigned long)sizeof(CORD_ec));
    CORD_put(CORD_ec_to_cord(x), stdout);
    printf("\n");
}

int main(void) {
    CORD const x = text();

    GC_INIT();
    positions(x);
    extensible();
    printf("%d ", CORD_iter(x, show, stdout));
    printf("%d ", CORD_iter5(x, 3, show, CORD_NO_FN, stdout));
    printf("%d\n", CORD_iter5(x, 50, show, show_batch, stdout));
    printf("%d %d\n", CORD_IS_STRING(x) != 0, CORD_IS_STRING("text") != 0);
    printf("%d\n", CORD_str(x, 0, "no such text") == CORD_NOT_FOUND);
    printf("%d\n", CORD_oom_fn != NULL);
    return 0;
}
