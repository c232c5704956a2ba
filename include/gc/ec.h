/* gc/ec.h: extensible cords, to which characters are appended one by one, as they are read from a
 * file, say, without a call for each.
 *
 *     CORD_ec text;
 *     int c;
 *     CORD_ec_init(text);
 *     while ((c = getc(f)) != EOF)
 *         CORD_ec_append(text, c);
 *     return CORD_ec_to_cord(text);
 *
 * One must lie where the collector looks for pointers, must not be copied or moved, and belongs to
 * one thread at a time. What was made of it before stays as it was when more is appended.
 */
#ifndef EC_H
#define EC_H

#include "cord.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Characters kept before they become part of a cord; a program may choose its own number, the same
 * in all its files that share an extensible cord. */
#ifndef CORD_BUFSZ
#define CORD_BUFSZ 128
#endif

/* The characters of ec_cord, followed by those from ec_buf up to ec_bufptr. */
typedef struct CORD_ec_struct {
    CORD ec_cord;
    char *ec_bufptr;
    char ec_buf[CORD_BUFSZ + 1];
} CORD_ec[1];

/* Makes the kept characters part of ec_cord. */
CORD_API void CORD_ec_flush_buf(CORD_ec x);

/* Appends a cord, which is shared. */
CORD_API void CORD_ec_append_cord(CORD_ec x, CORD s);

/* These may evaluate x more than once. To be done first; append a character, which may be NUL;
 * and the cord so far. */
#define CORD_ec_init(x) ((x)->ec_cord = CORD_EMPTY, (void)((x)->ec_bufptr = (x)->ec_buf))
#define CORD_ec_append(x, c)                                                                       \
    ((x)->ec_bufptr - (x)->ec_buf == CORD_BUFSZ ? CORD_ec_flush_buf(x) : (void)0,                  \
     (void)(*(x)->ec_bufptr++ = (c)))
#define CORD_ec_to_cord(x) (CORD_ec_flush_buf(x), (x)->ec_cord)

#ifdef __cplusplus
}
#endif

#endif
