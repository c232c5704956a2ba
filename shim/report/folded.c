/* Folded stacks, as flame graph tools read them; see render.h. */
#include "report/render.h"

#include <inttypes.h>
#include <string.h>

/* Semicolons and line ends separate. */
static void write_name(const char *name, FILE *out) {
    for (; *name; name++)
        fputc(*name == ';' || *name == '\n' ? ',' : *name, out);
}

static void write_frame(const struct symbol_frame *frame, FILE *out) {
    if (frame->function) {
        write_name(frame->function, out);
    } else if (frame->module) {
        write_name(check_base_name(frame->module->path), out);
        fprintf(out, "+0x%" PRIx64, frame->offset);
    } else {
        fprintf(out, "0x%" PRIx64, frame->offset);
    }
}

void render_folded(const struct groups *groups, const struct report_options *options, FILE *out) {
    for (size_t i = 0; i < groups->count; i++) {
        struct group *group = &groups->groups[i];
        bool lost = group->kind == GROUP_LOST;
        if (lost != (options->what == REPORT_LOST) || group->suppressed_by ||
            group_weight(groups->check, group) == 0 || group_bytes(group) < options->least)
            continue;
        group_name_frames(group, groups->check);
        for (size_t k = group->frame_count; k-- > group->first;) {
            write_frame(&group->frames[k], out);
            fputs(k > group->first ? ";" : "", out);
        }
        if (group->frame_count == 0)
            fputs("(unknown)", out);
        fprintf(out, " %zu\n", group_weighed(groups->check, group, group_bytes(group)));
        group_forget_frames(group);
    }
}
