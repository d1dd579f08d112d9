/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_VDAF_FLP_H
#define MOIETY_VDAF_FLP_H

#include "base/arena.h"
#include "primitive/field.h"

/*
 * The fully linear proof system of BBCGGI19 (VDAF, section 7.3), for circuits
 * with one gadget. Proofs and wire polynomials are in the Lagrange basis, so a
 * query needs no transform: it is a sum of inputs, weighted by the values of
 * the Lagrange basis at the test point, which all wires share.
 *
 * Vectors are those of primitive/field.h: plain elements of all lanes.
 */
struct flp;
struct flp_work;

/* What a circuit computes its outputs from; they are affine in all of it. */
struct flp_eval {
    const uint64_t *meas;
    const uint64_t *gadget;     /* output of call k is element k * stride */
    size_t stride;
    const uint64_t *inv_shares; /* one element: 1 / number of shares */
};

/* A gadget's share of the work; wires stand in the draft's order. */
struct flp_gadget {
    /* The wire polynomials at the point that work->weights belongs to. */
    void (*query)(const struct flp *flp, struct flp_work *work, const struct flp_eval *eval,
                  const uint64_t rand[], const uint64_t seeds[], uint64_t wires[]);
    /* The gadget on one value for each wire. */
    void (*eval)(const struct flp *flp, struct flp_work *work, const uint64_t wires[],
                 uint64_t out[]);
    /* The gadget polynomial's values at the 2p-th roots of unity: even ones in
     * work->even_sums, odd ones in work->odd_sums. */
    void (*prove)(const struct flp *flp, struct flp_work *work, const struct flp_eval *eval,
                  const uint64_t rand[], const uint64_t seeds[]);
};

/* ParallelSum of `chunk` Mul, called on (rand^(j+1) m, m - 1/shares) to check
 * that each m is 0 or 1; without joint randomness, on (m, m). */
extern const struct flp_gadget flp_gadget_range_checks;
/* PolyEval: a polynomial in one wire, which is the measurement's elements. */
extern const struct flp_gadget flp_gadget_polynomial;

enum { FLP_DEGREE_MAX = 3, FLP_BITS_MAX = 64 };

/* Filled in by a type for its parameters. */
struct circuit {
    const struct flp_gadget *gadget;
    size_t calls;
    size_t arity;
    unsigned degree;
    int polynomial[FLP_DEGREE_MAX + 1]; /* of flp_gadget_polynomial, lowest first */
    size_t chunk;                       /* of flp_gadget_range_checks */
    size_t meas_len;
    size_t joint_rand_len; /* 0, or one for each call */
    size_t output_len;
    size_t eval_len;
    /* Integers in [0, max]: all but the last of `bits` elements count powers
     * of two, the last counts `last_weight` (VDAF, section 7.4.2). */
    size_t length; /* of a vector of numbers */
    unsigned bits;
    uint64_t last_weight;
    void (*eval)(const struct flp *flp, const struct flp_eval *eval, uint64_t out[]);
    /* The output share, or NULL if that is where the measurement begins. */
    void (*truncate)(const struct flp *flp, const uint64_t meas[], uint64_t out[]);
};

/* Immutable; all lengths in elements. */
struct flp {
    struct circuit circuit;
    const struct field_kernel *field;
    size_t wire_len; /* p */
    size_t poly_len; /* of the gadget polynomial; 2p or 2p - 1 */
    size_t prove_rand_len, query_rand_len, proof_len, verifier_len;
    bool single; /* so small that field->query_single() does it */
    field_value inv_shares;
    /* Constants. */
    uint64_t *roots; /* 2p powers of a 2p-th root of unity */
    uint64_t *twist; /* for field->shift() */
    uint64_t *range_weights; /* `bits` of them */
    uint64_t *last;  /* what each value but the last of a polynomial of degree
                      * 2p - 2 adds to that one */
    uint64_t scale[2 * FIELD_LIMBS_MAX]; /* 1 / p and 1 / 2p, for field->lagrange() */
    uint64_t halves[2 * FIELD_LIMBS_MAX]; /* of 1, and of the first of the roots after it */
};

/* Scratch of one thread; secret. */
struct flp_work {
    uint64_t *weights, *odd_weights; /* p */
    uint64_t *powers;                /* calls */
    uint64_t *outputs;               /* eval_len */
    uint64_t *even_sums, *odd_sums, *wire[2]; /* p */
    uint64_t *factors;               /* eval_len + 1, or 2p if that is more */
    uint64_t *t, *t_power, *scalar, *offset; /* one */
};

/* `circuit` is within the bounds of vdaf.h. Tables come from the arena. */
struct status flp_init(struct flp *flp, const struct circuit *circuit,
                       const struct field_kernel *field, unsigned shares, struct arena *arena);
struct status flp_work_init(struct flp_work *work, const struct flp *flp, struct arena *arena);

/* Room for a measurement: at least meas_len, for gadgets read whole chunks.
 * Elements from meas_len on must be zero. */
size_t flp_meas_room(const struct flp *flp);
/* Room for an output share, or for the measurement that it is part of. */
size_t flp_output_room(const struct flp *flp);

/* `joint_rand` holds factors; it may be NULL if the circuit takes none.
 * flp_query() gives the lanes whose test point is a root of unity. */
lane_mask flp_query(const struct flp *flp, struct flp_work *work, const uint64_t meas[],
                    const uint64_t proof[], const uint64_t query_rand[],
                    const uint64_t joint_rand[], uint64_t verifier[]);
void flp_prove(const struct flp *flp, struct flp_work *work, const uint64_t meas[],
               const uint64_t prove_rand[], const uint64_t joint_rand[], uint64_t proof[]);
/* The lanes whose verifier is refused. */
lane_mask flp_decide(const struct flp *flp, struct flp_work *work, const uint64_t verifier[]);

/* The number that `bits` elements stand for, as one element. */
void flp_decode_range(const struct flp *flp, const uint64_t meas[], uint64_t out[]);

#endif
