/*
 * Growing vectors and texts, many at a time: vectors double their room and are cut to size at the
 * end, texts ask for exactly the room they need on every append. Each grows by random pieces to a
 * goal of its own, is then checked item by item, freed, and replaced by a new one.
 *
 * Every vector and text is checked before it is freed. The work is the same on every run.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "check.h"
#include "clock.h"
#include "random.h"

static size_t vector_count = 200;
static size_t text_count = 2000;
static size_t step_count = 8000000;
static size_t longest_vector = 32768;
static size_t longest_text = 4096;

/* A piece is what one step appends. */
#define LARGEST_PIECE 32

struct vector {
    uint64_t *items;
    size_t length;
    size_t room;
    size_t goal;
    uint64_t first_item;
};

struct text {
    char *characters;
    size_t length;
    size_t goal;
    unsigned first_character;
};

static struct random_source randomness;
static size_t reallocations;

static void *reallocate(void *memory, size_t size) {
    void *moved = realloc(memory, size);
    CHECK(moved, "realloc returns memory");
    reallocations++;
    return moved;
}

/* Short ones are as frequent in each range up to a power of two as long ones, as in programs. */
static size_t random_goal(size_t longest) {
    size_t goal = longest >> random_below(&randomness, 10);
    return random_between(&randomness, goal / 2, goal) + 1;
}

static void append_to_vector(struct vector *vector) {
    size_t length = vector->length + random_between(&randomness, 1, LARGEST_PIECE);
    if (length > vector->room) {
        vector->room = vector->room * 2 > length ? vector->room * 2 : length;
        vector->items = reallocate(vector->items, vector->room * sizeof(vector->items[0]));
    }
    for (size_t i = vector->length; i < length; i++)
        vector->items[i] = vector->first_item + i;
    vector->length = length;
}

static void retire_vector(struct vector *vector) {
    if (vector->length > 0)
        vector->items = reallocate(vector->items, vector->length * sizeof(vector->items[0]));
    for (size_t i = 0; i < vector->length; i++)
        CHECK(vector->items[i] == vector->first_item + i, "a vector keeps its items");
    free(vector->items);
}

static void begin_vector(struct vector *vector) {
    *vector = (struct vector){.goal = random_goal(longest_vector),
                              .first_item = random_next(&randomness)};
}

static char expected_character(const struct text *text, size_t index) {
    return (char)('a' + ((text->first_character + index) & 15));
}

static void append_to_text(struct text *text) {
    size_t length = text->length + random_between(&randomness, 1, LARGEST_PIECE);
    text->characters = reallocate(text->characters, length + 1);
    for (size_t i = text->length; i < length; i++)
        text->characters[i] = expected_character(text, i);
    text->characters[length] = '\0';
    text->length = length;
}

static void retire_text(struct text *text) {
    for (size_t i = 0; i < text->length; i++)
        CHECK(text->characters[i] == expected_character(text, i), "a text keeps its characters");
    CHECK(text->length == 0 || text->characters[text->length] == '\0', "a text keeps its end");
    free(text->characters);
}

static void begin_text(struct text *text) {
    *text = (struct text){.goal = random_goal(longest_text),
                          .first_character = (unsigned)random_below(&randomness, 16)};
}

static void step_vector(struct vector *vector) {
    append_to_vector(vector);
    if (vector->length >= vector->goal) {
        retire_vector(vector);
        begin_vector(vector);
    }
}

static void step_text(struct text *text) {
    append_to_text(text);
    if (text->length >= text->goal) {
        retire_text(text);
        begin_text(text);
    }
}

static void run(struct vector *vectors, struct text *texts) {
    for (size_t i = 0; i < vector_count; i++)
        begin_vector(&vectors[i]);
    for (size_t i = 0; i < text_count; i++)
        begin_text(&texts[i]);
    for (size_t i = 0; i < step_count; i++) {
        step_vector(&vectors[random_below(&randomness, vector_count)]);
        step_text(&texts[random_below(&randomness, text_count)]);
    }
    for (size_t i = 0; i < vector_count; i++)
        retire_vector(&vectors[i]);
    for (size_t i = 0; i < text_count; i++)
        retire_text(&texts[i]);
}

int main(int argc, char **argv) {
    const struct argument arguments[] = {
        {"vectors", "vectors at a time", &vector_count, 1, NULL},
        {"texts", "texts at a time", &text_count, 1, NULL},
        {"steps", "pieces appended to vectors, and as many to texts", &step_count, 1, NULL},
        {"longest-vector", "most items that a vector aims for", &longest_vector, 1, NULL},
        {"longest-text", "most characters that a text aims for", &longest_text, 1, NULL},
    };
    (void)argc;
    read_arguments(argv, arguments, ARGUMENT_COUNT(arguments));

    struct vector *vectors = calloc(vector_count, sizeof(*vectors));
    struct text *texts = calloc(text_count, sizeof(*texts));
    CHECK(vectors && texts, "calloc returns memory");
    double start = seconds_now();
    run(vectors, texts);
    double seconds = seconds_now() - start;
    free(vectors);
    free(texts);

    printf("realloc: %.2f million reallocations/s (%zu vectors, %zu texts, %.2f s)\n",
           (double)reallocations / seconds * 1e-6, vector_count, text_count, seconds);
    return 0;
}
