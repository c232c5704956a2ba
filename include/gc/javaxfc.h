/* javaxfc.h: what runtimes of Java want beyond the rest: finalizers at exit, threads held. */
#ifndef GC_JAVAXFC_H
#define GC_JAVAXFC_H

#include "gc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Runs the finalizers of all objects that have one, dead or alive, and those registered meanwhile.
 */
GC_API void GC_finalize_all(void);

#ifdef GC_THREADS

#ifndef GC_SUSPEND_THREAD_ID
#define GC_SUSPEND_THREAD_ID void *
#endif

/* Holds a registered thread until it is resumed, whatever the collector does meanwhile, and waits
 * for it to stand. Not recursive. A thread may hold itself. */
GC_API void GC_suspend_thread(GC_SUSPEND_THREAD_ID);
GC_API void GC_resume_thread(GC_SUSPEND_THREAD_ID);
GC_API int GC_is_thread_suspended(GC_SUSPEND_THREAD_ID);

#endif

#ifdef __cplusplus
}
#endif

#endif
