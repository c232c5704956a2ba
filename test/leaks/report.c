/* A program for test/leaks/report.py: leaks that are named, inlined, growing or many; it waits or
 * becomes a daemon if told.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct entry {
    struct entry *next;
    char contents[40];
};

struct entry *volatile report_cache;

static inline __attribute__((always_inline)) void *take_inlined(size_t bytes) {
    return malloc(bytes);
}

__attribute__((noinline)) void report_lose(size_t bytes) {
    void *block = take_inlined(bytes);
    __asm__ volatile("" : : "r"(block) : "memory");
}

__attribute__((noinline)) void report_known_leak(size_t bytes) { report_lose(bytes + 1); }

__attribute__((noinline)) void report_grow(void) {
    struct entry *entry = calloc(1, sizeof *entry);
    entry->next = report_cache;
    report_cache = entry;
}

/* A C++ name and a Rust one, as their compilers make them. */
__attribute__((noinline)) void cxx_lose(void) __asm__("_ZN6Widget4loseERKSs");
void cxx_lose(void) { report_lose(200); }
__attribute__((noinline)) void rust_lose(void) __asm__("_RNvC7mycrate4lose");
void rust_lose(void) { report_lose(300); }

__attribute__((noinline)) static void lose_many(int blocks) {
    for (int i = 0; i < blocks; i++)
        report_lose(100);
}

int main(int count, char **arguments) {
    bool daemonizes = count > 1 && strcmp(arguments[1], "daemon") == 0;
    if (daemonizes && daemon(1, 0) != 0)
        return 1;
    report_lose(100);
    report_known_leak(1000);
    cxx_lose();
    rust_lose();
    __asm__ volatile("" : : : "memory");
    if (count > 2)
        lose_many(atoi(arguments[2]));
    else if (count > 1 && !daemonizes) {
        char line[16];
        while (fgets(line, sizeof line, stdin)) {
            for (int i = 0; i < 100; i++)
                report_grow();
            report_lose(100);
            puts("grown");
            fflush(stdout);
        }
    }
    return arguments == NULL;
}
