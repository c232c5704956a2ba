/* A program for test/leaks/report.py that leaves pointers to freed blocks: two in a table of its
 * heap, one in a global, one in a block that is freed itself, which does not count, and loses one
 * block. With an argument it frees a block twice; with "use" it reads one it has freed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct session {
    char name[64];
    struct session *peer;
};

struct table {
    int count;
    struct session *entries[10];
};

struct table *dangling_table;
struct session *dangling_session;

__attribute__((noinline)) static struct session *session_open(const char *name) {
    struct session *session = calloc(1, sizeof *session);
    strcpy(session->name, name);
    return session;
}

__attribute__((noinline)) static void session_close(struct session *session) { free(session); }

__attribute__((noinline)) static void session_forget(void) {
    void *volatile lost = malloc(77);
    lost = NULL;
    (void)lost;
}

__attribute__((noinline)) static void work(void) {
    dangling_table = calloc(1, sizeof *dangling_table);
    for (int i = 0; i < 5; i++)
        dangling_table->entries[i] = session_open("member");
    dangling_session = session_open("holder");
    dangling_session->peer = session_open("peer");
    session_close(dangling_session->peer);
    session_close(dangling_session);
    session_close(dangling_table->entries[2]);
    session_close(dangling_table->entries[3]);
    session_forget();
}

__attribute__((noinline)) static void overwrite_stack(void) {
    volatile char buffer[8192];
    memset((void *)buffer, 0, sizeof buffer);
}

__attribute__((noinline)) static void churn(void) {
    for (int i = 0; i < 200000; i++) {
        char *block = malloc(60 + i % 30);
        memset(block, 'x', 60);
        free(block);
    }
}

int main(int count, char **arguments) {
    work();
    churn();
    overwrite_stack();
    if (count > 1 && strcmp(arguments[1], "use") == 0)
        printf("%02x %02x\n", (unsigned char)dangling_session->name[0],
               (unsigned char)dangling_table->entries[2]->name[1]);
    else if (count > 1)
        free(dangling_session);
    return 0;
}
