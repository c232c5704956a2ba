/* Names that are looked up in libc itself. */
#ifndef TITHE_SHIM_LIBC_NAMES_H
#define TITHE_SHIM_LIBC_NAMES_H

/* From now on, whoever looks for libc's malloc and its kin by name finds ours. */
void libc_names_replace(void);

#endif
