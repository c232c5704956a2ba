/* A guest book with two leaks: whoever is turned away is forgotten, with his note, and the list of
 * known names only ever grows. `tithe leaks build/examples/guestbook` finds the first,
 * `--what=live` shows where the rest is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct guest {
    char name[32];
    char *note;
};

struct known {
    struct known *next;
    char name[32];
};

static struct known *known;

static struct guest *guest_arrive(int number) {
    struct guest *guest = malloc(sizeof *guest);
    char note[64];
    snprintf(guest->name, sizeof guest->name, "guest %d", number);
    snprintf(note, sizeof note, "%s would like to come in", guest->name);
    guest->note = strdup(note);
    return guest;
}

static void guest_leave(struct guest *guest) {
    free(guest->note);
    free(guest);
}

static void remember(const struct guest *guest) {
    struct known *one = malloc(sizeof *one);
    memcpy(one->name, guest->name, sizeof one->name);
    one->next = known;
    known = one;
}

static int is_welcome(int number) { return number % 10 != 7; }

/* Whoever is not welcome is neither let in nor seen off. */
static void receive(int number) {
    struct guest *guest = guest_arrive(number);
    remember(guest);
    if (!is_welcome(number))
        return;
    guest_leave(guest);
}

int main(void) {
    for (int number = 0; number < 1000; number++)
        receive(number);
    return 0;
}
