/* The report for programs; see render.h and doc/leaks.schema.json. */
#include "report/chain.h"
#include "report/dangling.h"
#include "report/render.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that are no UTF-8 would make the whole no JSON: each becomes the replacement character. */
static size_t sequence_length(const unsigned char *text) {
    size_t length = text[0] < 0x80   ? 1
                    : text[0] < 0xc2 ? 0
                    : text[0] < 0xe0 ? 2
                    : text[0] < 0xf0 ? 3
                    : text[0] < 0xf5 ? 4
                                     : 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

/* "<" is written so that the text may stand in a page. */
static void write_string(const char *text, FILE *out) {
    const unsigned char *at = (const unsigned char *)(text ? text : "");
    fputc('"', out);
    while (*at) {
        size_t length = sequence_length(at);
        if (length == 0)
            fputs("\\ufffd", out), length = 1;
        else if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at < ' ' || *at == '<')
            fprintf(out, "\\u%04x", *at);
        else
            fwrite(at, 1, length, out);
        at += length;
    }
    fputc('"', out);
}

static void write_member(const char *name, const char *text, FILE *out) {
    fprintf(out, "\"%s\":", name);
    write_string(text, out);
}

static void write_strings(const char *name, char **texts, size_t count, FILE *out) {
    fprintf(out, "\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? "," : "", out);
        write_string(texts[i], out);
    }
    fputc(']', out);
}

/* "32x1,88x1000" becomes pairs; sizes that are not told apart are left out. */
static void write_sizes(const char *sizes, FILE *out) {
    const char *separator = "";
    fputs("\"sizes\":[", out);
    while (sizes && *sizes) {
        unsigned long bytes, count;
        if (sscanf(sizes, "%lux%lu", &bytes, &count) == 2) {
            fprintf(out, "%s[%lu,%lu]", separator, bytes, count);
            separator = ",";
        }
        sizes += strcspn(sizes, ",");
        sizes += *sizes == ',';
    }
    fputc(']', out);
}

static void write_frame(const struct symbol_frame *frame, FILE *out) {
    fputc('{', out);
    write_member("module", frame->module ? frame->module->path : NULL, out);
    fputc(',', out);
    write_member("build_id", frame->module ? frame->module->build_id : NULL, out);
    fprintf(out, ",\"offset\":\"0x%" PRIx64 "\"", frame->offset);
    if (frame->function) {
        fputc(',', out);
        write_member("function", frame->function, out);
    }
    if (frame->file) {
        fputc(',', out);
        write_member("file", frame->file, out);
        fprintf(out, ",\"line\":%d", frame->line);
    }
    fprintf(out, ",\"inline\":%s}", frame->inlined ? "true" : "false");
}

static void write_frames(const char *name, const struct group *group, FILE *out) {
    fprintf(out, "\"%s\":[", name);
    for (size_t i = group->called; i < group->frame_count; i++) {
        fputs(i > group->called ? "," : "", out);
        write_frame(&group->frames[i], out);
    }
    fputc(']', out);
}

struct chain_writer {
    FILE *out;
    const char *separator;
};

static void write_step(const struct chain_step *step, void *context) {
    struct chain_writer *writer = context;
    FILE *out = writer->out;
    fputs(writer->separator, out);
    writer->separator = ",";
    fputc('{', out);
    if (strcmp(step->kind, "block") == 0) {
        fprintf(out, "\"block\":\"0x%" PRIx64 "\",\"size\":%zu,", step->address, step->bytes);
        write_member("function", step->where, out);
    } else {
        write_member("root", step->kind, out);
        fprintf(out, ",\"address\":\"0x%" PRIx64 "\",", step->address);
        if (step->thread)
            fprintf(out, "\"thread\":%d,", step->thread);
        write_member("symbol", step->name, out);
        fputc(',', out);
        write_member("module", step->where, out);
    }
    fprintf(out, ",\"offset\":%" PRIu64 "}", step->offset);
}

static void write_estimate(const struct check *check, const struct group *group, FILE *out) {
    fprintf(out, "\"estimated\":{\"blocks\":%zu,\"bytes\":%zu},",
            group_weighed(check, group, group_blocks(group)),
            group_weighed(check, group, group_bytes(group)));
}

