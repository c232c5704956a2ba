/* gc/cord.h: cords, strings of characters that never change and share what they have in common.
 * Link with -lcord -lgc.
 *
 * A cord is a C string, or a tree whose leaves are pieces of text or functions that tell
 * characters. Joining two cords copies neither, taking a part out of one takes logarithmic time,
 * and all that was made on the way stays valid, so cords suit editors with a history and programs
 * that put long texts together from short pieces.
 *
 *     CORD line = CORD_cat("Hello, ", name);
 *     CORD_pos p;
 *     CORD_FOR(p, line) putchar(CORD_pos_fetch(p));
 *
 * A non-empty C string is a cord as it stands, provided that nobody changes it any more; its length
 * has to be counted whenever it is asked for. NUL may be in a cord that comes from a function, a
 * file, CORD_chars, CORD_cat_char or an extensible cord.
 *
 * Cords are the collector's: keep them where it looks for pointers. Every function may be called
 * from any thread that may call GC_malloc, and any number of threads may read the same cord. A
 * position or an extensible cord belongs to one thread at a time.
 *
 * Errors: where memory is wanting, CORD_oom_fn is called. What cannot be answered (a character that
 * is not there, a move from an invalid position, a file that cannot be read, a length that no
 * size_t holds) ends the program with a message.
 */
#ifndef CORD_H
#define CORD_H

#include <stddef.h>
#include <stdio.h>

#ifndef CORD_API
#ifdef CORD_BUILD
#define CORD_API extern __attribute__((__visibility__("default")))
#else
#define CORD_API extern
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The characters of a C string, or a node of a tree, whose first byte is NUL. */
typedef const char *CORD;

/* The only cord of length 0. A C string of length 0 is not a cord. */
#define CORD_EMPTY 0

/* Whether a cord that is not empty is a C string. */
#define CORD_IS_STRING(s) (*(s) != '\0')

/* No such character: what the searches below return. */
#define CORD_NOT_FOUND ((size_t)(-1))

/* Making cords. */

/* x followed by y, in constant time on the average and logarithmic time at worst. Both are shared
 * with the result, except that short C strings are copied together. */
CORD_API CORD CORD_cat(CORD x, CORD y);

/* The same for a C string y whose length the caller knows. Length 0 gives x. */
CORD_API CORD CORD_cat_char_star(CORD x, const char *y, size_t leny);

/* x followed by one character, which may be NUL. */
CORD_API CORD CORD_cat_char(CORD x, char c);

/* n cords, one after the other. Write CORD_EMPTY as (CORD)0 among them. */
CORD_API CORD CORD_catn(int n, /* CORD */...);

/* At most n characters of x, from position i on; empty if x ends there or before. */
CORD_API CORD CORD_substr(CORD x, size_t i, size_t n);

/* The same characters, so arranged that reaching one takes logarithmic time. Joining sees to that
 * within a constant already, so this is of use only before a cord is read very often. x stays as it
 * is. */
CORD_API CORD CORD_balance(CORD x);

/* The i-th character of a cord, 0 being the first. It must always be the same, and is asked for
 * whenever somebody looks at it, by whatever thread that is, and perhaps shortly before. */
typedef char (*CORD_fn)(size_t i, void *client_data);

/* A cord of len characters that a function tells. The data is kept as long as the cord. */
CORD_API CORD CORD_from_fn(CORD_fn fn, void *client_data, size_t len);

/* i times the character c, in constant space. */
CORD_API CORD CORD_chars(char c, size_t i);
#define CORD_nul(i) CORD_chars('\0', (i))

/* A copy of a C string, which may change afterwards. */
CORD_API CORD CORD_from_char_star(const char *s);

/* All of a file that can seek, as a cord. The file is the cord's from then on: it must not change,
 * nobody else may use f, and f is closed when nothing is left to be read. The first decides by the
 * length; the second reads everything and closes f at once, and takes what cannot seek, too, from
 * where it stands; the third reads a block when somebody looks at it, and closes f when the cord,
 * and all that shares it, has been collected. */
CORD_API CORD CORD_from_file(FILE *f);
CORD_API CORD CORD_from_file_eager(FILE *f);
CORD_API CORD CORD_from_file_lazy(FILE *f);

/* Looking at cords. */

/* The number of characters. */
CORD_API size_t CORD_len(CORD x);

