/* Patterns and stacks of patterns; see suppressions.h. */
#include "report/suppressions.h"

#include "report/own_frames.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LINES = 64 };

struct suppression {
    char *name;    /* as it is told */
    char *pattern; /* LeakSanitizer's, with * at ends that have no anchor; NULL for valgrind's */
    char *lines[MOST_LINES]; /* valgrind's, innermost first */
    size_t line_count;
    bool used;
};

struct suppressions {
    struct suppression *list;
    size_t count;
};

struct suppressions *suppressions_make(void) {
    struct suppressions *suppressions = calloc(1, sizeof *suppressions);
    if (suppressions == NULL)
        abort();
    return suppressions;
}

static void suppression_free(struct suppression *suppression) {
    free(suppression->name);
    free(suppression->pattern);
    for (size_t i = 0; i < suppression->line_count; i++)
        free(suppression->lines[i]);
}

void suppressions_free(struct suppressions *suppressions) {
    for (size_t i = 0; i < suppressions->count; i++)
        suppression_free(&suppressions->list[i]);
    free(suppressions->list);
    free(suppressions);
}

static struct suppression *add(struct suppressions *suppressions, struct suppression one) {
    suppressions->list =
        realloc(suppressions->list, (suppressions->count + 1) * sizeof *suppressions->list);
    if (suppressions->list == NULL)
        abort();
    suppressions->list[suppressions->count] = one;
    return &suppressions->list[suppressions->count++];
}

static char *trimmed(const char *text) {
    text += strspn(text, " \t");
    char *copy = strdup(text);
    size_t length = strlen(copy);
    while (length > 0 && isspace((unsigned char)copy[length - 1]))
        copy[--length] = 0;
    return copy;
}

/* Without an anchor, anything may stand before and after. */
static char *as_glob(const char *pattern) {
    size_t length = strlen(pattern);
    bool begins = *pattern == '^', ends = length > begins && pattern[length - 1] == '$';
    char *glob = malloc(length + 3);
    if (glob == NULL)
        abort();
    snprintf(glob, length + 3, "%s%.*s%s", begins ? "" : "*", (int)(length - begins - ends),
             pattern + begins, ends ? "" : "*");
    return glob;
}

bool suppressions_add(struct suppressions *suppressions, const char *line) {
    char *text = trimmed(line);
    if (strncmp(text, "leak:", 5) == 0 && text[5]) {
        add(suppressions, (struct suppression){.name = text, .pattern = as_glob(text + 5)});
        return true;
    }
    bool empty = *text == 0 || *text == '#';
    free(text);
    return empty;
}

/* What is still reachable is not told anyway, so a block about that alone has nothing to suppress.
 */
static bool is_about_lost(const char *kinds) {
    return strstr(kinds, "all") || strstr(kinds, "definite") || strstr(kinds, "indirect") ||
           strstr(kinds, "possible");
}

/* The lines of one block after its brace. */
static void read_block(struct suppressions *suppressions, FILE *file) {
    struct suppression block = {0};
    char *line = NULL;
    size_t room = 0;
    bool about_leaks = false;
    while (getline(&line, &room, file) > 0) {
        char *text = trimmed(line);
        if (*text == '}') {
            free(text);
            break;
        }
        if (block.name == NULL)
            block.name = text;
        else if (strstr(text, ":Leak") && strstr(text, "Memcheck"))
            about_leaks = true, free(text);
        else if (strncmp(text, "match-leak-kinds:", 17) == 0)
            about_leaks &= is_about_lost(text + 17), free(text);
        else if (block.line_count < MOST_LINES)
            block.lines[block.line_count++] = text;
        else
            free(text);
    }
    free(line);
    if (about_leaks && block.line_count > 0)
        add(suppressions, block);
    else
        suppression_free(&block);
}

void suppressions_read(struct suppressions *suppressions, const char *path) {
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0, number = 0;
    if (file == NULL) {
        fprintf(stderr, "tithe: %s: %s\n", path, strerror(errno));
        exit(125);
    }
    while (getline(&line, &room, file) > 0) {
        char *text = trimmed(line);
        number++;
        if (*text == '{')
            read_block(suppressions, file);
        else if (!suppressions_add(suppressions, text))
            fprintf(stderr, "tithe: %s: line %zu is no suppression: %s\n", path, number, text);
        free(text);
    }
    free(line);
    fclose(file);
}

/* * stands for anything, ? for one character, if it is special at all. Only the last * is ever
 * tried again, so that a line of many stars takes no longer than its length times the text's. */