static void write_amounts(const struct check *check, const struct group *group, FILE *out) {
    fprintf(out,
            "\"direct\":{\"blocks\":%zu,\"bytes\":%zu},\"held\":{\"blocks\":%zu,\"bytes\":%zu},"
            "\"delta\":{\"blocks\":%ld,\"bytes\":%ld},",
            group->sums.blocks, group->sums.bytes, group->sums.held_blocks, group->sums.held_bytes,
            group->blocks_since, group->bytes_since);
    if (check->has_collects)
        fprintf(out, "\"collected\":{\"blocks\":%zu,\"bytes\":%zu},",
                group->sums.collected.blocks + group->sums.collected.held_blocks,
                group->sums.collected.bytes + group->sums.collected.held_bytes);
}

static void write_group(const struct groups *groups, const struct group *group, FILE *out) {
    static const char *const kinds[] = {"lost", "growing", "live"};
    struct chain_writer writer = {out, ""};
    size_t uptime = groups->check->uptime;
    fprintf(out, "{\"id\":\"%08x\",\"kind\":\"%s\",", group->id, kinds[group->kind]);
    write_amounts(groups->check, group, out);
    if (groups->check->sampled)
        write_estimate(groups->check, group, out);
    fprintf(out, "\"age_s\":[%.3f,%.3f],\"grew\":%u,\"sample\":\"0x%" PRIx64 "\",",
            (uptime - group->sums.first) / 1000.0, (uptime - group->sums.last) / 1000.0,
            group->sums.grew, group->sums.sample);
    write_sizes(group->sums.sizes, out);
    fputc(',', out);
    write_frames("frames", group, out);
    fprintf(out, ",\"own_frame\":%zu,\"held_by\":[", group->first - group->called);
    if (group->chain)
        chain_each(groups->check, group->chain, write_step, &writer);
    fputs("]}", out);
}

static void write_dangling(const struct check *check, const struct dangling *dangling, FILE *out) {
    struct chain_writer writer = {out, ""};
    fprintf(out, "{\"blocks\":%zu,\"bytes\":%zu,\"sample\":\"0x%" PRIx64 "\",", dangling->blocks,
            dangling->bytes, dangling->sample);
    write_frames("allocated", &dangling->allocated, out);
    fputc(',', out);
    if (*dangling->how) {
        write_member("how", dangling->how, out);
        fputc(',', out);
    }
    write_frames(*dangling->how ? "used" : "freed", &dangling->freed, out);
    fputs(",\"held_by\":[", out);
    chain_each(check, dangling->steps, write_step, &writer);
    fputs("]}", out);
}

/* Only where freed blocks are in quarantine. */
static void write_danglings(const struct check *check, FILE *out) {
    if (!check->has_quarantine)
        return;
    struct danglings *danglings = danglings_make(check, check->dangling, check->dangling_count);
    fprintf(out, "\"quarantine\":{\"blocks\":%zu,\"bytes\":%zu},\"dangling\":[",
            check->quarantine_blocks, check->quarantine_bytes);
    for (size_t i = 0; i < danglings->count; i++) {
        fputs(i ? ",\n" : "", out);
        write_dangling(check, &danglings->list[i], out);
    }
    fputs("],", out);
    danglings_free(danglings);
}

/* Only of a trial. */
static void write_trial(const struct check *check, FILE *out) {
    const struct check_trial *trial = &check->trial;
    if (!check->has_trial)
        return;
    struct danglings *returned = danglings_make(check, check->returned, check->returned_count);
    fprintf(out,
            "\"trial\":{\"cycles\":%zu,\"dead\":{\"blocks\":%zu,\"bytes\":%zu},"
            "\"late\":{\"blocks\":%zu,\"bytes\":%zu},\"returned\":{\"blocks\":%zu,"
            "\"bytes\":%zu}},\"returned\":[",
            trial->cycles, trial->blocks, trial->bytes, trial->late_blocks, trial->late_bytes,
            trial->returned_blocks, trial->returned_bytes);
    for (size_t i = 0; i < returned->count; i++) {
        fputs(i ? ",\n" : "", out);
        write_dangling(check, &returned->list[i], out);
    }
    fputs("],", out);
    danglings_free(returned);
}

static void write_suppressed(const struct groups *groups, FILE *out) {
    const char *separator = "";
    fputs("\"suppressed\":[", out);
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *group = &groups->groups[i];
        if (!group->suppressed_by || group->kind != GROUP_LOST)
            continue;
        fprintf(out, "%s{\"id\":\"%08x\",\"blocks\":%zu,\"bytes\":%zu,", separator, group->id,
                group_blocks(group), group_bytes(group));
        write_member("by", group->suppressed_by, out);
        fputc('}', out);
        separator = ",";
    }
    fputs("],", out);
}

