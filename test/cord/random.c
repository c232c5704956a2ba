/* Random operations beside plain memory, with collections in between, alone and in two threads. The
 * seed is printed and may be given as TITHE_TEST_SEED. */
#include "cord/texts.h"

#include <pthread.h>
#include <time.h>

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

int cord_random_run(void) {
    const TTest *const tests[] = {
        random_operations_match_plain_strings,
        two_threads_make_cords,
    };
    return SUITE_RUN("cord random", tests, 60);
}
