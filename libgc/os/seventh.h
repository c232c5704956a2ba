/* Standing in front of a function of up to seven words without touching what is not told.
 *
 * Most callers tell fewer, and where the seventh would be passed in memory, that is theirs: written
 * back as it was read, it would undo what another thread writes there between. So the function that
 * stands in front is declared without it, leaves by a jump, and reads it only where there must be
 * one.
 */
#ifndef TITHE_OS_SEVENTH_H
#define TITHE_OS_SEVENTH_H

#if defined(__x86_64__)
#define SEVENTH_PARAMETER
#define SEVENTH_PASSED
#define SEVENTH_READ (*(const long *)__builtin_dwarf_cfa())
#else
#define SEVENTH_PARAMETER , long seventh
#define SEVENTH_PASSED , seventh
#define SEVENTH_READ seventh
#endif

#endif
