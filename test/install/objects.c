/* Names that are no business of a collector's are the program's. */
#define GC_THREADS
#include <gc.h>
#include <stdio.h>

int heap = 1, options = 2, drain = 3, first = 4, thread_self = 5;
int scan_word(int x);
int scan_word(int x) { return x; }
int memory_read(int x);
int memory_read(int x) { return x; }

static void *work(void *unused) {
    (void)unused;
    for (int i = 0; i < 300000; i++)
        *(int *)GC_MALLOC(40) = i;
    return GC_STRDUP("done");
}

int main(void) {
    pthread_t thread;
    void *said;
    GC_INIT();
    pthread_create(&thread, NULL, work, NULL);
    work(NULL);
    pthread_join(thread, &said);
    printf("%s %d %d\n", (char *)said, heap + options + drain + first + thread_self,
           GC_get_heap_size() < 20 << 20 && GC_get_gc_no() > 2);
    return scan_word(memory_read(0));
}