/* The i-th character. i must be less than the length. A position is faster for the next. */
CORD_API char CORD_fetch(CORD x, size_t i);

/* Less than, equal to or greater than 0 as x is before, equal to or after y in the order of strcmp.
 * The second compares what begins at either start, and no more than len characters of it. */
CORD_API int CORD_cmp(CORD x, CORD y);
CORD_API int CORD_ncmp(CORD x, size_t x_start, CORD y, size_t y_start, size_t len);

/* Where s begins in x first, at start or later. Takes time linear in both lengths. An empty s is
 * found at start. */
CORD_API size_t CORD_str(CORD x, size_t start, CORD s);

/* Where c, made a char, is first at i or later, or last at i or earlier. i must be less than the
 * length. */
CORD_API size_t CORD_chr(CORD x, size_t i, int c);
CORD_API size_t CORD_rchr(CORD x, size_t i, int c);

/* The characters as a C string: one of the caller's own, to be changed at will, or one that may be
 * part of the cord. NULs in the cord are in it, too. */
CORD_API char *CORD_to_char_star(CORD x);
CORD_API const char *CORD_to_const_char_star(CORD x);

/* Writes the characters to a file. 1, or EOF where writing failed. */
CORD_API int CORD_put(CORD x, FILE *f);

/* Prints how x is represented, for debugging; the form may change. */
CORD_API void CORD_dump(CORD x);

/* Calling a function for each character. A result other than 0 ends it. */
typedef int (*CORD_iter_fn)(char c, void *client_data);

/* The same for a C string that stands for several characters; it lives as long as the cord. */
typedef int (*CORD_batched_iter_fn)(const char *s, void *client_data);
#define CORD_NO_FN ((CORD_batched_iter_fn)0)

/* Calls f1 for each character from position i on, in order. If f2 is not CORD_NO_FN, a run of
 * calls may be replaced by one of f2. 1 if a function ended it, otherwise 0. i must be less than
 * the length, except that all of an empty cord may be asked for. */
CORD_API int CORD_iter5(CORD x, size_t i, CORD_iter_fn f1, CORD_batched_iter_fn f2,
                        void *client_data);

/* All characters, without f2. */
CORD_API int CORD_iter(CORD x, CORD_iter_fn f1, void *client_data);
#define CORD_iter(x, f1, cd) CORD_iter5(x, 0, f1, CORD_NO_FN, cd)

/* From position i down to the first; from the last down to the first. */
CORD_API int CORD_riter4(CORD x, size_t i, CORD_iter_fn f1, void *client_data);
CORD_API int CORD_riter(CORD x, CORD_iter_fn f1, void *client_data);

/* Called where memory is wanting, and must not return. A null pointer, as at first, stands for a
 * message and abort. Set it before other threads use cords. */
CORD_API void (*CORD_oom_fn)(void);
typedef void (*CORD_oom_fn_t)(void);
CORD_API void CORD_set_oom_fn(CORD_oom_fn_t);
CORD_API CORD_oom_fn_t CORD_get_oom_fn(void);

#ifdef __cplusplus
}
#endif

/* CORD_pos, and what is declared for positions. */
#include "cord_pos.h"

/* For each position of a cord in order; the position is invalid afterwards. */
#define CORD_FOR(pos, cord) for (CORD_set_pos(pos, cord, 0); CORD_pos_valid(pos); CORD_next(pos))

#ifndef CORD_NO_IO

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Formatted printing, as by the functions of stdio with similar names, but
 * - the format is a cord;
 * - %r stands for a cord, with width, precision and - as for %s;
 * - a result in memory is a cord put in *out, which shares the cords that were printed;
 * - a conversion that stdio.h does not have is an error.
 * They return the number of characters, or -1 and set errno; *out is then as it was. */
CORD_API int CORD_sprintf(CORD *out, CORD format, ...);
CORD_API int CORD_vsprintf(CORD *out, CORD format, va_list args);
CORD_API int CORD_fprintf(FILE *f, CORD format, ...);
CORD_API int CORD_vfprintf(FILE *f, CORD format, va_list args);
CORD_API int CORD_printf(CORD format, ...);
CORD_API int CORD_vprintf(CORD format, va_list args);

#ifdef __cplusplus
}
#endif

#endif

#endif
