/* The report for people; see render.h. */
#include "report/text.h"
#include "report/chain.h"
#include "report/dangling.h"
#include "report/own_frames.h"
#include "report/render.h"
#include "report/suppressions.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct style text_style(const struct report_options *options) {
    if (options->colour)
        return (struct style){"\033[1m", "\033[1;31m", "\033[2m", "\033[0m"};
    return (struct style){"", "", "", ""};
}

/* "84.9 KiB"; bytes are exact. */
const char *text_size(size_t bytes, char text[32]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    snprintf(text, 32, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

/* "1,203" */
const char *text_count(size_t count, char text[32]) {
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%zu", count), to = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[to++] = ',';
        text[to++] = digits[i];
    }
    text[to] = 0;
    return text;
}

const char *text_time(size_t milliseconds, char text[32]) {
    size_t seconds = milliseconds / 1000;
    if (seconds < 1)
        snprintf(text, 32, "%zu ms", milliseconds);
    else if (seconds < 60)
        snprintf(text, 32, "%.1f s", milliseconds / 1000.0);
    else if (seconds < 3600)
        snprintf(text, 32, "%zum%02zus", seconds / 60, seconds % 60);
    else
        snprintf(text, 32, "%zuh%02zum", seconds / 3600, seconds / 60 % 60);
    return text;
}

struct totals {
    size_t groups, blocks, bytes, direct_blocks, direct_bytes, held_blocks, held_bytes;
    size_t collected_blocks, collected_bytes;
    size_t suppressed_groups, suppressed_bytes;
    long bytes_since;
};

static struct totals totals_of(const struct groups *groups) {
    struct totals totals = {0};
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *group = &groups->groups[i];
        if (group->kind != GROUP_LOST)
            continue;
        if (group->suppressed_by) {
            totals.suppressed_groups++;
            totals.suppressed_bytes += group_bytes(group);
            continue;
        }
        totals.groups += group->sums.blocks > 0;
        totals.collected_blocks += group->sums.collected.blocks + group->sums.collected.held_blocks;
        totals.collected_bytes += group->sums.collected.bytes + group->sums.collected.held_bytes;
        totals.direct_blocks += group->sums.blocks;
        totals.direct_bytes += group->sums.bytes;
        totals.held_blocks += group->sums.held_blocks;
        totals.held_bytes += group->sums.held_bytes;
        totals.bytes_since += group->bytes_since;
    }
    totals.blocks = totals.direct_blocks + totals.held_blocks;
    totals.bytes = totals.direct_bytes + totals.held_bytes;
    return totals;
}

static void write_head(const struct groups *groups, const struct style *style, FILE *out) {
    const struct check *check = groups->check;
    char uptime[32], heap[32], blocks[32];
    const char *name = check->argument_count ? check->arguments[0] : check->program;
    fprintf(
        out,
        "%sLEAKS  %s pid %d%s  check #%u (%s)  up %s  stopped for %.1f ms  heap %s in %s blocks\n",
        style->strong, check_base_name(name), check->process, style->plain, check->number,
        check->trigger, text_time(check->uptime, uptime), check->paused / 1e6,
        text_size(check->heap_bytes, heap), text_count(check->heap_blocks, blocks));
}

static void write_totals(const struct groups *groups, const struct style *style, FILE *out) {
    struct totals totals = totals_of(groups);
    char bytes[32], blocks[32], direct[32], held[32], direct_blocks[32], held_blocks[32];
    if (totals.groups == 0) {
        fprintf(out, "  nothing lost");
    } else {
        fprintf(out, "  %slost %s in %s block%s%s, %zu group%s", style->bad,
                text_size(totals.bytes, bytes), text_count(totals.blocks, blocks),
                totals.blocks == 1 ? "" : "s", style->plain, totals.groups,
                totals.groups == 1 ? "" : "s");
        if (totals.held_blocks)
            fprintf(
                out, " (direct %s/%s, held by them %s/%s)", text_size(totals.direct_bytes, direct),
                text_count(totals.direct_blocks, direct_blocks), text_size(totals.held_bytes, held),
                text_count(totals.held_blocks, held_blocks));
        if (groups->compared)
            fprintf(out, "  %+ld B since", totals.bytes_since);
    }
    if (totals.suppressed_groups)
        fprintf(out, "  (suppressed: %zu group%s, %s)", totals.suppressed_groups,
                totals.suppressed_groups == 1 ? "" : "s",
                text_size(totals.suppressed_bytes, bytes));
    if (totals.groups > 0 && groups->check->collects)
        fputs("; now collected", out);
    fputc('\n', out);
    if (groups->check->has_collects)
        fprintf(out, "  collected by %u earlier check%s: %s in %s block%s\n",
                groups->check->collecting_checks, groups->check->collecting_checks == 1 ? "" : "s",
                text_size(totals.collected_bytes, bytes),
                text_count(totals.collected_blocks, blocks),
                totals.collected_blocks == 1 ? "" : "s");
}

