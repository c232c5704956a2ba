/* Parsing of TITHE_OPTIONS; see options.h. */
#include "os/options.h"

#include "os/faults.h"
#include "os/log.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct options options = {
    .percent = 74,
    .min_heap = (size_t)32 << 20,
    .reserve = (size_t)1 << 40,
    .stop_budget = 20,
    .stop_timeout = 1000,
    .mask = true,
    .unaligned = true,
    .distances = "auto",
    .digits = "auto",
    .fixnums = "auto",
    .doubles = "auto",
    .workers = WORKERS_AUTOMATIC,
    .dirty = "auto",
    .closed = "auto",
    .assist = "switch",
    .quarantine = "off",
    .collect = true,
    .depth = 32,
};

enum option_type {
    OPTION_SWITCH,
    OPTION_SIZE,
    OPTION_SIZE_OR_0,
    OPTION_TEXT,
    OPTION_CHOICE,
    OPTION_FAULT
};

struct option {
    const char *key;
    enum option_type type;
    void *value;
    size_t lowest, highest; /* of a size; the highest is also the room of a text */
    const char *choices;    /* words between spaces; of a text what it is */
};

static const struct option table[] = {
    {"stats", OPTION_SWITCH, &options.stats, 0, 0, NULL},
    {"summary", OPTION_SIZE, &options.summary, 0, INT32_MAX, NULL},
    {"gc_every", OPTION_SIZE, &options.gc_every, 0, SIZE_MAX, NULL},
    {"percent", OPTION_SIZE, &options.percent, 1, 10000, NULL},
    {"min_heap", OPTION_SIZE, &options.min_heap, 0, (size_t)1 << 46, NULL},
    {"reserve", OPTION_SIZE, &options.reserve, (size_t)1 << 26, (size_t)1 << 46, NULL},
    {"stop_budget", OPTION_SIZE, &options.stop_budget, 1, 3600000, NULL},
    {"stop_timeout", OPTION_SIZE, &options.stop_timeout, 1, 3600000, NULL},
    {"signal", OPTION_SIZE_OR_0, &options.signal, 34, 64, NULL},
    {"mask", OPTION_SWITCH, &options.mask, 0, 0, NULL},
    {"unaligned", OPTION_SWITCH, &options.unaligned, 0, 0, NULL},
    {"distances", OPTION_CHOICE, options.distances, 0, sizeof options.distances, "auto on off"},
    {"digits", OPTION_CHOICE, options.digits, 0, sizeof options.digits, "auto on off"},
    {"fixnums", OPTION_CHOICE, options.fixnums, 0, sizeof options.fixnums, "auto on off"},
    {"doubles", OPTION_CHOICE, options.doubles, 0, sizeof options.doubles, "auto on off"},
    {"workers", OPTION_SIZE, &options.workers, 0, WORKERS_MOST, NULL},
    {"limit", OPTION_SIZE_OR_0, &options.limit, 1 << 20, SIZE_MAX, NULL},
    {"dirty", OPTION_CHOICE, options.dirty, 0, sizeof options.dirty, "auto uffd none"},
    {"closed", OPTION_CHOICE, options.closed, 0, sizeof options.closed, "auto open"},
    {"assist", OPTION_CHOICE, options.assist, 0, sizeof options.assist, "switch signal off"},
    {"verify", OPTION_SWITCH, &options.verify, 0, 0, NULL},
    {"collect", OPTION_SWITCH, &options.collect, 0, 0, NULL},
    {"quarantine", OPTION_CHOICE, options.quarantine, 0, sizeof options.quarantine, "off on fill"},
    {"only", OPTION_TEXT, options.only, 0, sizeof options.only, "names or paths between commas"},
    {"never", OPTION_TEXT, options.never, 0, sizeof options.never, "names or paths between commas"},
    {"leaks", OPTION_TEXT, options.leaks, 0, sizeof options.leaks, NULL},
    {"trial", OPTION_SWITCH, &options.trial, 0, 0, NULL},
    {"depth", OPTION_SIZE, &options.depth, 1, 64, NULL},
    {"sample", OPTION_SIZE, &options.sample, 0, (size_t)1 << 40, NULL},
    {"check_signal", OPTION_SIZE, &options.check_signal, 0, 64, NULL},
    {"check_every", OPTION_SIZE, &options.check_every, 0, 1 << 30, NULL},
    {"check_collects", OPTION_SWITCH, &options.check_collects, 0, 0, NULL},
    {"chains", OPTION_SWITCH, &options.chains, 0, 0, NULL},
    {"fault", OPTION_FAULT, NULL, 0, 0, NULL},
    {"log", OPTION_TEXT, options.log, 0, sizeof options.log, NULL},
};

static bool parse_switch(const char *text, size_t length, bool *value) {
    static const char *const on[] = {"1", "on", "yes"}, *const off[] = {"0", "off", "no"};
    for (size_t i = 0; i < 3; i++) {
        if (strlen(on[i]) == length && memcmp(on[i], text, length) == 0)
            return *value = true, true;
        if (strlen(off[i]) == length && memcmp(off[i], text, length) == 0)
            return *value = false, true;
    }
    return false;
}

