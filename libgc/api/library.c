/* What distinguishes libgc.so.1 from the library that is preloaded; see api.h. */
#include "api/api.h"

const bool api_stands_alone = true;
