/* A program for test/leaks/report.py that waits in calls which any signal breaks, and prints how
 * many were broken. It has to find that nobody handles the signal it is sent.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

enum { NAPS = 100, MILLISECONDS = 10 };

int main(void) {
    const struct timespec nap = {0, MILLISECONDS * 1000000};
    struct sigaction found;
    int broken = 0;
    if (sigaction(SIGUSR2, NULL, &found) != 0 || found.sa_handler != SIG_DFL)
        return 1;
    puts("begun");
    fflush(stdout);
    for (int i = 0; i < NAPS; i++) {
        broken += poll(NULL, 0, MILLISECONDS) != 0;
        broken += nanosleep(&nap, NULL) != 0;
    }
    printf("%d\n", broken);
    return 0;
}
