/* See dismiss.h. A handler of the program's may not allocate while workers are waited for; a stop
 * may come. */
#include "dismiss.h"

#include "leak/listener.h"

#include "cycle/worker.h"
#include "thread/thread.h"

#include <signal.h>

bool dismiss_threads(void) {
    sigset_t all, before;
    if ((worker_count() == 0 && !listener_is_there()) || !thread_in_own_process())
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    worker_dismiss();
    listener_dismiss();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return true;
}
