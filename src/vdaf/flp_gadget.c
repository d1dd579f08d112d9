/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vdaf/flp.h"

static void copy(const struct field_kernel *field, uint64_t to[], const uint64_t from[]) {
    memcpy(to, from, field->words * sizeof(*to));
}

static void clear(const struct field_kernel *field, uint64_t vector[], size_t n) {
    memset(vector, 0, n * field->words * sizeof(*vector));
}

/*
 * Range checks.
 */

static void range_query(const struct flp *flp, struct flp_work *work, const struct flp_eval *eval,
                        const uint64_t rand[], const uint64_t seeds[], uint64_t wires[]) {
    const struct field_kernel *field = flp->field;
    const size_t calls = flp->circuit.calls;
    if (rand == NULL) {
        field->splat(work->offset, 0);
    } else {
        /* The weights of all calls, elements past the measurement's end too. */
        field->sum(work->offset, field_at(field, work->weights, 1), calls, 1);
        field->mul(work->offset, work->offset, eval->inv_shares, 1);
    }
    const struct field_wires in = {
        .weights = work->weights,
        .rand = rand,
        .seeds = seeds,
        .meas = eval->meas,
        .offset = work->offset,
        .calls = calls,
        .chunk = flp->circuit.chunk,
    };
    field->wires(wires, &in);
}

static void range_eval(const struct flp *flp, struct flp_work *work, const uint64_t wires[],
                       uint64_t out[]) {
    const struct field_kernel *field = flp->field;
    (void)work;
    field->dot(out, wires, 2, field_at_const(field, wires, 1), 2, flp->circuit.chunk);
    field->to_factor(out, out, 1); /* what the product of plain elements lacks */
}

/* The values of wires 2j and 2j + 1 at all calls. work->powers holds
 * rand^(j+1) and is made ready for the next pair. */
static void fill_wires(const struct flp *flp, struct flp_work *work, const struct flp_eval *eval,
                       const uint64_t rand[], const uint64_t seeds[], size_t j) {
    const struct field_kernel *field = flp->field;
    const size_t calls = flp->circuit.calls;
    uint64_t *even = work->wire[0], *odd = work->wire[1];
    clear(field, even, flp->wire_len);
    clear(field, odd, flp->wire_len);
    copy(field, even, field_at_const(field, seeds, 2 * j));
    copy(field, odd, field_at_const(field, seeds, 2 * j + 1));
    for (size_t k = 0; k < calls; k++) {
        const uint64_t *m = field_at_const(field, eval->meas, k * flp->circuit.chunk + j);
        copy(field, field_at(field, even, k + 1), m);
        copy(field, field_at(field, odd, k + 1), m);
        if (rand != NULL) {
            field->sub(field_at(field, odd, k + 1), m, eval->inv_shares, 1);
        }
    }
    if (rand != NULL) {
        uint64_t *first = field_at(field, even, 1);
        field->mul(first, first, work->powers, calls);
        field->mul(work->powers, work->powers, rand, calls);
    }
}

static void range_prove(const struct flp *flp, struct flp_work *work, const struct flp_eval *eval,
                        const uint64_t rand[], const uint64_t seeds[]) {
    const struct field_kernel *field = flp->field;
    const size_t p = flp->wire_len;
    if (rand != NULL) {
        memcpy(work->powers, rand, flp->circuit.calls * field->words * sizeof(*rand));
    }
    clear(field, work->even_sums, p);
    clear(field, work->odd_sums, p);
    for (size_t j = 0; j < flp->circuit.chunk; j++) {
        fill_wires(flp, work, eval, rand, seeds, j);
        field->mul_add(work->even_sums, work->wire[0], work->wire[1], p);
        field->shift(work->wire[0], flp->roots, 2, flp->twist, p);
        field->shift(work->wire[1], flp->roots, 2, flp->twist, p);
        field->mul_add(work->odd_sums, work->wire[0], work->wire[1], p);
    }
    field->to_factor(work->even_sums, work->even_sums, p);
    field->to_factor(work->odd_sums, work->odd_sums, p);
}

const struct flp_gadget flp_gadget_range_checks = {range_query, range_eval, range_prove};

/*
 * Polynomials.
 */

static void splat_coefficient(const struct field_kernel *field, uint64_t out[], int coefficient) {
    field->splat(out, coefficient < 0 ? field->modulus - (unsigned)-coefficient
                                      : (field_value)(unsigned)coefficient);
}

/* Horner's rule on n values at once. */
static void eval_polynomial(const struct flp *flp, struct flp_work *work, const uint64_t in[],
                            uint64_t out[], size_t n) {
    const struct field_kernel *field = flp->field;
    const struct circuit *circuit = &flp->circuit;
    field->to_factor(work->factors, in, n);
    for (size_t i = 0; i < n; i++) {
        splat_coefficient(field, field_at(field, out, i), circuit->polynomial[circuit->degree]);
    }
    for (unsigned power = circuit->degree; power-- > 0;) {
        field->mul(out, out, work->factors, n);
        splat_coefficient(field, work->offset, circuit->polynomial[power]);
        for (size_t i = 0; i < n; i++) {
            field->add(field_at(field, out, i), field_at(field, out, i), work->offset, 1);
        }
    }
}

static void polynomial_query(const struct flp *flp, struct flp_work *work,
                             const struct flp_eval *eval, const uint64_t rand[],
                             const uint64_t seeds[], uint64_t wires[]) {
    const struct field_kernel *field = flp->field;
    (void)rand;
    field->dot(wires, field_at(field, work->weights, 1), 1, eval->meas, 1, flp->circuit.calls);
    field->mul_add(wires, work->weights, seeds, 1);
}

static void polynomial_eval(const struct flp *flp, struct flp_work *work, const uint64_t wires[],
                            uint64_t out[]) {
    eval_polynomial(flp, work, wires, out, 1);
}

static void polynomial_prove(const struct flp *flp, struct flp_work *work,
                             const struct flp_eval *eval, const uint64_t rand[],
                             const uint64_t seeds[]) {
    const struct field_kernel *field = flp->field;
    const size_t p = flp->wire_len, calls = flp->circuit.calls;
    uint64_t *wire = work->wire[0];
    (void)rand;
    copy(field, wire, seeds);
    memcpy(field_at(field, wire, 1), eval->meas, calls * field->words * sizeof(*wire));
    clear(field, field_at(field, wire, calls + 1), p - calls - 1);
    eval_polynomial(flp, work, wire, work->even_sums, p);
    field->shift(wire, flp->roots, 2, flp->twist, p);
    eval_polynomial(flp, work, wire, work->odd_sums, p);
}

const struct flp_gadget flp_gadget_polynomial = {polynomial_query, polynomial_eval,
                                                 polynomial_prove};
