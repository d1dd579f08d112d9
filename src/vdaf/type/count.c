/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/type.h"

/* Prio3Count (VDAF, section 7.4.1): how many measurements are 1 rather than 0.
 * The circuit is m^2 - m. */
static void eval(const struct flp *flp, const struct flp_eval *in, uint64_t out[]) {
    flp->field->sub(out, in->gadget, in->meas, 1);
}

static struct status configure(const uint64_t params[], struct circuit *out) {
    (void)params;
    *out = (struct circuit){
        .meas_len = 1,
        .output_len = 1,
        .eval_len = 1,
        .eval = eval,
    };
    TRY(circuit_range_checks(out, 1));
    out->joint_rand_len = 0;
    return OK;
}

static bool check(const struct circuit *circuit, const uint64_t params[],
                  const uint64_t values[]) {
    (void)circuit, (void)params;
    return circuit_at_most(values[0], 1);
}

static void encode(const struct circuit *circuit, const uint64_t values[], uint64_t meas[]) {
    (void)circuit;
    meas[0] = values[0];
}

extern const struct vdaf_type vdaf_type_count;
const struct vdaf_type vdaf_type_count = {
    .name = "Prio3Count",
    .codepoint = 0x00000001,
    .in_dap = true,
    .scheme = &prio3_scheme,
    .field = VDAF_FIELD64,
    .configure = configure,
    .measurement_len = circuit_one_value,
    .check = check,
    .encode = encode,
};
