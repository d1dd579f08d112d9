/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vdaf/type.h"

/* Prio3Sum (VDAF, section 7.4.2): the sum of integers in [0, max_measurement].
 * The circuit is m^2 - m for each of the elements that stand for the integer. */
static void eval(const struct flp *flp, const struct flp_eval *in, uint64_t out[]) {
    const struct field_kernel *field = flp->field;
    for (size_t i = 0; i < flp->circuit.calls; i++) {
        memcpy(field_at(field, out, i), field_at_const(field, in->gadget, i * in->stride),
               field->words * sizeof(*out));
    }
}

static struct status configure(const uint64_t params[], struct circuit *out) {
    *out = (struct circuit){
        .gadget = &flp_gadget_polynomial,
        .arity = 1,
        .degree = 2,
        .polynomial = {0, -1, 1},
        .output_len = 1,
        .eval = eval,
    };
    circuit_set_range(out, params[0]);
    out->truncate = out->bits > 1 ? circuit_truncate_ranges : NULL; /* a bit counts 1 */
    out->calls = out->meas_len = out->eval_len = out->bits;
    return OK;
}

static bool check(const struct circuit *circuit, const uint64_t params[],
                  const uint64_t values[]) {
    (void)circuit;
    return circuit_at_most(values[0], params[0]);
}

static void encode(const struct circuit *circuit, const uint64_t values[], uint64_t meas[]) {
    circuit_encode_range(circuit, values[0], meas);
}

extern const struct vdaf_type vdaf_type_sum;
const struct vdaf_type vdaf_type_sum = {
    .name = "Prio3Sum",
    .codepoint = 0x00000002,
    .in_dap = true,
    .params = {{.name = "max_measurement", .max = INT64_MAX, .size = 8}},
    .scheme = &prio3_scheme,
    .field = VDAF_FIELD64,
    .configure = configure,
    .measurement_len = circuit_one_value,
    .check = check,
    .encode = encode,
};