struct lost {
    size_t direct_blocks, direct_bytes, held_blocks, held_bytes, collected_blocks, collected_bytes;
};

static struct lost lost_of(const struct groups *groups) {
    struct lost lost = {0};
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *group = &groups->groups[i];
        if (group->kind != GROUP_LOST || group->suppressed_by)
            continue;
        lost.direct_blocks += group->sums.blocks;
        lost.direct_bytes += group->sums.bytes;
        lost.held_blocks += group->sums.held_blocks;
        lost.held_bytes += group->sums.held_bytes;
        lost.collected_blocks += group->sums.collected.blocks + group->sums.collected.held_blocks;
        lost.collected_bytes += group->sums.collected.bytes + group->sums.collected.held_bytes;
    }
    return lost;
}

static void write_head(const struct groups *groups, FILE *out) {
    const struct check *check = groups->check;
    struct lost lost = lost_of(groups);
    fputs("{\"schema\":1,", out);
    write_member("program", check->program, out);
    fputc(',', out);
    write_strings("arguments", check->arguments, check->argument_count, out);
    fprintf(out, ",\"pid\":%d,\"check\":%u,", check->process, check->number);
    write_member("trigger", check->trigger, out);
    fprintf(out,
            ",\"time_ms\":%" PRId64 ",\"uptime_ms\":%zu,\"paused_ns\":%zu,\"took_ns\":%zu,"
            "\"sampled\":%zu,\"heap\":{\"blocks\":%zu,\"bytes\":%zu},",
            check->time, check->uptime, check->paused, check->took, check->sampled,
            check->heap_blocks, check->heap_bytes);
    fprintf(out,
            "\"leaked_blocks\":%zu,\"leaked_bytes\":%zu,\"lost\":{\"direct_blocks\":%zu,"
            "\"direct_bytes\":%zu,\"held_blocks\":%zu,\"held_bytes\":%zu},",
            lost.direct_blocks + lost.held_blocks, lost.direct_bytes + lost.held_bytes,
            lost.direct_blocks, lost.direct_bytes, lost.held_blocks, lost.held_bytes);
    if (check->has_collects)
        fprintf(out,
                "\"collects\":%s,\"collecting_checks\":%u,\"collected\":{\"blocks\":%zu,"
                "\"bytes\":%zu},",
                check->collects ? "true" : "false", check->collecting_checks, lost.collected_blocks,
                lost.collected_bytes);
}

struct warning_writer {
    FILE *out;
    const char *separator;
};

static void write_warning(const char *text, void *context) {
    struct warning_writer *writer = context;
    fputs(writer->separator, writer->out);
    write_string(text, writer->out);
    writer->separator = ",";
}

static void write_warnings(const struct check *check, FILE *out) {
    struct warning_writer writer = {out, ""};
    fputs("\"warnings\":[", out);
    for (size_t i = 0; i < check->warning_count; i++)
        write_warning(check->warnings[i], &writer);
    symbols_each_warning(write_warning, &writer);
    fputs("],", out);
}

static bool is_told(const struct group *group, const struct report_options *options) {
    return !group->suppressed_by && group_bytes(group) >= options->least;
}

void render_json(const struct groups *groups, const struct report_options *options, FILE *out) {
    const char *separator = "";
    write_head(groups, out);
    for (size_t i = 0; i < groups->count; i++)
        if (is_told(&groups->groups[i], options)) /* what cannot be named is a warning */
            group_visit_names(&groups->groups[i], groups->check);
    write_warnings(groups->check, out);
    write_suppressed(groups, out);
    write_strings("unused_suppressions", groups->unused, groups->unused_count, out);
    fputc(',', out);
    write_danglings(groups->check, out);
    write_trial(groups->check, out);
    fputs("\"groups\":[", out);
    for (size_t i = 0; i < groups->count; i++) {
        struct group *group = &groups->groups[i];
        if (!is_told(group, options))
            continue;
        fputs(separator, out);
        group_name_frames(group, groups->check);
        write_group(groups, group, out);
        group_forget_frames(group);
        separator = ",\n";
    }
    fputs("]}\n", out);
}
