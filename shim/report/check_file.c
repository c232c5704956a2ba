/* Reading lines of words; see check_file.h. */
#include "report/check_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OLDEST_FORMAT = 1, FORMAT = 2 };

/* Room for one more element, cleared; arrays double. */
static void *more(void *array, size_t *count, size_t size) {
    void **elements = array;
    if ((*count & (*count - 1)) == 0) {
        size_t room = *count ? 2 * *count : 1;
        *elements = realloc(*elements, room * size);
        if (*elements == NULL) {
            fprintf(stderr, "tithe: out of memory\n");
            exit(1);
        }
    }
    void *element = (char *)*elements + (*count)++ * size;
    memset(element, 0, size);
    return element;
}

#define MORE(array, count) more(&(array), &(count), sizeof *(array))

/* The words of a line, in place. */
struct words {
    char *next;
};

static char *word(struct words *words) {
    static char none[1];
    char *start = words->next ? words->next + strspn(words->next, " ") : none;
    char *end = start + strcspn(start, " ");
    words->next = *end ? end + 1 : NULL;
    *end = 0;
    return start;
}

static uint64_t number(struct words *words) { return strtoull(word(words), NULL, 0); }

static int digit(char c) {
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* A text field: percent-encoded, and - for an empty one. */
static char *text(struct words *words) {
    char *from = word(words), *copy = malloc(strlen(from) + 1), *to = copy;
    if (copy == NULL)
        abort();
    if (strcmp(from, "-") == 0)
        from = "";
    for (; *from; from++) {
        if (from[0] == '%' && isxdigit((unsigned char)from[1]) &&
            isxdigit((unsigned char)from[2])) {
            *to++ = digit(from[1]) << 4 | digit(from[2]);
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = 0;
    return copy;
}

static void take_arguments(struct check *check, struct words *words) {
    while (words->next && *words->next) {
        char **argument = MORE(check->arguments, check->argument_count);
        *argument = text(words);
    }
}

uint64_t check_print(uint64_t print, const void *bytes, size_t count) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++)
        print = (print ^ at[i]) * 0x100000001b3u;
    return print;
}

const char *check_base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void take_module(struct check *check, struct words *words) {
    struct check_module *module = MORE(check->modules, check->module_count);
    word(words);
    module->start = number(words);
    module->end = number(words);
    module->bias = number(words);
    module->from = number(words);
    const char *to = word(words);
    module->to = strcmp(to, "-") == 0 ? UINT32_MAX : strtoul(to, NULL, 10);
    module->build_id = text(words);
    module->path = text(words);
    const char *name = *module->build_id ? module->build_id : check_base_name(module->path);
    module->print = check_print(CHECK_PRINT, name, strlen(name) + 1);
}

static size_t count_words(const char *text) {
    size_t count = 0;
    for (; text && *text; text = strchr(text, ' '), text = text ? text + 1 : NULL)
        count++;
    return count;
}

/* An address, or how it differs from the one before it. */
static uint64_t address(struct words *words, uint64_t before) {
    char *one = word(words);
    if (*one == '+')
        return before + strtoull(one + 1, NULL, 16);
    return *one == '-' ? before - strtoull(one + 1, NULL, 16) : strtoull(one, NULL, 0);
}

static void take_stack(struct check *check, struct words *words) {
    struct check_stack *stack = MORE(check->stacks, check->stack_count);
    stack->number = number(words);
    stack->generation = number(words);
    size_t count = count_words(words->next);
    if (count > 0 && (stack->pcs = malloc(count * sizeof *stack->pcs)) == NULL)
        abort();
    for (uint64_t pc = 0; stack->count < count; stack->count++)
        pc = stack->pcs[stack->count] = address(words, pc);
}

static void take_lost(struct check *check, struct words *words) {
    struct check_group *group = MORE(check->groups, check->group_count);
    group->lost = true;
    group->stack = number(words);
    group->blocks = number(words);
    group->bytes = number(words);
    group->held_blocks = number(words);
    group->held_bytes = number(words);
    group->first = number(words);
    group->last = number(words);
    group->sample = number(words);
    group->sizes = strdup(word(words));
}

static void take_collected(struct check *check, struct words *words) {
    struct check_group *group = MORE(check->groups, check->group_count);
    group->lost = true;
    group->stack = number(words);
    group->collected.blocks = number(words);
    group->collected.bytes = number(words);
    group->collected.held_blocks = number(words);
    group->collected.held_bytes = number(words);
    group->first = number(words);
    group->last = number(words);
}

static void take_dangling(struct check *check, struct words *words) {
    struct check_dangling *dangling = MORE(check->dangling, check->dangling_count);
    dangling->address = number(words);
    dangling->bytes = number(words);
    dangling->stack = number(words);
    dangling->freed = number(words);
    dangling->steps = strdup(words->next ? words->next : "");
}

static void take_trial(struct check *check, struct words *words) {
    check->has_trial = true;
    check->trial.cycles = number(words);
    check->trial.blocks = number(words);
    check->trial.bytes = number(words);
    check->trial.late_blocks = number(words);
    check->trial.late_bytes = number(words);
    check->trial.returned_blocks = number(words);
    check->trial.returned_bytes = number(words);
}

static void take_returned(struct check *check, struct words *words) {
    struct check_dangling *returned = MORE(check->returned, check->returned_count);
    returned->address = number(words);
    returned->bytes = number(words);
    returned->stack = number(words);
    returned->freed = number(words);
    snprintf(returned->how, sizeof returned->how, "%s", word(words));
    returned->steps = strdup(words->next ? words->next : "");
}

/* In a trial what is dead is what is lost. */
static void take_dead(struct check *check, struct words *words) {
    struct check_group *group = MORE(check->groups, check->group_count);
    group->lost = true;
    group->stack = number(words);
    group->blocks = number(words);
    group->bytes = number(words);
}

static void take_live(struct check *check, struct words *words) {
    struct check_group *group = MORE(check->groups, check->group_count);
    group->stack = number(words);
    group->blocks = number(words);
    group->bytes = number(words);
    group->first = number(words);
    group->last = number(words);
    group->grew = number(words);
    group->sample = number(words);
}

static void take_chain(struct check *check, struct words *words) {
    struct check_chain *chain = MORE(check->chains, check->chain_count);
    chain->stack = number(words);
    chain->steps = strdup(words->next ? words->next : "");
}

static void take_text(char ***list, size_t *count, struct words *words) {
    char **one = more(list, count, sizeof **list);
    *one = text(words);
}

static void take_process(struct check *check, struct words *words) {
    check->process = number(words);
    check->parent = number(words);
}

static void take_heap(struct check *check, struct words *words) {
    check->heap_blocks = number(words);
    check->heap_bytes = number(words);
}

static void take_collects(struct check *check, struct words *words) {
    check->has_collects = true;
    check->collects = number(words) != 0;
    check->collecting_checks = number(words);
}

static void take_quarantine(struct check *check, struct words *words) {
    check->has_quarantine = true;
    check->quarantine_blocks = number(words);
    check->quarantine_bytes = number(words);
}

static void take_warning(struct check *check, struct words *words) {
    take_text(&check->warnings, &check->warning_count, words);
}

static void take_suppression(struct check *check, struct words *words) {
    take_text(&check->suppressions, &check->suppression_count, words);
}

/* The latest counts, if a file has one twice. */
static void take_once(char **field, char *text) {
    free(*field);
    *field = text;
}

/* Lines of one field. False when it is none. */
static bool take_field(struct check *check, const char *key, struct words *words) {
    if (strcmp(key, "program") == 0)
        take_once(&check->program, text(words));
    else if (strcmp(key, "number") == 0)
        check->number = number(words);
    else if (strcmp(key, "trigger") == 0)
        take_once(&check->trigger, text(words));
    else if (strcmp(key, "time") == 0)
        check->time = number(words);
    else if (strcmp(key, "uptime") == 0)
        check->uptime = number(words);
    else if (strcmp(key, "paused") == 0)
        check->paused = number(words);
    else if (strcmp(key, "took") == 0)
        check->took = number(words);
    else if (strcmp(key, "sampled") == 0)
        check->sampled = number(words);
    else if (strcmp(key, "roots") == 0)
        take_once(&check->roots, strdup(words->next ? words->next : ""));
    else
        return false;
    return true;
}

/* False for the end. Unknown keywords are passed over. */
static bool take_line(struct check *check, char *line) {
    static const struct {
        const char *key;
        void (*take)(struct check *check, struct words *words);
    } lines[] = {
        {"arguments", take_arguments}, {"process", take_process},
        {"heap", take_heap},           {"collects", take_collects},
        {"warning", take_warning},     {"suppression", take_suppression},
        {"module", take_module},       {"stack", take_stack},
        {"lost", take_lost},           {"collected", take_collected},
        {"live", take_live},           {"chain", take_chain},
        {"dangling", take_dangling},   {"quarantine", take_quarantine},
        {"trial", take_trial},         {"returned", take_returned},
        {"dead", take_dead},
    };
    struct words words = {line};
    const char *key = word(&words);
    if (take_field(check, key, &words))
        return true;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (strcmp(key, lines[i].key) == 0) {
            lines[i].take(check, &words);
            return true;
        }
    return strcmp(key, "end") != 0;
}

static bool take_file(struct check *check, FILE *file) {
    char *line = NULL;
    size_t room = 0;
    bool whole = false;
    ssize_t length = getline(&line, &room, file);
    int format = 0;
    if (length > 0 && sscanf(line, "tithe-check %d", &format) == 1 && format >= OLDEST_FORMAT &&
        format <= FORMAT)
        while (!whole && (length = getline(&line, &room, file)) > 0) {
            line[strcspn(line, "\n")] = 0;
            whole = !take_line(check, line);
        }
    free(line);
    return whole;
}

static int by_number(const void *one, const void *two) {
    unsigned first = ((const struct check_stack *)one)->number;
    unsigned second = ((const struct check_stack *)two)->number;
    return (first > second) - (first < second);
}

struct check *check_read(const char *path) {
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "tithe: %s: %s\n", path, strerror(errno));
        return NULL;
    }
    static unsigned serial;
    struct check *check = calloc(1, sizeof *check);
    if (check)
        check->serial = ++serial;
    bool whole = check && take_file(check, file);
    fclose(file);
    if (!whole || check->program == NULL || check->trigger == NULL) {
        fprintf(stderr, "tithe: %s: no whole check file\n", path);
        if (check)
            check_free(check);
        return NULL;
    }
    if (check->stack_count > 0)
        qsort(check->stacks, check->stack_count, sizeof *check->stacks, by_number);
    return check;
}

