/* A library to be dlopened: data and thread-local variables that hold witnesses. */
void *library_data[64] = {(void *)1};
void *library_bss[64];
__thread void *library_tls[64];

void **library_tls_here(void);
void **library_tls_here(void) { return library_tls; }
