/* Taking a chain apart; see chain.h. */
#include "report/chain.h"

#include "report/symbols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The function that a stack is known by: the innermost one outside of allocators. */
static const char *function_of(const struct check *check, unsigned number) {
    const struct check_stack *stack = check_stack_of(check, number);
    for (size_t i = 0; stack && i < stack->count; i++) {
        const struct symbol_place *place = symbols_code(check, stack->pcs[i], stack->generation);
        const struct symbol_frame *frame = &place->frames[0];
        if (frame->function && !(frame->module && strstr(frame->module->path, "libtithe.so")))
            return frame->function;
    }
    return NULL;
}

static void name_variable(const struct check *check, struct chain_step *step) {
    const struct check_module *module = check_module_at(check, step->address, UINT32_MAX - 1);
    step->name = symbols_data(check, step->address, &step->offset);
    if (module) {
        step->where = check_base_name(module->path);
        if (step->name == NULL)
            step->offset = step->address - module->bias;
    }
}

/* False when the step is none. */
static bool take(const struct check *check, char *text, struct chain_step *step) {
    char *kind = strsep(&text, ":"), *first = strsep(&text, ":"), *second = strsep(&text, ":"),
         *third = strsep(&text, ":"), *fourth = strsep(&text, ":");
    *step = (struct chain_step){.kind = kind};
    if (strcmp(kind, "block") == 0 && fourth) {
        step->address = strtoull(first, NULL, 0);
        step->bytes = strtoull(second, NULL, 0);
        step->offset = strtoull(third, NULL, 0);
        step->where = function_of(check, strtoul(fourth, NULL, 0));
    } else if (strcmp(kind, "data") == 0 && first) {
        step->address = strtoull(first, NULL, 0);
        name_variable(check, step);
    } else if ((strcmp(kind, "thread") == 0 || strcmp(kind, "local") == 0) && second) {
        step->thread = atoi(first);
        step->address = strtoull(second, NULL, 0);
    } else if (strcmp(kind, "map") == 0 && first) {
        step->address = strtoull(first, NULL, 0);
        step->name = second && strcmp(second, "-") != 0 ? second : NULL;
    } else if (strcmp(kind, "registers") == 0 && first) {
        step->thread = atoi(first);
    } else {
        return strcmp(kind, "kernel") == 0;
    }
    return true;
}

void chain_each(const struct check *check, const char *steps,
                void (*visit)(const struct chain_step *step, void *context), void *context) {
    char *copy = strdup(steps), *rest = copy, *text;
    struct chain_step step;
    while ((text = strsep(&rest, " ")))
        if (*text && take(check, text, &step))
            visit(&step, context);
    free(copy);
}