static bool parse_size(const char *text, size_t length, const struct option *option) {
    size_t number = 0, at = 0;
    for (; at < length && isdigit((unsigned char)text[at]); at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (size_t)(text[at] - '0'), &number))
            return false;
    if (at == 0 || length - at > 1)
        return false;
    if (at < length) {
        const char *suffixes = "KMG", *suffix = strchr(suffixes, toupper((unsigned char)text[at]));
        if (suffix == NULL || *suffix == 0)
            return false;
        if (__builtin_mul_overflow(number, (size_t)1 << 10 * (suffix - suffixes + 1), &number))
            return false;
    }
    bool is_0 = number == 0 && option->type == OPTION_SIZE_OR_0;
    if (!is_0 && (number < option->lowest || number > option->highest))
        return false;
    *(size_t *)option->value = number;
    return true;
}

static bool parse_text(const char *text, size_t length, const struct option *option) {
    if (length == 0 || length >= option->highest)
        return false;
    memcpy(option->value, text, length);
    ((char *)option->value)[length] = 0;
    return true;
}

static bool parse_choice(const char *text, size_t length, const struct option *option) {
    for (const char *word = option->choices; *word; word += strspn(word, " ")) {
        size_t word_length = strcspn(word, " ");
        if (word_length == length && memcmp(word, text, length) == 0)
            return parse_text(text, length, option);
        word += word_length;
    }
    return false;
}

static bool option_set(const struct option *option, const char *text, size_t length) {
    switch (option->type) {
    case OPTION_SWITCH:
        return parse_switch(text, length, option->value);
    case OPTION_SIZE:
    case OPTION_SIZE_OR_0:
        return parse_size(text, length, option);
    case OPTION_CHOICE:
        return parse_choice(text, length, option);
    case OPTION_FAULT:
        return faults_set(text, length);
    default:
        return parse_text(text, length, option);
    }
}

static const struct option *option_find(const char *key, size_t length) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strlen(table[i].key) == length && memcmp(table[i].key, key, length) == 0)
            return &table[i];
    return NULL;
}

/* As one would write it: "64M". */
static const char *size_text(size_t number, char text[24]) {
    static const char suffixes[] = {0, 'K', 'M', 'G', 0};
    int suffix = 0;
    while (number > 0 && number % 1024 == 0 && suffixes[suffix + 1]) {
        number /= 1024;
        suffix++;
    }
    snprintf(text, 24, "%zu%c", number, suffixes[suffix]);
    return text;
}

/* What an option takes, in words. */
static const char *option_values(const struct option *option, char text[128]) {
    char lowest[24], highest[24];
    switch (option->type) {
    case OPTION_SWITCH:
        return "1, on, yes, 0, off, no";
    case OPTION_CHOICE:
        return option->choices;
    case OPTION_FAULT:
        return "count, CALL/N/ERRNO, CALL/N+/ERRNO";
    case OPTION_TEXT:
        snprintf(text, 128, "%s of at most %zu characters",
                 option->choices ? option->choices : "a path", option->highest - 1);
        return text;
    default:
        snprintf(text, 128, "%s%s %s%s%s", option->type == OPTION_SIZE_OR_0 ? "0, or " : "",
                 size_text(option->lowest, lowest), option->highest == SIZE_MAX ? "or more" : "to ",
                 option->highest == SIZE_MAX ? "" : size_text(option->highest, highest),
                 option->highest < 1024 ? "" : "; K, M and G multiply by 1024");
        return text;
    }
}

enum { SHOWN = 100 /* characters of what was given */ };

static void say_unknown(const char *key, size_t length) {
    char keys[400];
    size_t at = 0;
    for (size_t i = 0; i < sizeof table / sizeof *table && at < sizeof keys; i++)
        at += snprintf(keys + at, sizeof keys - at, " %s", table[i].key);
    log_line("TITHE_OPTIONS: unknown option '%.*s' ignored; there are:%s", (int)length, key, keys);
}

static void option_read(const char *item, size_t length) {
    char values[128];
    const char *equals = memchr(item, '=', length);
    size_t key_length = equals ? (size_t)(equals - item) : length;
    const struct option *option = option_find(item, key_length);
    if (option == NULL)
        say_unknown(item, key_length < SHOWN ? key_length : SHOWN);
    else if (equals == NULL || !option_set(option, equals + 1, length - key_length - 1))
        log_line("TITHE_OPTIONS: option '%.*s' has no valid value and is ignored; valid are: %s",
                 (int)(length < SHOWN ? length : SHOWN), item, option_values(option, values));
}

void options_read(const char *text) {
    while (text && *text) {
        size_t length = strcspn(text, ":");
        if (length > 0)
            option_read(text, length);
        text += length + (text[length] == ':');
    }
}
