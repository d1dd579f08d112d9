/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/type.h"

#include <string.h>

#define VDAF_TYPE(name) extern const struct vdaf_type vdaf_type_##name;
#include "vdaf_types.def"
#undef VDAF_TYPE

static const struct vdaf_type *const types[] = {
#define VDAF_TYPE(name) &vdaf_type_##name,
#include "vdaf_types.def"
#undef VDAF_TYPE
};

enum { TYPES = sizeof(types) / sizeof(types[0]) };

const struct vdaf_type *vdaf_type_by_name(const char *name) {
    for (size_t i = 0; i < TYPES; i++) {
        if (strcmp(types[i]->name, name) == 0) {
            return types[i];
        }
    }
    return NULL;
}

const struct vdaf_type *vdaf_type_by_codepoint(uint32_t codepoint) {
    for (size_t i = 0; i < TYPES; i++) {
        if (types[i]->in_dap && types[i]->codepoint == codepoint) {
            return types[i];
        }
    }
    return NULL;
}