static void write_warning(const char *text, void *out) { fprintf(out, "  warning: %s\n", text); }

void text_warnings(const struct groups *groups, FILE *out) {
    const struct check *check = groups->check;
    for (size_t i = 0; i < check->warning_count; i++)
        write_warning(check->warnings[i], out);
    symbols_each_warning(write_warning, out);
    for (size_t i = 0; i < groups->unused_count; i++)
        fprintf(out, "  unused suppression: %s\n", groups->unused[i]);
}

static void write_name(const char *name, bool full, FILE *out) {
    char *shorter = full ? NULL : own_frames_short_name(name);
    fputs(shorter ? shorter : name, out);
    free(shorter);
}

static void write_frame(const struct symbol_frame *frame, const char *before, const char *after,
                        const struct report_options *options, const struct style *style,
                        FILE *out) {
    fprintf(out, "     %s", before);
    write_name(frame->function ? frame->function : "??", options->full_names, out);
    fputs(after, out);
    if (frame->file) {
        fprintf(out, "  %s:%d", check_base_name(frame->file), frame->line);
    } else if (frame->module) {
        fprintf(out, "  %s(%s+0x%" PRIx64 ")%s", style->faint, check_base_name(frame->module->path),
                frame->offset, style->plain);
    } else {
        fprintf(out, "  %s(0x%" PRIx64 ", code without a file)%s", style->faint, frame->offset,
                style->plain);
    }
    fprintf(out, "%s\n", frame->inlined ? " (inlined)" : "");
}

void text_frames(const struct group *group, const struct report_options *options,
                 const struct style *style, FILE *out) {
    size_t first = options->frames ? group->first : 0, last = group->frame_count, hidden = first;
    if (group->frame_count == 0) {
        fprintf(out, "     (the stack is not known)\n");
        return;
    }
    while (options->frames && last > first + 1 && own_frames_is_startup(&group->frames[last - 1])) {
        last--;
        hidden++;
    }
    for (size_t i = first, shown = 0; i < last; i++, shown++) {
        if (options->frames && shown >= options->frames) {
            hidden += last - i;
            break;
        }
        bool own = i == group->own;
        write_frame(&group->frames[i], own ? style->strong : "", own ? style->plain : "", options,
                    style, out);
    }
    if (hidden)
        fprintf(out, "     %s[%zu more frame%s: --frames=all]%s\n", style->faint, hidden,
                hidden == 1 ? "" : "s", style->plain);
}

struct chain_writer {
    FILE *out;
    size_t steps;
    const char *last; /* where the block of the step before was from */
    size_t repeated;
    bool begun;
};

static void end_repetition(struct chain_writer *writer) {
    if (writer->repeated)
        fprintf(writer->out, " (and %zu more like this)", writer->repeated);
    writer->repeated = 0;
}

