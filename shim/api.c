/* libgc's interface in the preloaded library; see libgc/api/api.h. */
#include "api/api.h"

const bool api_stands_alone = false;
