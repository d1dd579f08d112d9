/* SPDX-License-Identifier: Apache-2.0 */
#include "higher_degree.h"

static struct status configure(const uint64_t params[], struct circuit *out) {
    (void)params;
    *out = (struct circuit){
        .gadget = &flp_gadget_polynomial,
        .calls = 1,
        .arity = 1,
        .degree = 3,
        .polynomial = {0, 2, -3, 1},
        .meas_len = 1,
        .output_len = 1,
        .eval_len = 1,
        .eval = circuit_eval_sum,
    };
    return OK;
}

static bool check(const struct circuit *circuit, const uint64_t params[],
                  const uint64_t values[]) {
    (void)circuit, (void)params;
    return circuit_at_most(values[0], 2);
}

static void encode(const struct circuit *circuit, const uint64_t values[], uint64_t meas[]) {
    (void)circuit;
    meas[0] = values[0];
}

const struct vdaf_type vdaf_type_higher_degree = {
    .name = "Prio3HigherDegree",
    .codepoint = 0xFFFFFFFF,
    .scheme = &prio3_scheme,
    .field = VDAF_FIELD64,
    .configure = configure,
    .measurement_len = circuit_one_value,
    .check = check,
    .encode = encode,
};
