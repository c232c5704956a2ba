/* Which checks there are, and reporting them; see report.h. */
#include "report/report.h"

#include "program.h"
#include "report/baseline.h"
#include "report/groups.h"
#include "report/output.h"
#include "report/render.h"
#include "report/suppressions.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The checks of one process that are on file, by number. */
struct series {
    int process;
    unsigned *numbers;
    size_t count;
};

struct run {
    const struct report_options *options;
    const char *directory;
    struct report_result *result;
    struct series *series;
    size_t series_count;
};

static void add_number(struct run *run, int process, unsigned number) {
    struct series *series = NULL;
    for (size_t i = 0; i < run->series_count; i++)
        if (run->series[i].process == process)
            series = &run->series[i];
    if (series == NULL) {
        run->series = realloc(run->series, (run->series_count + 1) * sizeof *series);
        if (run->series == NULL)
            abort();
        series = &run->series[run->series_count++];
        *series = (struct series){.process = process};
    }
    series->numbers = realloc(series->numbers, (series->count + 1) * sizeof number);
    if (series->numbers == NULL)
        abort();
    series->numbers[series->count++] = number;
}

static int by_value(const void *one, const void *two) {
    unsigned first = *(const unsigned *)one, second = *(const unsigned *)two;
    return (first > second) - (first < second);
}

static int by_process(const void *one, const void *two) {
    return ((const struct series *)one)->process - ((const struct series *)two)->process;
}

static bool list_checks(struct run *run) {
    DIR *directory = opendir(run->directory);
    if (directory == NULL) {
        fprintf(stderr, "tithe: %s: %s\n", run->directory, strerror(errno));
        return false;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        int process, used = 0;
        unsigned number;
        if (sscanf(entry->d_name, "%d.%u.check%n", &process, &number, &used) == 2 && used > 0 &&
            entry->d_name[used] == 0)
            add_number(run, process, number);
    }
    closedir(directory);
    for (size_t i = 0; i < run->series_count; i++)
        qsort(run->series[i].numbers, run->series[i].count, sizeof(unsigned), by_value);
    if (run->series_count > 0)
        qsort(run->series, run->series_count, sizeof *run->series, by_process);
    return true;
}

static struct check *read_check(const struct run *run, int process, unsigned number) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%d.%u.check", run->directory, process, number);
    return check_read(path);
}

/* The position of the check that is to be reported; count when there is none. */
static size_t choose(const struct series *series, unsigned wanted) {
    if (wanted == 0)
        return series->count - 1;
    size_t at = 0;
    while (at < series->count && series->numbers[at] != wanted)
        at++;
    return at;
}

static void add_unused(const char *name, void *context) {
    struct groups *groups = context;
    groups->unused = realloc(groups->unused, (groups->unused_count + 1) * sizeof *groups->unused);
    if (groups->unused == NULL)
        abort();
    groups->unused[groups->unused_count++] = strdup(name);
}

/* The user's come first, so that those which the program brings do not make his unused. */
static void suppress(const struct run *run, const struct check *check, struct groups *groups) {
    struct suppressions *given = suppressions_make(), *brought = suppressions_make();
    for (size_t i = 0; i < run->options->suppression_count; i++)
        suppressions_read(given, run->options->suppressions[i]);
    for (size_t i = 0; i < check->suppression_count; i++)
        suppressions_add(brought, check->suppressions[i]);
    suppressions_apply(given, groups);
    suppressions_apply(brought, groups);
    suppressions_each_unused(given, add_unused, groups);
    baseline_apply(groups);
    for (size_t i = 0; i < groups->count; i++)
        if (groups->groups[i].suppressed_by)
            groups->groups[i].suppressed_by = strdup(groups->groups[i].suppressed_by);
    suppressions_free(given);
    suppressions_free(brought);
}

static void count(const struct run *run, const struct groups *groups,
                  struct report_result *result) {
    const struct check *check = groups->check;
    if (check->has_trial) {
        result->blocks += check->trial.returned_blocks;
        result->bytes += check->trial.returned_bytes;
        result->checks++;
        return;
    }
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *group = &groups->groups[i];
        if (group->kind != GROUP_LOST)
            continue;
        if (group->suppressed_by || group_bytes(group) < run->options->least) {
            result->suppressed_groups++;
            result->suppressed_bytes += group_bytes(group);
        } else {
            result->groups++;
            result->blocks += group_blocks(group);
            result->bytes += group_bytes(group);
        }
    }
    result->checks++;
}

