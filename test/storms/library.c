/* To be loaded and unloaded by the storm coming.c: a data segment and thread-local memory. */
void *storm_data;
static __thread void *local[64];

void **storm_local(void) { return &local[17]; }
