/* Blocks for Emacs: addresses as its integers. */
#include "blocks.h"

#include <emacs-module.h>
#include <stddef.h>

int plugin_is_GPL_compatible;

static emacs_value make(emacs_env *emacs, ptrdiff_t count, emacs_value *arguments, void *data) {
    (void)count, (void)arguments, (void)data;
    return emacs->make_integer(emacs, (intmax_t)blocks_make());
}

static emacs_value churn(emacs_env *emacs, ptrdiff_t count, emacs_value *arguments, void *data) {
    (void)count, (void)arguments, (void)data;
    return emacs->make_integer(emacs, blocks_churn());
}

typedef emacs_value function(emacs_env *emacs, ptrdiff_t count, emacs_value *arguments, void *data);

static void set(emacs_env *emacs, const char *name, function *function) {
    emacs_value both[] = {emacs->intern(emacs, name),
                          emacs->make_function(emacs, 0, 0, function, name, NULL)};
    emacs->funcall(emacs, emacs->intern(emacs, "defalias"), 2, both);
}

int emacs_module_init(struct emacs_runtime *runtime) {
    emacs_env *emacs = runtime->get_environment(runtime);
    set(emacs, "blocks-make", make);
    set(emacs, "blocks-churn", churn);
    return 0;
}
