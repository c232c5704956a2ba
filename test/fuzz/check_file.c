/* Fuzzing of check files (doc/leak-checks.md): what is read is grouped, compared with itself, and
 * reported in each form that needs no file of its own. */
#include "contents.h"

#include "report/check_file.h"
#include "report/render.h"
#include "report/suppressions.h"

static void render(const struct check *check, const struct groups *groups) {
    struct report_options options;
    FILE *out = fopen("/dev/null", "w");
    if (out == NULL)
        abort();
    options = (struct report_options){
        .stream = out, .top = 10, .frames = 24, .growing = 2, .suggest = check->process % 2};
    render_text(groups, &options, out);
    render_json(groups, &options, out);
    render_folded(groups, &options, out);
    options.what = REPORT_LIVE;
    render_pprof(groups, &options, out);
    fclose(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    struct contents file = contents_make(data, bytes);
    struct check *check = check_read(file.path), *again = check ? check_read(file.path) : NULL;
    contents_end(file);
    if (check == NULL)
        return 0;
    struct groups *groups = groups_make(check, again, 2);
    struct suppressions *suppressions = suppressions_make();
    for (size_t i = 0; i < check->suppression_count; i++)
        suppressions_add(suppressions, check->suppressions[i]);
    suppressions_apply(suppressions, groups);
    render(check, groups);
    groups_free(groups);
    suppressions_free(suppressions);
    check_free(check);
    check_free(again);
    return 0;
}
