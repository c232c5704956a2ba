/* To be loaded and unloaded by the corpus. */
#include <stdlib.h>

void library_keep(size_t bytes);
void library_lose(size_t bytes);

void library_hold_in_thread(size_t bytes);

static void *volatile kept;
static __thread void *volatile own;

void library_keep(size_t bytes) {
    kept = malloc(bytes);
    __asm__ volatile("" : : "r"(kept) : "memory");
}

void library_hold_in_thread(size_t bytes) { own = malloc(bytes); }

void library_lose(size_t bytes) {
    void *block = malloc(bytes);
    __asm__ volatile("" : : "r"(block) : "memory");
}
