/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/type.h"

/* Prio3Histogram (VDAF, section 7.4.4): how many measurements fell into each
 * bucket. The circuit checks that each element is 0 or 1 and that they add up
 * to 1. */
enum { LENGTH, CHUNK_LENGTH };

static void choose(uint64_t params[]) {
    if (params[CHUNK_LENGTH] == 0) {
        params[CHUNK_LENGTH] = circuit_chunk_for(params[LENGTH]);
    }
}

static void eval(const struct flp *flp, const struct flp_eval *in, uint64_t out[]) {
    const struct field_kernel *field = flp->field;
    uint64_t *sum_check = field_at(field, out, 1);
    circuit_eval_sum(flp, in, out);
    field->sum(sum_check, in->meas, flp->circuit.meas_len, 1);
    field->sub(sum_check, sum_check, in->inv_shares, 1);
}

static struct status configure(const uint64_t params[], struct circuit *out) {
    *out = (struct circuit){
        .length = params[LENGTH],
        .meas_len = params[LENGTH],
        .output_len = params[LENGTH],
        .eval_len = 2,
        .eval = eval,
    };
    return circuit_range_checks(out, params[CHUNK_LENGTH]);
}

static bool check(const struct circuit *circuit, const uint64_t params[],
                  const uint64_t values[]) {
    (void)params;
    return circuit_at_most(values[0], circuit->length - 1);
}

static void encode(const struct circuit *circuit, const uint64_t values[], uint64_t meas[]) {
    for (size_t i = 0; i < circuit->length; i++) {
        const uint64_t difference = values[0] ^ i;
        meas[i] = 1 ^ ((difference | (0 - difference)) >> 63);
    }
}

extern const struct vdaf_type vdaf_type_histogram;
const struct vdaf_type vdaf_type_histogram = {
    .name = "Prio3Histogram",
    .codepoint = 0x00000004,
    .in_dap = true,
    .params = {{.name = "length", .max = VDAF_MEAS_LEN_MAX, .size = 4},
               {.name = "chunk_length", .max = VDAF_MEAS_LEN_MAX, .size = 4, .optional = true}},
    .scheme = &prio3_scheme,
    .field = VDAF_FIELD128,
    .choose = choose,
    .configure = configure,
    .measurement_len = circuit_one_value,
    .check = check,
    .encode = encode,
};
