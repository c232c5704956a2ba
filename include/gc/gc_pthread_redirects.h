/* gc_pthread_redirects.h: the calls of POSIX threads that the collector must see. Comes with gc.h
 * under GC_THREADS: a program's pthread_create and others then are ours, which take the same
 * arguments and return the same results.
 *
 * A program defines before
 *   GC_NO_THREAD_REDIRECTS     to call the GC_ functions by their own names,
 *   GC_PTHREAD_REDIRECTS_ONLY  to have the names redirected but nothing declared or included,
 *   GC_NO_DLOPEN, GC_NO_PTHREAD_SIGMASK, GC_NO_PTHREAD_CANCEL  to leave one of them out.
 */
#ifndef GC_H
#include "gc.h"
#endif

#if !defined(GC_PTHREAD_REDIRECTS_H) && defined(GC_PTHREADS)
#define GC_PTHREAD_REDIRECTS_H

#ifndef GC_PTHREAD_REDIRECTS_ONLY

#include <pthread.h>
#ifndef GC_NO_DLOPEN
#include <dlfcn.h>
#endif
#ifndef GC_NO_PTHREAD_SIGMASK
#include <signal.h>
#endif

#define GC_PTHREAD_EXIT_DECLARED
#ifndef GC_SUSPEND_THREAD_ID
#define GC_SUSPEND_THREAD_ID pthread_t
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The new thread is registered before it runs the program's function. */
GC_API int GC_pthread_create(pthread_t *, GC_PTHREAD_CREATE_CONST pthread_attr_t *,
                             void *(*)(void *), void *);
GC_API int GC_pthread_join(pthread_t, void **);
GC_API int GC_pthread_detach(pthread_t);
GC_API void GC_pthread_exit(void *) GC_PTHREAD_EXIT_ATTRIBUTE;

#ifndef GC_NO_PTHREAD_CANCEL
GC_API int GC_pthread_cancel(pthread_t);
#endif

/* The signal that stops threads stays unblocked. A program in strict ISO C has no signal sets. */
#if !defined(GC_NO_PTHREAD_SIGMASK) && defined(_POSIX_C_SOURCE)
GC_API int GC_pthread_sigmask(int, const sigset_t *, sigset_t *);
#endif

/* No collection looks at the libraries while one is being loaded. */
#ifndef GC_NO_DLOPEN
GC_API void *GC_dlopen(const char *, int);
#endif

#ifdef __cplusplus
}
#endif

#endif

#if !defined(GC_NO_THREAD_REDIRECTS) && !defined(GC_USE_LD_WRAP)
#undef pthread_create
#define pthread_create GC_pthread_create
#undef pthread_join
#define pthread_join GC_pthread_join
#undef pthread_detach
#define pthread_detach GC_pthread_detach
#undef pthread_exit
#define pthread_exit GC_pthread_exit
#ifndef GC_NO_PTHREAD_CANCEL
#undef pthread_cancel
#define pthread_cancel GC_pthread_cancel
#endif
#ifndef GC_NO_PTHREAD_SIGMASK
#undef pthread_sigmask
#define pthread_sigmask GC_pthread_sigmask
#endif
#ifndef GC_NO_DLOPEN
#undef dlopen
#define dlopen GC_dlopen
#endif
#endif

#endif
