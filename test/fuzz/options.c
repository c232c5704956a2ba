/* Fuzzing of TITHE_OPTIONS: whatever the text, every option has a value that makes sense. */
#include "os/options.h"
#include "os/faults.h"
#include "os/log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In place of os/log: what is said is made, and thrown away. */
void log_line(const char *format, ...) {
    char line[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
}

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static bool is_one_of(const char *value, const char *const *choices) {
    while (*choices && strcmp(*choices, value) != 0)
        choices++;
    return *choices != NULL;
}

#define CHOICE(value, ...) REQUIRE(is_one_of(value, (const char *const[]){__VA_ARGS__, NULL}))
#define ENDS(text) REQUIRE(memchr(text, 0, sizeof text) != NULL)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static struct options defaults;
    static bool known;
    if (!known)
        defaults = options;
    known = true;
    options = defaults;
    faults_wanted = false;
    char *text = malloc(bytes + 1);
    REQUIRE(text != NULL);
    memcpy(text, data, bytes);
    text[bytes] = 0;
    options_read(text);
    free(text);
    REQUIRE(options.percent >= 1 && options.percent <= 10000);
    REQUIRE(options.min_heap <= (size_t)1 << 46);
    REQUIRE(options.reserve >= (size_t)1 << 26 && options.reserve <= (size_t)1 << 46);
    REQUIRE(options.stop_timeout >= 1 && options.stop_timeout <= 3600000);
    REQUIRE(options.signal == 0 || (options.signal >= 34 && options.signal <= 64));
    REQUIRE(options.workers <= WORKERS_AUTOMATIC);
    REQUIRE(options.depth >= 1 && options.depth <= 64);
    REQUIRE(options.check_signal <= 64);
    CHOICE(options.dirty, "auto", "uffd", "none");
    CHOICE(options.assist, "switch", "signal", "off");
    CHOICE(options.quarantine, "off", "on", "fill");
    ENDS(options.leaks);
    ENDS(options.log);
    if (faults_wanted)
        faults_answer(9, 0);
    return 0;
}
