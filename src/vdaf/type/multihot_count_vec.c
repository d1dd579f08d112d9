/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/type.h"

/* Prio3MultihotCountVec (VDAF, section 7.4.5): for each position, how many
 * measurements have a 1 there; a measurement has at most max_weight of them,
 * and claims their number as an integer in [0, max_weight]. The circuit checks
 * that each element is 0 or 1 and that the claim is right. */
enum { LENGTH, CHUNK_LENGTH, MAX_WEIGHT };

static void choose(uint64_t params[]) {
    if (params[CHUNK_LENGTH] == 0) {
        struct circuit circuit;
        circuit_set_range(&circuit, params[MAX_WEIGHT]);
        params[CHUNK_LENGTH] = circuit_chunk_for(params[LENGTH] + circuit.bits);
    }
}

static void eval(const struct flp *flp, const struct flp_eval *in, uint64_t out[]) {
    const struct field_kernel *field = flp->field;
    const size_t length = flp->circuit.length;
    uint64_t *weight_check = field_at(field, out, 1);
    flp_decode_range(flp, field_at_const(field, in->meas, length), out);
    field->sum(weight_check, in->meas, length, 1);
    field->sub(weight_check, weight_check, out, 1);
    circuit_eval_sum(flp, in, out);
}

static struct status configure(const uint64_t params[], struct circuit *out) {
    if (params[MAX_WEIGHT] > params[LENGTH]) {
        return FAIL(INVALID_ARGUMENT);
    }
    *out = (struct circuit){
        .length = params[LENGTH],
        .output_len = params[LENGTH],
        .eval_len = 2,
        .eval = eval,
    };
    circuit_set_range(out, params[MAX_WEIGHT]);
    out->meas_len = out->length + out->bits;
    return circuit_range_checks(out, params[CHUNK_LENGTH]);
}

static bool check(const struct circuit *circuit, const uint64_t params[],
                  const uint64_t values[]) {
    uint64_t valid = 1, weight = 0;
    for (size_t i = 0; i < circuit->length; i++) {
        valid &= circuit_at_most(values[i], 1);
        weight += values[i] & 1;
    }
    return valid & circuit_at_most(weight, params[MAX_WEIGHT]);
}

static void encode(const struct circuit *circuit, const uint64_t values[], uint64_t meas[]) {
    uint64_t weight = 0;
    for (size_t i = 0; i < circuit->length; i++) {
        meas[i] = values[i];
        weight += values[i];
    }
    circuit_encode_range(circuit, weight, meas + circuit->length);
}

extern const struct vdaf_type vdaf_type_multihot_count_vec;
const struct vdaf_type vdaf_type_multihot_count_vec = {
    .name = "Prio3MultihotCountVec",
    .codepoint = 0x00000005,
    .in_dap = true,
    .params = {{.name = "length", .max = VDAF_MEAS_LEN_MAX, .size = 4},
               {.name = "chunk_length", .max = VDAF_MEAS_LEN_MAX, .size = 4, .optional = true},
               {.name = "max_weight", .max = VDAF_MEAS_LEN_MAX, .size = 8}},
    .scheme = &prio3_scheme,
    .field = VDAF_FIELD128,
    .choose = choose,
    .configure = configure,
    .measurement_len = circuit_length_values,
    .check = check,
    .encode = encode,
};