static void free_texts(char **list, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

void check_free(struct check *check) {
    for (size_t i = 0; i < check->module_count; i++) {
        free(check->modules[i].build_id);
        free(check->modules[i].path);
    }
    for (size_t i = 0; i < check->stack_count; i++)
        free(check->stacks[i].pcs);
    for (size_t i = 0; i < check->group_count; i++)
        free(check->groups[i].sizes);
    for (size_t i = 0; i < check->chain_count; i++)
        free(check->chains[i].steps);
    for (size_t i = 0; i < check->dangling_count; i++)
        free(check->dangling[i].steps);
    free(check->dangling);
    for (size_t i = 0; i < check->returned_count; i++)
        free(check->returned[i].steps);
    free(check->returned);
    free_texts(check->arguments, check->argument_count);
    free_texts(check->warnings, check->warning_count);
    free_texts(check->suppressions, check->suppression_count);
    free(check->modules);
    free(check->stacks);
    free(check->groups);
    free(check->chains);
    free(check->program);
    free(check->trigger);
    free(check->roots);
    free(check);
}

const struct check_stack *check_stack_of(const struct check *check, unsigned wanted) {
    struct check_stack key = {.number = wanted};
    return check->stack_count == 0
               ? NULL
               : bsearch(&key, check->stacks, check->stack_count, sizeof *check->stacks, by_number);
}

bool check_module_holds(const struct check_module *module, uint64_t address, unsigned generation) {
    return address - module->start < module->end - module->start && generation >= module->from &&
           generation < module->to;
}

const struct check_module *check_module_at(const struct check *check, uint64_t address,
                                           unsigned generation) {
    for (size_t i = 0; i < check->module_count; i++) {
        const struct check_module *module = &check->modules[i];
        if (check_module_holds(module, address, generation))
            return module;
    }
    return NULL;
}
