/* A program with an ordinary leak: it builds a list of words for every line of its input and
 * forgets to free it. Run it by itself and under tithe and compare the memory it says it took.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct word {
    struct word *next;
    char *text;
};

static struct word *split(const char *line) {
    struct word *words = NULL;
    size_t length;
    for (; *(line += strspn(line, " \n")); line += length) {
        struct word *word = malloc(sizeof *word);
        length = strcspn(line, " \n");
        word->text = strndup(line, length);
        word->next = words;
        words = word;
    }
    return words;
}

static size_t count(const struct word *word) { return word ? 1 + count(word->next) : 0; }

int main(void) {
    char *line = NULL;
    size_t room = 0, words = 0;
    while (getline(&line, &room, stdin) > 0)
        words += count(split(line));
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%zu words, %ld MiB\n", words, usage.ru_maxrss >> 10);
    return 0;
}
