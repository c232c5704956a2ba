/* libgc's environment variables, those that mean something here; doc/libgc.md lists all of them. */
#include "api/debug.h"

#include "os/log.h"
#include "os/options.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* A number with k, M or G behind it, and nothing else; 0 where there is none. */
static size_t size_of(const char *name) {
    static const char suffixes[] = "KMG";
    const char *text = secure_getenv(name);
    char *end;
    if (text == NULL || !isdigit((unsigned char)*text))
        return 0;
    size_t bytes = strtoul(text, &end, 10);
    for (size_t i = 0; suffixes[i]; i++)
        if (toupper((unsigned char)*end) == suffixes[i]) {
            bytes <<= 10 * (i + 1);
            end++;
            break;
        }
    return *end ? 0 : bytes;
}

static bool is_set(const char *name) { return secure_getenv(name) != NULL; }

/* The log takes what else would go to standard output and standard error, unless it is to be only
 * for the log. */
static void read_log(void) {
    const char *path = secure_getenv("GC_LOG_FILE");
    int fd = path ? open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644) : -1;
    if (fd >= 0)
        GC_set_log_fd(fd);
    if (fd >= 0 && !is_set("GC_ONLY_LOG_TO_FILE"))
        api_log_everything_to(fd);
    if (path && (is_set("GC_PRINT_STATS") || is_set("GC_PRINT_VERBOSE_STATS")))
        log_to_file(path);
    else if (is_set("GC_PRINT_STATS") || is_set("GC_PRINT_VERBOSE_STATS"))
        log_keep_stderr();
}

static void refuse(const char *name, const char *message) {
    if (is_set(name))
        api_warn(message, (GC_word)secure_getenv(name));
}

static void read_sizes(void) {
    size_t initial = size_of("GC_INITIAL_HEAP_SIZE"), greatest = size_of("GC_MAXIMUM_HEAP_SIZE");
    if (greatest)
        GC_set_max_heap_size(greatest);
    else
        refuse("GC_MAXIMUM_HEAP_SIZE", API_WARNING "Bad maximum heap size %s is ignored\n");
    if (initial == 0 || !collect_expand(initial))
        refuse("GC_INITIAL_HEAP_SIZE", API_WARNING "Bad initial heap size %s is ignored\n");
    else if (initial > options.min_heap)
        options.min_heap = initial;
    size_t divisor = size_of("GC_FREE_SPACE_DIVISOR");
    if (divisor)
        GC_set_free_space_divisor(divisor);
}

/* As the kernel prints it. */
static void print_address_map(void) {
    char text[4096];
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    GC_log_printf("---------- Begin address map ----------\n");
    for (ssize_t length; fd >= 0 && (length = read(fd, text, sizeof text)) > 0;)
        GC_log_printf("%.*s", (int)length, text);
    GC_log_printf("---------- End address map ----------\n");
    if (fd >= 0)
        close(fd);
}

static void read_debugging(void) {
    if (is_set("GC_FIND_LEAK"))
        GC_find_leak = 1;
    debug_delays_free = is_set("GC_FINDLEAK_DELAY_FREE");
    dump_regularly = is_set("GC_DUMP_REGULARLY");
    if (is_set("GC_PRINT_ADDRESS_MAP"))
        print_address_map();
}

/* All those that are wanted, where more are than may be. */
static void read_markers(void) {
    size_t markers = size_of("GC_MARKERS");
    if (is_set("GC_MARKERS") && (markers == 0 || markers > WORKERS_MOST + 1))
        refuse("GC_MARKERS", API_WARNING "Too big or invalid number of mark threads: %s; "
                                         "as many as the machine suits are used\n");
    else if (markers)
        GC_set_markers_count(markers);
    else if (size_of("GC_NPROCS"))
        GC_set_markers_count(size_of("GC_NPROCS"));
}

void environment_read(void) {
    if (is_set("GC_PRINT_STATS") || is_set("GC_PRINT_VERBOSE_STATS"))
        options.stats = true;
    read_log();
    read_sizes();
    read_markers();
    if (is_set("GC_DONT_GC"))
        GC_dont_gc = 1;
    read_debugging();
    if (is_set("GC_ALL_INTERIOR_POINTERS"))
        GC_all_interior_pointers = 1;
    if (size_of("GC_FULL_FREQUENCY"))
        GC_full_freq = size_of("GC_FULL_FREQUENCY");
    if (size_of("GC_PAUSE_TIME_TARGET"))
        GC_time_limit = size_of("GC_PAUSE_TIME_TARGET");
    if (is_set("GC_FORCE_UNMAP_ON_GCOLLECT"))
        GC_set_force_unmap_on_gcollect(1);
    if (is_set("GC_USE_ENTIRE_HEAP"))
        GC_use_entire_heap = 1;
    collect_set_incremental(is_set("GC_ENABLE_INCREMENTAL"), is_set("GC_DISABLE_INCREMENTAL"));
}
