/* SPDX-License-Identifier: Apache-2.0 */
#include "limit.h"

#include "vdaf/prio3.h"

/* Permutations of one XOF: all that it absorbs, padded, then blocks of output
 * of which the last permutation of the input gives the first. */
static double xof(size_t ctx_len, size_t binder, size_t output) {
    const size_t rate = TURBOSHAKE128_RATE;
    const size_t input = 2 + XOF_PREFIX_SIZE + ctx_len + 1 + XOF_SEED_SIZE + binder;
    const size_t blocks = (output + rate - 1) / rate;
    return (double)(input / rate + 1 + (blocks > 1 ? blocks - 1 : 0));
}

static size_t log2_of(size_t power) { return (size_t)__builtin_ctzll(power); }

/*
 * One query (section 7.3.4), wires in the Lagrange basis over p points, the
 * gadget polynomial over 2p.
 *   - the test point's powers up to p, which also say whether it is allowed:
 *     log2 p products;
 *   - two tables of p weights, each from the one half as long by two products
 *     a weight: 4 (p - 1) products;
 *   - every wire: its seed and its value at each call, times a weight;
 *   - the gadget polynomial: its poly_len values, times a weight; where the
 *     degree leaves the last of 2p values out, that value by poly_len terms;
 *   - the parts of the polynomial put together: 4 products;
 *   - outputs reduced at random: a term each, if there are several.
 * Range checks raise each call's randomness to the power of its place in the
 * chunk: a product for each element; without randomness the two wires of an
 * element are the same.
 */
static struct arithmetic query(const struct flp *flp) {
    const struct circuit *circuit = &flp->circuit;
    const double p = (double)flp->wire_len, values = (double)flp->poly_len;
    struct arithmetic count = {0};
    count.products = (double)log2_of(flp->wire_len) + 4 * (p - 1) + 4;
    count.terms = (double)circuit->arity * (double)(circuit->calls + 1) + values;
    if (flp->poly_len < 2 * flp->wire_len) {
        count.terms += values;
    }
    if (circuit->joint_rand_len > 0) {
        count.products += (double)(circuit->calls * circuit->chunk);
    }
    if (circuit->eval_len > 1) {
        count.terms += (double)circuit->eval_len;
    }
    return count;
}

/* Output elements that stand for a range of bits: a term a bit. Where the
 * output is elements of the measurement as they are, it is nothing. */
static double truncation(const struct circuit *circuit) {
    return circuit->output_len * circuit->bits == circuit->meas_len && circuit->bits > 1
               ? (double)circuit->meas_len
               : 0;
}

static struct arithmetic both(const struct vdaf *vdaf, size_t ctx_len) {
    const struct flp *flp = &vdaf->flp;
    const size_t size = flp->field->encoded_size;
    struct arithmetic count = query(flp);
    count.products *= vdaf->proofs;
    count.terms = count.terms * vdaf->proofs + truncation(&flp->circuit);
    count.permutations =
        xof(ctx_len, 1 + VDAF_NONCE_SIZE, flp->query_rand_len * vdaf->proofs * size);
    if (prio3_has_joint_rand(vdaf)) {
        const size_t part = 1 + VDAF_NONCE_SIZE + prio3_encoded_meas_size(vdaf);
        const size_t rands = flp->circuit.joint_rand_len * vdaf->proofs * size;
        count.permutations += xof(ctx_len, part, XOF_SEED_SIZE) +
                              xof(ctx_len, vdaf->shares * XOF_SEED_SIZE, XOF_SEED_SIZE) +
                              xof(ctx_len, 1, rands);
    }
    return count;
}

struct arithmetic limit_leader(const struct vdaf *vdaf, size_t ctx_len) {
    return both(vdaf, ctx_len);
}

struct arithmetic limit_helper(const struct vdaf *vdaf, size_t ctx_len) {
    const struct circuit *circuit = &vdaf->flp.circuit;
    struct arithmetic count = both(vdaf, ctx_len);
    count.permutations += xof(ctx_len, 1, prio3_encoded_meas_size(vdaf)) +
                          xof(ctx_len, 2, prio3_encoded_proofs_size(vdaf));
    if (prio3_has_joint_rand(vdaf)) {
        count.permutations += xof(ctx_len, vdaf->shares * XOF_SEED_SIZE, XOF_SEED_SIZE);
    }
    /* The gadget on the verifier's wires. */
    if (circuit->chunk > 0) {
        count.terms += (double)(vdaf->proofs * circuit->chunk);
    } else {
        count.products += (double)(vdaf->proofs * circuit->degree);
    }
    return count;
}
