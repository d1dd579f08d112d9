/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/sum_vec.h"

enum { LENGTH, MAX_MEASUREMENT, CHUNK_LENGTH };

void sum_vec_choose(uint64_t params[]) {
    struct circuit circuit;
    circuit_set_range(&circuit, params[MAX_MEASUREMENT]);
    if (params[CHUNK_LENGTH] == 0) {
        params[CHUNK_LENGTH] = circuit_chunk_for(params[LENGTH] * circuit.bits);
    }
}

struct status sum_vec_configure(const uint64_t params[], struct circuit *out) {
    *out = (struct circuit){
        .length = params[LENGTH],
        .output_len = params[LENGTH],
        .eval_len = 1,
        .eval = circuit_eval_sum,
    };
    circuit_set_range(out, params[MAX_MEASUREMENT]);
    out->truncate = out->bits > 1 ? circuit_truncate_ranges : NULL; /* a bit counts 1 */
    out->meas_len = out->length * out->bits;
    return circuit_range_checks(out, params[CHUNK_LENGTH]);
}

bool sum_vec_check(const struct circuit *circuit, const uint64_t params[],
                   const uint64_t values[]) {
    uint64_t valid = 1;
    for (size_t i = 0; i < circuit->length; i++) {
        valid &= circuit_at_most(values[i], params[MAX_MEASUREMENT]);
    }
    return valid;
}

void sum_vec_encode(const struct circuit *circuit, const uint64_t values[], uint64_t meas[]) {
    for (size_t i = 0; i < circuit->length; i++) {
        circuit_encode_range(circuit, values[i], meas + i * circuit->bits);
    }
}