static bool render(const struct run *run, const struct groups *groups) {
    FILE *out = output_open(run->options, groups->check);
    if (out == NULL)
        return false;
    switch (run->options->format) {
    case REPORT_JSON:
        render_json(groups, run->options, out);
        break;
    case REPORT_FOLDED:
        render_folded(groups, run->options, out);
        break;
    case REPORT_PPROF:
        render_pprof(groups, run->options, out);
        break;
    default:
        render_text(groups, run->options, out);
    }
    return true;
}

static struct groups *make_groups(const struct run *run, const struct series *series, size_t at) {
    size_t before = run->options->since ? choose(series, run->options->since) : at - 1;
    struct check *check = read_check(run, series->process, series->numbers[at]);
    struct check *earlier =
        check && before < at ? read_check(run, series->process, series->numbers[before]) : NULL;
    if (check == NULL)
        return NULL;
    struct groups *groups = groups_make(check, earlier, run->options->growing);
    suppress(run, check, groups);
    if (earlier)
        check_free(earlier);
    return groups;
}

/* A page shows how all checks so far followed each other. */
static bool report_page(const struct run *run, const struct series *series, size_t last) {
    const struct groups **checks = calloc(last + 1, sizeof *checks);
    size_t made = 0;
    for (size_t at = 0; checks && at <= last; at++)
        if ((checks[made] = make_groups(run, series, at)))
            made++;
    if (made == 0)
        return false;
    count(run, checks[made - 1], run->result);
    FILE *out = output_open(run->options, checks[made - 1]->check);
    if (out)
        render_html(checks, made, run->options, out);
    return out != NULL;
}

static bool is_worth_telling(const struct run *run, const struct check *check) {
    return !check->has_trial || run->options->program == 0 ||
           check->process == run->options->program || check->trial.returned_blocks > 0;
}

static bool tell(const struct run *run, const struct groups *groups) {
    count(run, groups, run->result);
    return !is_worth_telling(run, groups->check) || render(run, groups);
}

/* Programs that were on trial in the process before this one took their place. */
static void report_replaced(const struct run *run, const struct series *series, size_t last) {
    for (size_t at = 0; at < last; at++) {
        struct groups *groups = make_groups(run, series, at);
        if (groups && strcmp(groups->check->trigger, "exec") == 0)
            tell(run, groups);
    }
}

static bool report_series(const struct run *run, const struct series *series) {
    size_t at = choose(series, run->options->check);
    if (at == series->count) {
        fprintf(stderr, "tithe: process %d has made no check %u\n", series->process,
                run->options->check);
        return false;
    }
    if (run->options->format == REPORT_HTML)
        return report_page(run, series, at);
    struct groups *groups = make_groups(run, series, at);
    if (groups == NULL)
        return false;
    if (groups->check->has_trial && run->options->check == 0)
        report_replaced(run, series, at);
    return tell(run, groups);
}

static bool is_reported(const struct run *run, const struct series *series) {
    return run->options->process == 0 || run->options->process == series->process;
}

/* What can be said of a process without naming anything. */
static void count_other(const struct run *run, const struct series *series) {
    struct report_others *others = &run->result->others;
    struct report_result its = {0};
    struct groups *groups = make_groups(run, series, series->count - 1);
    others->processes++;
    if (groups == NULL)
        return;
    count(run, groups, &its);
    others->losing += its.blocks > 0;
    others->blocks += its.blocks;
    others->bytes += its.bytes;
    if (its.bytes > others->most_bytes) {
        const char *name = strrchr(groups->check->program, '/');
        others->most_bytes = its.bytes;
        others->most_process = series->process;
        snprintf(others->most_program, sizeof others->most_program, "%s",
                 name ? name + 1 : groups->check->program);
    }
}

static size_t count_reported(const struct run *run) {
    size_t reported = 0;
    for (size_t i = 0; i < run->series_count; i++)
        reported += is_reported(run, &run->series[i]);
    return reported;
}

int report_directory(const struct report_options *given, const char *directory,
                     struct report_result *result) {
    struct report_options options = *given;
    struct run run = {.options = &options, .directory = directory, .result = result};
    if (!list_checks(&run))
        return 1;
    if (count_reported(&run) == 0) {
        fprintf(stderr, "tithe: there is no leak check to be reported in %s\n", directory);
        return 1;
    }
    if (!options.colour_given)
        options.colour =
            options.output == NULL && isatty(fileno(options.stream)) && getenv("NO_COLOR") == NULL;
    bool good = true;
    for (size_t i = 0; i < run.series_count; i++)
        if (is_reported(&run, &run.series[i]))
            good &= report_series(&run, &run.series[i]);
        else
            count_other(&run, &run.series[i]);
    good &= output_close(&options);
    symbols_end();
    return good ? 0 : 1;
}
