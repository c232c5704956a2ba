/* temporary */
#ifndef TITHE_OS_DIRTY_H
#define TITHE_OS_DIRTY_H
#include <stdbool.h>
#include <stdint.h>
enum dirty_backend { DIRTY_NONE, DIRTY_SOFT, DIRTY_USERFAULT };
enum dirty_backend dirty_start(void);
const char *dirty_name(void);
void dirty_after_fork(void);
bool dirty_arm(void);
bool dirty_track(uintptr_t start, uintptr_t end);
typedef void (*dv)(uintptr_t, uintptr_t, void *);
bool dirty_take(uintptr_t start, uintptr_t end, dv v, void *context);
bool dirty_peek(uintptr_t start, uintptr_t end, dv v, void *context);
bool dirty_peek_any(uintptr_t start, uintptr_t end, bool private_only, dv v, void *context);
#endif
