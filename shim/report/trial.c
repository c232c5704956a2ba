/* The report of a trial for people; see render.h. */
#include "report/dangling.h"
#include "report/render.h"
#include "report/text.h"

#include <inttypes.h>
#include <string.h>

static void write_head(const struct check *check, const struct style *style, FILE *out) {
    char uptime[32], heap[32], blocks[32];
    const char *name = check->argument_count ? check->arguments[0] : check->program;
    fprintf(out, "%sTRIAL  %s pid %d%s  (%s)  up %s  %zu cycle%s  heap %s in %s blocks\n",
            style->strong, check_base_name(name), check->process, style->plain, check->trigger,
            text_time(check->uptime, uptime), check->trial.cycles,
            check->trial.cycles == 1 ? "" : "s", text_size(check->heap_bytes, heap),
            text_count(check->heap_blocks, blocks));
}

static void write_totals(const struct check *check, const struct style *style, FILE *out) {
    const struct check_trial *trial = &check->trial;
    char bytes[32], blocks[32];
    fprintf(out, "  would have collected %s in %s block%s", text_size(trial->bytes, bytes),
            text_count(trial->blocks, blocks), trial->blocks == 1 ? "" : "s");
    if (trial->late_blocks)
        fprintf(out, ", %s in %s of these only at its end", text_size(trial->late_bytes, bytes),
                text_count(trial->late_blocks, blocks));
    if (trial->returned_blocks == 0)
        fputs("; no block came back\n", out);
    else
        fprintf(out, "\n  %s%s block%s came back, %s: to collect %s would have been wrong%s\n",
                style->bad, text_count(trial->returned_blocks, blocks),
                trial->returned_blocks == 1 ? "" : "s", text_size(trial->returned_bytes, bytes),
                trial->returned_blocks == 1 ? "it" : "them", style->plain);
}

static const char *in_words(const char *how) {
    static const char *const words[][2] = {
        {"freed", "and then freed by the program"},
        {"resized", "and then resized by the program"},
        {"asked", "and then the program asked for its size"},
        {"written", "and its contents have changed since"},
        {"held", "and then found again"},
        {"with", "and then found again, only through another block that came back"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(how, words[i][0]) == 0)
            return words[i][1];
    return how;
}

static void write_returned(const struct check *check, const struct dangling *returned, size_t rank,
                           const struct report_options *options, const struct style *style,
                           FILE *out) {
    char bytes[32], blocks[32];
    fprintf(out, "\n%s#%zu CAME BACK%s  %s in %s block%s, found dead %s; one is 0x%" PRIx64 "\n",
            style->bad, rank, style->plain, text_size(returned->bytes, bytes),
            text_count(returned->blocks, blocks), returned->blocks == 1 ? "" : "s",
            in_words(returned->how), returned->sample);
    if (returned->freed.frame_count > 0) {
        fputs("   by\n", out);
        text_frames(&returned->freed, options, style, out);
    }
    fputs("   allocated by\n", out);
    text_frames(&returned->allocated, options, style, out);
    text_chain(check, returned->steps, out);
}

static void write_dead(const struct group *group, size_t rank, const struct report_options *options,
                       const struct style *style, FILE *out) {
    char bytes[32], blocks[32];
    fprintf(out, "\n%s#%zu DEAD%s  %s in %s block%s  id %08x\n   allocated by\n", style->strong,
            rank, style->plain, text_size(group->sums.bytes, bytes),
            text_count(group->sums.blocks, blocks), group->sums.blocks == 1 ? "" : "s", group->id);
    text_frames(group, options, style, out);
}

void render_trial(const struct groups *groups, const struct report_options *options, FILE *out) {
    struct style style = text_style(options);
    const struct check *check = groups->check;
    struct danglings *returned = danglings_make(check, check->returned, check->returned_count);
    size_t rank = 0, left_out = 0, dead = 0;
    write_head(check, &style, out);
    write_totals(check, &style, out);
    text_warnings(groups, out);
    for (size_t i = 0; i < returned->count; i++)
        if (i < options->top)
            write_returned(check, &returned->list[i], ++rank, options, &style, out);
        else
            left_out++;
    for (size_t i = 0; i < groups->count; i++) {
        struct group *group = &groups->groups[i];
        if (group->kind != GROUP_LOST || group->suppressed_by ||
            group_bytes(group) < options->least)
            continue;
        if (dead++ >= options->top) {
            left_out++;
            continue;
        }
        group_name_frames(group, check);
        write_dead(group, ++rank, options, &style, out);
    }
    if (left_out)
        fprintf(out, "\n%zu more group%s: --top=%zu\n", left_out, left_out == 1 ? "" : "s",
                options->top + left_out);
    danglings_free(returned);
}
