/* A program for test/leaks/report.py that waits in calls which any signal breaks, and prints how
 * many were broken.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

enum { NAPS = 100, MILLISECONDS = 10 };

int main(void) {
    const struct timespec nap = {0, MILLISECONDS * 1000000};
    int broken = 0;
    puts("begun");
    fflush(stdout);
    for (int i = 0; i < NAPS; i++) {
        broken += poll(NULL, 0, MILLISECONDS) != 0;
        broken += nanosleep(&nap, NULL) != 0;
    }
    printf("%d\n", broken);
    return 0;
}