/* Links of a list are told once. */
static void write_step(const struct chain_step *step, void *context) {
    struct chain_writer *writer = context;
    bool is_block = strcmp(step->kind, "block") == 0;
    if (is_block && step->where && writer->last && strcmp(step->where, writer->last) == 0) {
        writer->repeated++;
        return;
    }
    end_repetition(writer);
    writer->last = is_block ? step->where : NULL;
    fputs(writer->begun ? " -> " : "   held by: ", writer->out);
    writer->begun = true;
    if (is_block)
        fprintf(writer->out, "%zu B from %s +%" PRIu64, step->bytes,
                step->where ? step->where : "??", step->offset);
    else if (strcmp(step->kind, "data") == 0 && step->name)
        fprintf(writer->out, "%s+%" PRIu64 " (%s)", step->name, step->offset,
                step->where ? step->where : "??");
    else if (strcmp(step->kind, "data") == 0)
        fprintf(writer->out, "data of %s+0x%" PRIx64, step->where ? step->where : "??",
                step->offset);
    else if (strcmp(step->kind, "map") == 0)
        fprintf(writer->out, "%s at 0x%" PRIx64, step->name ? step->name : "memory", step->address);
    else if (strcmp(step->kind, "kernel") == 0)
        fputs("the kernel", writer->out);
    else
        fprintf(writer->out, "%s of thread %d",
                strcmp(step->kind, "thread") == 0  ? "the stack"
                : strcmp(step->kind, "local") == 0 ? "a thread-local variable"
                                                   : "a register",
                step->thread);
}

void text_chain(const struct check *check, const char *steps, FILE *out) {
    struct chain_writer writer = {.out = out};
    chain_each(check, steps, write_step, &writer);
    end_repetition(&writer);
    if (writer.begun)
        fputs(" -> here\n", out);
}

static void write_collected(const struct group *group, FILE *out) {
    char bytes[32], blocks[32];
    size_t count = group->sums.collected.blocks + group->sums.collected.held_blocks,
           size = group->sums.collected.bytes + group->sums.collected.held_bytes;
    if (count)
        fprintf(out, "; %s in %s block%s collected before", text_size(size, bytes),
                text_count(count, blocks), count == 1 ? "" : "s");
}

static void write_amount(const struct groups *groups, const struct group *group, FILE *out) {
    char bytes[32], blocks[32], direct[32], held[32], held_blocks[32], own_blocks[32];
    size_t count = group->sums.blocks + group->sums.held_blocks,
           size = group->sums.bytes + group->sums.held_bytes;
    fprintf(out, "%s in %s block%s", text_size(size, bytes), text_count(count, blocks),
            count == 1 ? "" : "s");
    write_collected(group, out);
    if (group->sums.held_blocks)
        fprintf(out, "  (%s direct, %s; %s held, %s)", text_count(group->sums.blocks, own_blocks),
                text_size(group->sums.bytes, direct),
                text_count(group->sums.held_blocks, held_blocks),
                text_size(group->sums.held_bytes, held));
    if (groups->check->sampled && group->stack)
        fprintf(out, ", a sample of about %s in %s",
                text_size(group_weighed(groups->check, group, group_bytes(group)), bytes),
                text_count(group_weighed(groups->check, group, group_blocks(group)), blocks));
    if (groups->compared && (group->bytes_since || group->blocks_since))
        fprintf(out, "  %+ld B/%+ld since", group->bytes_since, group->blocks_since);
    if (group->kind == GROUP_GROWING)
        fprintf(out, ", grew in %u checks in a row", group->sums.grew);
}

static void write_group(const struct groups *groups, const struct group *group, size_t rank,
                        const struct report_options *options, const struct style *style,
                        FILE *out) {
    static const char *const names[] = {"LOST", "GROWING (still reachable)", "LIVE"};
    char first[32], last[32];
    size_t uptime = groups->check->uptime;
    fprintf(out, "\n%s#%zu %s%s  ", group->kind == GROUP_LOST ? style->bad : style->strong, rank,
            names[group->kind], style->plain);
    write_amount(groups, group, out);
    fprintf(out, "  id %08x\n   ", group->id);
    if (group->sums.blocks == 1 && group->sums.collected.blocks == 0)
        fprintf(out, "allocated %s before the check", text_time(uptime - group->sums.first, first));
    else
        fprintf(out, "first %s, last %s before the check",
                text_time(uptime - group->sums.first, first),
                text_time(uptime - group->sums.last, last));
    if (group->sums.sizes && *group->sums.sizes)
        fprintf(out, "; sizes %s", group->sums.sizes);
    if (group->sums.sample)
        fprintf(out, "; one is 0x%" PRIx64, group->sums.sample);
    fputc('\n', out);
    text_frames(group, options, style, out);
    if (group->chain)
        text_chain(groups->check, group->chain, out);
}