static bool glob_matches(const char *glob, const char *text, bool question) {
    const char *star = NULL, *retry = NULL;
    while (*text) {
        if (*glob == '*') {
            star = ++glob;
            retry = text;
        } else if (*glob == *text || (question && *glob == '?')) {
            glob++, text++;
        } else if (star) {
            glob = star;
            text = ++retry;
        } else {
            return false;
        }
    }
    return glob[strspn(glob, "*")] == 0;
}

static bool matches(const char *glob, const char *text) {
    return text && glob_matches(glob, text, false);
}

static bool is_in_stack(const char *glob, const struct group *group) {
    char id[16];
    snprintf(id, sizeof id, "%08x", group->id);
    if (matches(glob, id))
        return true;
    for (size_t i = 0; i < group->frame_count; i++) {
        const struct symbol_frame *frame = &group->frames[i];
        if (matches(glob, frame->function) || matches(glob, frame->file) ||
            (frame->module && matches(glob, frame->module->path)))
            return true;
    }
    return false;
}

static bool name_matches(const char *glob, const char *name) {
    return name && glob_matches(glob, name, true);
}

static bool line_matches(const char *line, const struct symbol_frame *frame) {
    if (strncmp(line, "fun:", 4) == 0)
        return name_matches(line + 4, frame->symbol) || name_matches(line + 4, frame->function);
    if (strncmp(line, "obj:", 4) == 0)
        return frame->module && name_matches(line + 4, frame->module->path);
    return strncmp(line, "src:", 4) == 0 && name_matches(line + 4, frame->file);
}

/* The lines say what the stack begins with; "..." stands for any number of frames, and only the
 * last one is ever tried again, as above. */
static bool lines_match(const struct suppression *suppression, const struct group *group,
                        size_t frame) {
    size_t line = 0, behind_dots = 0, retry = 0;
    while (line < suppression->line_count) {
        if (strcmp(suppression->lines[line], "...") == 0) {
            behind_dots = ++line;
            retry = frame;
        } else if (frame < group->frame_count &&
                   line_matches(suppression->lines[line], &group->frames[frame])) {
            line++, frame++;
        } else if (behind_dots > 0 && retry < group->frame_count) {
            line = behind_dots;
            frame = ++retry;
        } else {
            return false;
        }
    }
    return true;
}

/* valgrind's stacks begin with the allocating function. */
static bool block_matches(const struct suppression *suppression, const struct group *group) {
    for (size_t from = 0; from <= group->first && from < group->frame_count; from++)
        if (lines_match(suppression, group, from))
            return true;
    return false;
}

static bool applies(const struct suppression *suppression, const struct group *group) {
    return suppression->pattern ? is_in_stack(suppression->pattern, group)
                                : block_matches(suppression, group);
}

void suppressions_apply(struct suppressions *suppressions, struct groups *groups) {
    for (size_t i = 0; i < groups->count && suppressions->count > 0; i++) {
        struct group *group = &groups->groups[i];
        group_name_frames(group, groups->check);
        for (size_t k = 0; k < suppressions->count && !group->suppressed_by; k++) {
            struct suppression *one = &suppressions->list[k];
            if (!applies(one, group))
                continue;
            group->suppressed_by = one->name;
            one->used |= group->kind == GROUP_LOST;
        }
        group_forget_frames(group);
    }
}

void suppressions_each_unused(const struct suppressions *suppressions,
                              void (*visit)(const char *name, void *context), void *context) {
    for (size_t i = 0; i < suppressions->count; i++)
        if (!suppressions->list[i].used)
            visit(suppressions->list[i].name, context);
}

static void suggest_frame(const struct symbol_frame *frame, FILE *out) {
    if (frame->symbol)
        fprintf(out, "   fun:%s\n", frame->symbol);
    else if (frame->module)
        fprintf(out, "   obj:*/%s\n", check_base_name(frame->module->path));
    else
        fputs("   ...\n", out);
}

void suppressions_suggest(const struct groups *groups, FILE *out) {
    for (size_t i = 0; i < groups->count; i++) {
        struct group *group = &groups->groups[i];
        if (group->kind != GROUP_LOST || group->suppressed_by)
            continue;
        group_name_frames(group, groups->check);
        fprintf(out, "{\n   %zu B in %zu block%s, id %08x\n   Memcheck:Leak\n", group_bytes(group),
                group_blocks(group), group_blocks(group) == 1 ? "" : "s", group->id);
        size_t last = group->first + MOST_LINES;
        for (size_t k = group->first; k < group->frame_count && k < last; k++)
            if (!own_frames_is_startup(&group->frames[k]))
                suggest_frame(&group->frames[k], out);
        fputs(group->frame_count ? "}\n" : "   ...\n}\n", out);
        group_forget_frames(group);
    }
}
