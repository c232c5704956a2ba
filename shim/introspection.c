/* What glibc tells about its heap and lets be tuned, answered for ours.
 *
 * mallinfo and malloc_info report true figures in glibc's fields; mallopt accepts glibc's
 * parameters, none of which means anything here; malloc_trim gives all idle memory back.
 */
#include "real.h"

#include "heap/layout.h"
#include "heap/pages.h"
#include "os/log.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>

TITHE_EXPORT int malloc_trim(size_t keep) {
    (void)keep;
    return pages_release_all();
}

TITHE_EXPORT int mallopt(int parameter, int value) {
    (void)parameter, (void)value;
    return 1;
}

TITHE_EXPORT struct mallinfo2 mallinfo2(void) {
    size_t used = pages_used_bytes(), live = AO_load(&heap.live);
    return (struct mallinfo2){
        .arena = used,
        .uordblks = live,
        .fordblks = used > live ? used - live : 0,
        .usmblks = AO_load(&heap.peak),
        .keepcost = pages_idle_bytes(),
    };
}

static int clamp(size_t bytes) { return bytes > INT_MAX ? INT_MAX : (int)bytes; }

TITHE_EXPORT struct mallinfo mallinfo(void) {
    struct mallinfo2 wide = mallinfo2();
    return (struct mallinfo){
        .arena = clamp(wide.arena),
        .uordblks = clamp(wide.uordblks),
        .fordblks = clamp(wide.fordblks),
        .usmblks = clamp(wide.usmblks),
        .keepcost = clamp(wide.keepcost),
    };
}

TITHE_EXPORT void malloc_stats(void) {
    struct mallinfo2 info = mallinfo2();
    fprintf(stderr, "tithe: heap %zu bytes, in use %zu, most in use %zu, idle %zu\n", info.arena,
            info.uordblks, info.usmblks, info.keepcost);
}

TITHE_EXPORT int malloc_info(int options, FILE *stream) {
    if (options != 0)
        return EINVAL;
    struct mallinfo2 info = mallinfo2();
    fprintf(stream,
            "<malloc version=\"1\">\n"
            "<total type=\"rest\" count=\"1\" size=\"%zu\"/>\n"
            "<system type=\"current\" size=\"%zu\"/>\n"
            "<system type=\"max\" size=\"%zu\"/>\n"
            "<aspace type=\"total\" size=\"%zu\"/>\n"
            "</malloc>\n",
            info.fordblks, info.arena, info.arena, info.arena);
    return 0;
}
