/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/sum_vec.h"

/* Prio3SumVecWithMultiproof (VDAF, section 7.1.2): Prio3SumVec in the smaller
 * field, made sound by several proofs: vdaf_new() asks for three. Its codepoint is
 * the draft's for private use, so that DAP has no place for it. */
static unsigned proofs(const uint64_t params[]) { return (unsigned)params[3]; }

extern const struct vdaf_type vdaf_type_sum_vec_with_multiproof;
const struct vdaf_type vdaf_type_sum_vec_with_multiproof = {
    .name = "Prio3SumVecWithMultiproof",
    .codepoint = 0xFFFFFFFF,
    .params = {{.name = "length", .max = VDAF_MEAS_LEN_MAX, .size = 4},
               {.name = "max_measurement", .max = INT64_MAX, .size = 8},
               {.name = "chunk_length", .max = VDAF_MEAS_LEN_MAX, .size = 4, .optional = true},
               {.name = "proofs", .max = 255, .size = 4}},
    .scheme = &prio3_scheme,
    .field = VDAF_FIELD64,
    .choose = sum_vec_choose,
    .proofs = proofs,
    .configure = sum_vec_configure,
    .measurement_len = circuit_length_values,
    .check = sum_vec_check,
    .encode = sum_vec_encode,
};
