/* gc_config_macros.h: what depends on the compiler and on the macros a program defines before it
 * includes any of these headers. Included by all of them.
 *
 * A program defines
 *   GC_THREADS    to use the collector from more than one thread (see gc_threads.h);
 *   GC_DEBUG      to have the allocating macros check and remember call sites (see gc_debugging.h);
 *   GC_API, GC_ATTR_...   to replace one of the definitions below.
 * The collector's own sources define GC_BUILD: what is declared is then exported, and the
 * deprecated variables are not reported.
 */
#ifndef GC_CONFIG_MACROS_H
#define GC_CONFIG_MACROS_H

#include <stddef.h>

#if !defined(__linux__) || !defined(__LP64__)
#error "tithe runs on 64-bit Linux only"
#endif

/* The older ways to say GC_THREADS. */
#if defined(LINUX_THREADS) && !defined(GC_LINUX_THREADS)
#define GC_LINUX_THREADS
#endif
#if defined(GC_LINUX_THREADS) && !defined(GC_THREADS)
#define GC_THREADS
#endif

#ifdef GC_THREADS
#ifndef GC_LINUX_THREADS
#define GC_LINUX_THREADS
#endif
#undef GC_PTHREADS
#define GC_PTHREADS
#ifndef _REENTRANT
#define _REENTRANT 1
#endif
#ifndef GC_PTHREAD_CREATE_CONST
#define GC_PTHREAD_CREATE_CONST const
#endif
#ifndef GC_HAVE_PTHREAD_EXIT
#define GC_HAVE_PTHREAD_EXIT
#endif
#ifndef GC_PTHREAD_EXIT_ATTRIBUTE
#define GC_PTHREAD_EXIT_ATTRIBUTE __attribute__((__noreturn__))
#endif
#else
#undef GC_PTHREADS
#endif

/* Calls are wrapped by the linker (ld --wrap), so the names must stay. */
#if defined(USE_LD_WRAP) && !defined(GC_USE_LD_WRAP)
#define GC_USE_LD_WRAP
#endif

/* Present since the first releases; some programs ask whether it is defined. */
#define __GC

#ifdef __GNUC__
#define GC_GNUC_PREREQ(major, minor)                                                               \
    ((__GNUC__ << 16) + __GNUC_MINOR__ >= ((major) << 16) + (minor))
#else
#define GC_GNUC_PREREQ(major, minor) 0
#endif

#ifndef GC_API
#ifdef GC_BUILD
#define GC_API extern __attribute__((__visibility__("default")))
#else
#define GC_API extern
#endif
#endif

/* Calling conventions: the platform's own, for functions of the collector and for functions that it
 * is given. */
#ifndef GC_CALL
#define GC_CALL
#endif
#ifndef GC_CALLBACK
#define GC_CALLBACK GC_CALL
#endif

/* A program whose GC_oom_func returns memory it uses elsewhere must define
 * GC_OOM_FUNC_RETURNS_ALIAS: the compiler may otherwise believe that no allocation ever returns a
 * known address. */
#ifndef GC_ATTR_MALLOC
#if GC_GNUC_PREREQ(3, 1) && !defined(GC_OOM_FUNC_RETURNS_ALIAS)
#define GC_ATTR_MALLOC __attribute__((__malloc__))
#else
#define GC_ATTR_MALLOC
#endif
#endif

#ifndef GC_ATTR_ALLOC_SIZE
#if GC_GNUC_PREREQ(4, 3) || defined(__clang__)
#define GC_ATTR_ALLOC_SIZE(argnum) __attribute__((__alloc_size__(argnum)))
#else
#define GC_ATTR_ALLOC_SIZE(argnum)
#endif
#endif

#ifndef GC_ATTR_CALLOC_SIZE
#if GC_GNUC_PREREQ(4, 3) || defined(__clang__)
#define GC_ATTR_CALLOC_SIZE(n, s) __attribute__((__alloc_size__(n, s)))
#else
#define GC_ATTR_CALLOC_SIZE(n, s)
#endif
#endif

#ifndef GC_ATTR_NONNULL
#if GC_GNUC_PREREQ(4, 0)
#define GC_ATTR_NONNULL(argnum) __attribute__((__nonnull__(argnum)))
#else
#define GC_ATTR_NONNULL(argnum)
#endif
#endif

#ifndef GC_ATTR_CONST
#if GC_GNUC_PREREQ(4, 0)
#define GC_ATTR_CONST __attribute__((__const__))
#else
#define GC_ATTR_CONST
#endif
#endif

#ifdef GC_BUILD
#undef GC_ATTR_DEPRECATED
#define GC_ATTR_DEPRECATED
#endif
#ifndef GC_ATTR_DEPRECATED
#if GC_GNUC_PREREQ(4, 0)
#define GC_ATTR_DEPRECATED __attribute__((__deprecated__))
#else
#define GC_ATTR_DEPRECATED
#endif
#endif

/* The C library can report call stacks; nothing in this interface depends on it. */
#ifndef GC_HAVE_BUILTIN_BACKTRACE
#define GC_HAVE_BUILTIN_BACKTRACE
#endif
#ifndef GC_CAN_SAVE_CALL_STACKS
#define GC_CAN_SAVE_CALL_STACKS
#endif

#ifdef __cplusplus
#if __cplusplus >= 201103L
#ifndef GC_NOEXCEPT
#define GC_NOEXCEPT noexcept
#endif
#ifndef GC_ATTR_EXPLICIT
#define GC_ATTR_EXPLICIT explicit
#endif
#else
#ifndef GC_NOEXCEPT
#define GC_NOEXCEPT throw()
#endif
#ifndef GC_ATTR_EXPLICIT
#define GC_ATTR_EXPLICIT
#endif
#endif
#ifndef GC_CONSTEXPR
#if __cplusplus >= 202002L
#define GC_CONSTEXPR constexpr
#else
#define GC_CONSTEXPR
#endif
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* An unsigned and a signed integer as wide as a pointer. */
typedef unsigned long GC_word;
typedef long GC_signed_word;

/* A name from the time before void *. */
typedef void *GC_PTR;

#ifdef __cplusplus
}
#endif

#endif
