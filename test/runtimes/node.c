/* Blocks for Node: addresses as its numbers. Few words of its interface are needed. */
#include "blocks.h"

#include <stddef.h>

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_callback_info__ *napi_callback_info;
typedef napi_value napi_callback(napi_env env, napi_callback_info info);
extern int napi_create_double(napi_env env, double number, napi_value *result);
extern int napi_create_function(napi_env env, const char *name, size_t length,
                                napi_callback *function, void *data, napi_value *result);
extern int napi_set_named_property(napi_env env, napi_value object, const char *name,
                                   napi_value value);

static napi_value make(napi_env env, napi_callback_info info) {
    napi_value result;
    (void)info;
    napi_create_double(env, (double)blocks_make(), &result);
    return result;
}

static napi_value churn(napi_env env, napi_callback_info info) {
    napi_value result;
    (void)info;
    napi_create_double(env, blocks_churn(), &result);
    return result;
}

static void set(napi_env env, napi_value exports, const char *name, napi_callback *function) {
    napi_value value;
    napi_create_function(env, name, (size_t)-1, function, NULL, &value);
    napi_set_named_property(env, exports, name, value);
}

napi_value napi_register_module_v1(napi_env env, napi_value exports);

napi_value napi_register_module_v1(napi_env env, napi_value exports) {
    set(env, exports, "make", make);
    set(env, exports, "churn", churn);
    return exports;
}
