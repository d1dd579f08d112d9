/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/flp.h"

#include <assert.h>
#include <string.h>

static uint64_t *vector(struct arena *arena, const struct flp *flp, size_t n) {
    return arena_alloc(arena, n * flp->field->words, sizeof(uint64_t));
}

static uint64_t *constants(struct arena *arena, const struct flp *flp, size_t n) {
    return arena_alloc(arena, n * flp->field->limbs, sizeof(uint64_t));
}

static size_t next_power_of_2(size_t n) {
    size_t power = 1;
    while (power < n) {
        power *= 2;
    }
    return power;
}

static size_t reverse_bits(size_t i, size_t n) {
    size_t reversed = 0;
    for (size_t bit = 1; bit < n; bit *= 2, i /= 2) {
        reversed = reversed * 2 + (i & 1);
    }
    return reversed;
}

static void init_roots(struct flp *flp) {
    const struct field_kernel *field = flp->field;
    const size_t p = flp->wire_len;
    const unsigned log2 = (unsigned)__builtin_ctzll(2 * p);
    const field_value root = field_root_vartime(field, log2);
    const field_value inv_p = field_inv_vartime(field, p);
    field_value power = 1;
    for (size_t i = 0; i < 2 * p; i++) {
        field->constant(flp->roots + i * field->limbs, power);
        if (i < p) {
            field->constant(flp->twist + reverse_bits(i, p) * field->limbs,
                            field_mul_vartime(field, power, inv_p));
        }
        power = field_mul_vartime(field, power, root);
    }
    /* The top coefficient, the sum of value i times root^i, is zero: the last
     * value, at the inverse of the root, is the rest's sum times -root. */
    for (size_t i = 0; i < 2 * p - 1; i++) {
        memcpy(flp->last + i * field->limbs, flp->roots + (i + 1 + p) % (2 * p) * field->limbs,
               field->limbs * sizeof(*flp->last));
    }
    const field_value half = field_inv_vartime(field, 2);
    field->constant(flp->halves, half);
    field->constant(flp->halves + field->limbs, field_mul_vartime(field, half, root));
    field->constant(flp->scale, inv_p);
    field->constant(flp->scale + field->limbs, field_mul_vartime(field, inv_p, half));
}

static void init_lengths(struct flp *flp) {
    const struct circuit *circuit = &flp->circuit;
    flp->wire_len = next_power_of_2(1 + circuit->calls);
    flp->poly_len = circuit->degree * (flp->wire_len - 1) + 1;
    /* So that at most one value of the gadget polynomial is left out. */
    assert(flp->poly_len == 2 * flp->wire_len || flp->poly_len == 2 * flp->wire_len - 1);
    flp->prove_rand_len = circuit->arity;
    flp->query_rand_len = 1 + (circuit->eval_len > 1 ? circuit->eval_len : 0);
    flp->proof_len = circuit->arity + flp->poly_len;
    flp->verifier_len = 2 + circuit->arity;
    flp->single = circuit->gadget == &flp_gadget_range_checks && circuit->calls == 1 &&
                  circuit->chunk == 1 && circuit->joint_rand_len == 0 && circuit->eval_len == 1;
}

struct status flp_init(struct flp *flp, const struct circuit *circuit,
                       const struct field_kernel *field, unsigned shares, struct arena *arena) {
    *flp = (struct flp){.circuit = *circuit, .field = field};
    init_lengths(flp);
    flp->inv_shares = field_inv_vartime(field, shares);
    flp->roots = constants(arena, flp, 2 * flp->wire_len);
    flp->twist = constants(arena, flp, flp->wire_len);
    flp->last = constants(arena, flp, 2 * flp->wire_len - 1);
    flp->range_weights = constants(arena, flp, circuit->bits);
    if (flp->roots == NULL || flp->twist == NULL || flp->last == NULL || flp->range_weights == NULL) {
        return FAIL(NO_MEMORY);
    }
    init_roots(flp);
    for (unsigned bit = 0; bit < circuit->bits; bit++) {
        field->constant(flp->range_weights + bit * field->limbs,
                        bit + 1 < circuit->bits ? (field_value)1 << bit : circuit->last_weight);
    }
    return OK;
}