static void write_dangling(const struct check *check, const struct dangling *dangling, size_t rank,
                           const struct report_options *options, const struct style *style,
                           FILE *out) {
    char bytes[32], blocks[32];
    fprintf(out,
            "\n%s#%zu DANGLING%s  %s in %s block%s, freed and still pointed to; one is 0x%" PRIx64
            "\n   freed by\n",
            style->bad, rank, style->plain, text_size(dangling->bytes, bytes),
            text_count(dangling->blocks, blocks), dangling->blocks == 1 ? "" : "s",
            dangling->sample);
    text_frames(&dangling->freed, options, style, out);
    fputs("   allocated by\n", out);
    text_frames(&dangling->allocated, options, style, out);
    text_chain(check, dangling->steps, out);
}

/* Returns how many were left out. */
static size_t write_danglings(const struct check *check, const struct danglings *danglings,
                              size_t *shown, const struct report_options *options,
                              const struct style *style, FILE *out) {
    size_t left_out = 0;
    for (size_t i = 0; i < danglings->count; i++) {
        const struct dangling *dangling = &danglings->list[i];
        if (dangling->bytes < options->least)
            continue;
        if (i < options->top)
            write_dangling(check, dangling, ++*shown, options, style, out);
        else
            left_out++;
    }
    return left_out;
}

static void write_quarantine(const struct check *check, const struct danglings *danglings,
                             FILE *out) {
    char held[32], held_blocks[32], bytes[32], blocks[32];
    fprintf(out,
            "  freed and still pointed to: %s in %s block%s; held back in quarantine: %s in %s "
            "block%s\n",
            text_size(danglings->bytes, bytes), text_count(danglings->blocks, blocks),
            danglings->blocks == 1 ? "" : "s", text_size(check->quarantine_bytes, held),
            text_count(check->quarantine_blocks, held_blocks),
            check->quarantine_blocks == 1 ? "" : "s");
}

static bool is_wanted(const struct group *group, const struct report_options *options) {
    return (group->kind != GROUP_LIVE || options->what == REPORT_LIVE) && !group->suppressed_by &&
           group_bytes(group) >= options->least;
}

/* What cannot be named is a warning, and these come first. */
static void visit_names(const struct groups *groups, const struct report_options *options) {
    size_t shown = 0;
    for (size_t i = 0; i < groups->count && shown < options->top; i++)
        if (is_wanted(&groups->groups[i], options)) {
            group_visit_names(&groups->groups[i], groups->check);
            shown++;
        }
}

/* Returns how many were left out. */
static size_t write_groups(const struct groups *groups, size_t *rank,
                           const struct report_options *options, const struct style *style,
                           FILE *out) {
    size_t shown = 0, left_out = 0;
    for (size_t i = 0; i < groups->count; i++) {
        struct group *group = &groups->groups[i];
        if (!is_wanted(group, options))
            continue;
        if (shown++ >= options->top) {
            left_out++;
            continue;
        }
        group_name_frames(group, groups->check);
        write_group(groups, group, ++*rank, options, style, out);
        group_forget_frames(group);
    }
    return left_out;
}

void render_text(const struct groups *groups, const struct report_options *options, FILE *out) {
    struct style style = text_style(options);
    const struct check *check = groups->check;
    size_t rank = 0;
    if (options->suggest) {
        suppressions_suggest(groups, out);
        return;
    }
    if (check->has_trial) {
        render_trial(groups, options, out);
        return;
    }
    struct danglings *danglings = danglings_make(check, check->dangling, check->dangling_count);
    write_head(groups, &style, out);
    write_totals(groups, &style, out);
    if (check->has_quarantine)
        write_quarantine(check, danglings, out);
    visit_names(groups, options);
    text_warnings(groups, out);
    size_t left_out = write_danglings(check, danglings, &rank, options, &style, out) +
                      write_groups(groups, &rank, options, &style, out);
    if (left_out)
        fprintf(out, "\n%zu more group%s: --top=%zu\n", left_out, left_out == 1 ? "" : "s",
                options->top + left_out);
    danglings_free(danglings);
}
