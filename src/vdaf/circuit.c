/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/type.h"

struct status circuit_range_checks(struct circuit *circuit, uint64_t chunk) {
    if (circuit->meas_len > VDAF_MEAS_LEN_MAX || chunk > VDAF_MEAS_LEN_MAX) {
        return FAIL(INVALID_ARGUMENT);
    }
    circuit->gadget = &flp_gadget_range_checks;
    circuit->chunk = chunk;
    circuit->calls = (circuit->meas_len + chunk - 1) / chunk;
    circuit->arity = 2 * chunk;
    circuit->degree = 2;
    circuit->joint_rand_len = circuit->calls;
    return OK;
}

uint64_t circuit_chunk_for(uint64_t gadget_inputs) {
    uint64_t root = 1;
    while ((root + 1) * (root + 1) <= gadget_inputs) {
        root++;
    }
    return root;
}

void circuit_set_range(struct circuit *circuit, uint64_t max) {
    circuit->bits = 64 - (unsigned)__builtin_clzll(max);
    circuit->last_weight = max - (((uint64_t)1 << (circuit->bits - 1)) - 1);
}

void circuit_encode_range(const struct circuit *circuit, uint64_t value, uint64_t meas[]) {
    const unsigned last = circuit->bits - 1;
    const uint64_t rest_max = ((uint64_t)1 << last) - 1;
    meas[last] = 1 ^ circuit_at_most(value, rest_max);
    const uint64_t rest = value - (circuit->last_weight & (0 - meas[last]));
    for (unsigned bit = 0; bit < last; bit++) {
        meas[bit] = rest >> bit & 1;
    }
}

void circuit_eval_sum(const struct flp *flp, const struct flp_eval *eval, uint64_t out[]) {
    flp->field->sum(out, eval->gadget, flp->circuit.calls, eval->stride);
}

void circuit_truncate_ranges(const struct flp *flp, const uint64_t meas[], uint64_t out[]) {
    const struct field_kernel *field = flp->field;
    for (size_t i = 0; i < flp->circuit.output_len; i++) {
        flp_decode_range(flp, field_at_const(field, meas, i * flp->circuit.bits),
                         field_at(field, out, i));
    }
}

size_t circuit_one_value(const struct circuit *circuit) {
    (void)circuit;
    return 1;
}

size_t circuit_length_values(const struct circuit *circuit) { return circuit->length; }