size_t flp_meas_room(const struct flp *flp) {
    const size_t chunks = flp->circuit.calls * flp->circuit.chunk;
    return chunks > flp->circuit.meas_len ? chunks : flp->circuit.meas_len;
}

size_t flp_output_room(const struct flp *flp) {
    return flp->circuit.truncate == NULL ? flp_meas_room(flp) : flp->circuit.output_len;
}

struct status flp_work_init(struct flp_work *work, const struct flp *flp, struct arena *arena) {
    const size_t p = flp->wire_len, outputs = flp->circuit.eval_len + 1;
    const struct {
        uint64_t **vector;
        size_t len;
    } wanted[] = {
        {&work->weights, p},
        {&work->odd_weights, p},
        {&work->even_sums, p},
        {&work->odd_sums, p},
        {&work->wire[0], p},
        {&work->wire[1], p},
        {&work->powers, flp->circuit.calls},
        {&work->outputs, outputs},
        {&work->factors, outputs > 2 * p ? outputs : 2 * p},
        {&work->t, 1},
        {&work->t_power, 1},
        {&work->scalar, 1},
        {&work->offset, 1},
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        *wanted[i].vector = vector(arena, flp, wanted[i].len);
        if (*wanted[i].vector == NULL) {
            return FAIL(NO_MEMORY);
        }
    }
    return OK;
}

void flp_decode_range(const struct flp *flp, const uint64_t meas[], uint64_t out[]) {
    flp->field->dot_constants(out, flp->range_weights, meas, flp->circuit.bits);
}

/* The circuit's output, outputs being reduced to one at random. Leaves the
 * test point, as a factor, in work->t. */
static void reduce_outputs(const struct flp *flp, struct flp_work *work,
                           const struct flp_eval *eval, const uint64_t query_rand[],
                           uint64_t out[]) {
    const struct field_kernel *field = flp->field;
    const size_t n = flp->circuit.eval_len;
    field->to_factor(work->factors, query_rand, flp->query_rand_len);
    memcpy(work->t, field_at(field, work->factors, flp->query_rand_len - 1),
           field->words * sizeof(*work->t));
    if (n == 1) {
        flp->circuit.eval(flp, eval, out);
        return;
    }
    flp->circuit.eval(flp, eval, work->outputs);
    field->dot(out, work->factors, 1, work->outputs, 1, n);
}

/* The lanes where t is a root of unity: there the query would reveal an input. */
static lane_mask check_test_point(const struct flp *flp, struct flp_work *work) {
    const struct field_kernel *field = flp->field;
    field->splat(work->scalar, 1);
    field->to_factor(work->scalar, work->scalar, 1);
    const lane_mask all = ((lane_mask)1 << field->lanes) - 1;
    return all & ~field->differ(work->t_power, work->scalar);
}

/* The sum over the odd 2p-th roots of unity. The last value is left out of a
 * proof where the degree fixes it. */
static void odd_part(const struct flp *flp, struct flp_work *work, const uint64_t poly[],
                     uint64_t out[]) {
    const struct field_kernel *field = flp->field;
    const size_t p = flp->wire_len;
    const uint64_t *odd = field_at_const(field, poly, 1);
    if (flp->poly_len == 2 * p) {
        field->dot(out, work->odd_weights, 1, odd, 2, p);
        return;
    }
    field->dot(out, work->odd_weights, 1, odd, 2, p - 1);
    field->dot_constants(work->scalar, flp->last, poly, flp->poly_len);
    field->mul_add(out, field_at(field, work->odd_weights, p - 1), work->scalar, 1);
}

