/* SPDX-License-Identifier: Apache-2.0 */
#include "primitive/kernels.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

Test(kernels, every_lane_type_runs_or_is_skipped) {
    for (int type = 0; type < SIMD_TYPES; type++) {
        const struct kernels *kernels = kernels_of((enum simd_type)type);
        if (kernels == NULL) {
            fprintf(stderr, "%s: skipped: not in this build or not on this processor\n",
                        simd_name((enum simd_type)type));
            continue;
        }
        cr_assert_eq(kernels->type, type);
        cr_assert_eq(kernels->keccak->lanes, kernels->lanes);
        cr_assert_eq(kernels->field64->lanes, kernels->lanes);
        cr_assert_eq(kernels->field128->lanes, kernels->lanes);
        cr_assert_leq(kernels->lanes, SIMD_LANES_MAX);
    }
    cr_assert_not_null(kernels_of(SIMD_PORTABLE));
}

Test(kernels, the_environment_forces) {
    const struct kernels *kernels = NULL;
    log_configure(LOG_OFF, LOG_TEXT, 2);
    for (int type = 0; type < SIMD_TYPES; type++) {
        setenv("MOIETY_CPU", simd_name((enum simd_type)type), 1);
        const struct status status = kernels_pick(&kernels);
        if (kernels_of((enum simd_type)type) == NULL) {
            cr_assert_eq(status.code, STATUS_INVALID_CONFIG);
        } else {
            cr_assert_eq(status.code, STATUS_OK);
            cr_assert_eq(kernels->type, type);
        }
    }
    setenv("MOIETY_CPU", "pentium", 1);
    cr_assert_eq(kernels_pick(&kernels).code, STATUS_INVALID_CONFIG);
    setenv("MOIETY_CPU", "", 1);
    cr_assert_eq(kernels_pick(&kernels).code, STATUS_OK);
    unsetenv("MOIETY_CPU");
    cr_assert_eq(kernels_pick(&kernels).code, STATUS_OK);
}
