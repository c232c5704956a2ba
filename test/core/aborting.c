/* A program to be dumped: it fills and collects a heap, and then waits to be looked at or aborts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *text;
static void *volatile lost;

__attribute__((noinline)) void inner_function(int aborts) {
    puts("ready");
    fflush(stdout);
    if (aborts)
        abort();
    pause();
    __asm__ volatile("");
}

__attribute__((noinline)) void outer_function(int aborts) {
    inner_function(aborts);
    __asm__ volatile("");
}

int main(int count, char **arguments) {
    (void)arguments;
    text = malloc(1000);
    strcpy(text, "the live heap is in the core");
    for (int i = 0; i < 200000; i++)
        lost = malloc(500);
    outer_function(count > 1);
    return 0;
}
