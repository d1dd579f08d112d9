/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/sum_vec.h"

/* Prio3SumVec (VDAF, section 7.4.3): sums of vectors of integers in
 * [0, max_measurement]. */
extern const struct vdaf_type vdaf_type_sum_vec;
const struct vdaf_type vdaf_type_sum_vec = {
    .name = "Prio3SumVec",
    .codepoint = 0x00000003,
    .in_dap = true,
    .params = {{.name = "length", .max = VDAF_MEAS_LEN_MAX, .size = 4},
               {.name = "max_measurement", .max = UINT64_MAX, .size = 8},
               {.name = "chunk_length", .max = VDAF_MEAS_LEN_MAX, .size = 4, .optional = true}},
    .scheme = &prio3_scheme,
    .field = VDAF_FIELD128,
    .choose = sum_vec_choose,
    .configure = sum_vec_configure,
    .measurement_len = circuit_length_values,
    .check = sum_vec_check,
    .encode = sum_vec_encode,
};