/*
 * The gadget polynomial at t, from its values at the powers of w, a 2p-th root
 * of unity. With L the Lagrange basis over the p-th roots, that over the 2p-th
 * ones is (1 + t^p) / 2 L_i(t) at w^(2i), (1 - t^p) / 2 L_i(t / w) at w^(2i+1).
 * So it is a + b + t^p (a - b), each half of a sum with weights L.
 */
static void eval_gadget_poly(const struct flp *flp, struct flp_work *work, const uint64_t poly[],
                             uint64_t out[]) {
    const struct field_kernel *field = flp->field;
    uint64_t *a = work->factors, *b = field_at(field, work->factors, 1);
    odd_part(flp, work, poly, b);
    field->dot(a, work->weights, 1, poly, 2, flp->wire_len);
    field->scale_constant(a, a, flp->halves, 1);
    field->add(out, a, b, 1);
    field->sub(a, a, b, 1);
    field->mul_add(out, work->t_power, a, 1);
}

lane_mask flp_query(const struct flp *flp, struct flp_work *work, const uint64_t meas[],
                    const uint64_t proof[], const uint64_t query_rand[],
                    const uint64_t joint_rand[], uint64_t verifier[]) {
    const struct field_kernel *field = flp->field;
    const size_t arity = flp->circuit.arity;
    const uint64_t *poly = field_at_const(field, proof, arity);
    uint64_t *wires = field_at(field, verifier, 1);
    _Alignas(64) uint64_t inv_shares[FIELD_LIMBS_MAX * SIMD_LANES_MAX];
    field->splat(inv_shares, flp->inv_shares);
    const struct flp_eval eval = {meas, field_at_const(field, poly, 2), 2, inv_shares};
    if (flp->single) {
        flp->circuit.eval(flp, &eval, verifier);
        return field->query_single(wires, meas, proof, query_rand, flp->halves);
    }
    reduce_outputs(flp, work, &eval, query_rand, verifier);
    field->lagrange(work->weights, work->odd_weights, work->t_power, work->t, flp->scale,
                    flp->roots, flp->wire_len);
    const lane_mask bad = check_test_point(flp, work);
    flp->circuit.gadget->query(flp, work, &eval, joint_rand, proof, wires);
    eval_gadget_poly(flp, work, poly, field_at(field, wires, arity));
    return bad;
}

void flp_prove(const struct flp *flp, struct flp_work *work, const uint64_t meas[],
               const uint64_t prove_rand[], const uint64_t joint_rand[], uint64_t proof[]) {
    const struct field_kernel *field = flp->field;
    const size_t arity = flp->circuit.arity;
    _Alignas(64) uint64_t one[FIELD_LIMBS_MAX * SIMD_LANES_MAX];
    field->splat(one, 1);
    const struct flp_eval eval = {meas, NULL, 0, one};
    flp->circuit.gadget->prove(flp, work, &eval, joint_rand, prove_rand);
    memcpy(proof, prove_rand, arity * field->words * sizeof(*proof));
    uint64_t *poly = field_at(field, proof, arity);
    for (size_t i = 0; i < flp->poly_len; i++) {
        const uint64_t *sums = i % 2 == 0 ? work->even_sums : work->odd_sums;
        memcpy(field_at(field, poly, i), field_at_const(field, sums, i / 2),
               field->words * sizeof(*poly));
    }
}

lane_mask flp_decide(const struct flp *flp, struct flp_work *work, const uint64_t verifier[]) {
    const struct field_kernel *field = flp->field;
    const uint64_t *wires = field_at_const(field, verifier, 1);
    field->splat(work->scalar, 0);
    const lane_mask invalid = field->differ(verifier, work->scalar);
    flp->circuit.gadget->eval(flp, work, wires, work->scalar);
    return invalid |
           field->differ(work->scalar, field_at_const(field, wires, flp->circuit.arity));
}
