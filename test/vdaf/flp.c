/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/flp.h"

#include "support.h"
#include "vdaf/internal.h"

/* Proofs of what is not a measurement, made by an honest prover: a verifier
 * must refuse them. All lanes get the same. */
struct bench {
    const struct vdaf *vdaf;
    struct flp flp; /* as for one share */
    struct flp_work work;
    struct arena arena;
    uint64_t *meas, *rand, *joint, *proof, *verifier;
};

static uint64_t *vector(struct bench *bench, size_t n) {
    return arena_alloc(&bench->arena, (n + 1) * bench->flp.field->words, sizeof(uint64_t));
}

static void bench_new(struct bench *bench, const struct vdaf *vdaf) {
    *bench = (struct bench){.vdaf = vdaf, .arena = ARENA_INIT};
    cr_assert(status_ok(flp_init(&bench->flp, &vdaf->flp.circuit, vdaf->flp.field, 1,
                                 &bench->arena)));
    cr_assert(status_ok(flp_work_init(&bench->work, &bench->flp, &bench->arena)));
    const struct flp *flp = &bench->flp;
    bench->meas = vector(bench, flp_meas_room(flp));
    bench->rand = vector(bench, flp->prove_rand_len + flp->query_rand_len);
    bench->joint = vector(bench, flp->circuit.joint_rand_len);
    bench->proof = vector(bench, flp->proof_len);
    bench->verifier = vector(bench, flp->verifier_len);
    for (size_t i = 0; i < flp->prove_rand_len + flp->query_rand_len; i++) {
        flp->field->splat(field_at(flp->field, bench->rand, i), 1000003 * (i + 1));
    }
    for (size_t i = 0; i < flp->circuit.joint_rand_len; i++) {
        flp->field->splat(field_at(flp->field, bench->joint, i), 7777777 * (i + 5));
    }
    flp->field->to_factor(bench->joint, bench->joint, flp->circuit.joint_rand_len);
}

static void put(struct bench *bench, size_t i, uint64_t value) {
    bench->flp.field->splat(field_at(bench->flp.field, bench->meas, i), value);
}

/* The lanes that refuse bench->meas. */
static lane_mask verify(struct bench *bench) {
    const struct flp *flp = &bench->flp;
    const uint64_t *joint = flp->circuit.joint_rand_len > 0 ? bench->joint : NULL;
    flp_prove(flp, &bench->work, bench->meas, bench->rand, joint, bench->proof);
    cr_assert_eq(flp_query(flp, &bench->work, bench->meas, bench->proof,
                           field_at(flp->field, bench->rand, flp->prove_rand_len), joint,
                           bench->verifier), 0);
    return flp_decide(flp, &bench->work, bench->verifier);
}

static lane_mask all_lanes(const struct bench *bench) {
    return ((lane_mask)1 << bench->flp.field->lanes) - 1;
}

/* Each element in turn is made 2 and -1. */
static void check_elements(struct bench *bench) {
    const struct field_kernel *field = bench->flp.field;
    uint64_t values[16] = {0}, meas[64] = {0};
    bench->vdaf->type->encode(&bench->flp.circuit, values, meas);
    for (size_t i = 0; i < bench->flp.circuit.meas_len; i++) {
        put(bench, i, meas[i]);
    }
    cr_assert_eq(verify(bench), 0, "%s: honest", vdaf_name(bench->vdaf));
    for (size_t i = 0; i < bench->flp.circuit.meas_len; i++) {
        put(bench, i, 2);
        cr_assert_eq(verify(bench), all_lanes(bench), "%s: 2 at %zu", vdaf_name(bench->vdaf), i);
        field->splat(field_at(field, bench->meas, i), field->modulus - 1);
        cr_assert_eq(verify(bench), all_lanes(bench), "%s: -1 at %zu", vdaf_name(bench->vdaf), i);
        put(bench, i, meas[i]);
    }
}

Test(flp, elements_are_bits) {
    for (int i = 0; i < INSTANCES; i++) {
        struct vdaf *vdaf = instance_new(i, 2);
        struct bench bench;
        bench_new(&bench, vdaf);
        check_elements(&bench);
        arena_release(&bench.arena);
        vdaf_free(vdaf);
    }
}

Test(flp, a_histogram_has_one_bucket) {
    struct vdaf *vdaf = instance_new(4, 2);
    struct bench bench;
    bench_new(&bench, vdaf);
    cr_assert_eq(verify(&bench), all_lanes(&bench), "none");
    put(&bench, 3, 1);
    cr_assert_eq(verify(&bench), 0);
    put(&bench, 10, 1);
    cr_assert_eq(verify(&bench), all_lanes(&bench), "two");
    arena_release(&bench.arena);
    vdaf_free(vdaf);
}

/* MultihotCountVec of length 9 and weight up to 3: the claim is in the last two
 * elements, which count 1 and 2. */
Test(flp, a_claimed_weight_is_right) {
    struct vdaf *vdaf = instance_new(5, 2);
    struct bench bench;
    bench_new(&bench, vdaf);
    put(&bench, 0, 1);
    put(&bench, 8, 1);
    cr_assert_eq(verify(&bench), all_lanes(&bench), "claims 0 of 2");
    put(&bench, 10, 1);
    cr_assert_eq(verify(&bench), 0, "claims 2 of 2");
    put(&bench, 9, 1);
    cr_assert_eq(verify(&bench), all_lanes(&bench), "claims 3 of 2");
    arena_release(&bench.arena);
    vdaf_free(vdaf);
}

/* A test point that is a root of unity would reveal an input. */
Test(flp, a_root_of_unity_is_no_test_point) {
    for (int i = 0; i < INSTANCES; i++) {
        struct vdaf *vdaf = instance_new(i, 2);
        struct bench bench;
        bench_new(&bench, vdaf);
        const struct flp *flp = &bench.flp;
        const unsigned log2 = (unsigned)__builtin_ctzll(flp->wire_len);
        const field_value roots[] = {1, field_root_vartime(flp->field, log2),
                                     field_root_vartime(flp->field, log2 + 1)};
        uint64_t *query_rand = field_at(flp->field, bench.rand, flp->prove_rand_len);
        for (int r = 0; r < 3; r++) {
            flp->field->splat(field_at(flp->field, query_rand, flp->query_rand_len - 1), roots[r]);
            const lane_mask bad = flp_query(flp, &bench.work, bench.meas, bench.proof, query_rand,
                                            bench.joint, bench.verifier);
            cr_assert_eq(bad, r < 2 ? all_lanes(&bench) : 0);
        }
        arena_release(&bench.arena);
        vdaf_free(vdaf);
    }
}
