/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BENCH_VDAF_LIMIT_H
#define MOIETY_BENCH_VDAF_LIMIT_H

#include "vdaf/internal.h"

/*
 * The arithmetic limit of verifying one report: what its shape, by the draft,
 * makes anyone compute, as closed formulas. Loads, stores, additions,
 * decoding, encoding and all that is no arithmetic counts for nothing.
 */
struct arithmetic {
    double permutations;
    double products; /* multiplications with a reduced result */
    double terms;    /* multiplications whose results are only added up */
};

/* decode shares, verify_init, verify_next. */
struct arithmetic limit_leader(const struct vdaf *vdaf, size_t ctx_len);
/* The same from a seed, and verifier_shares_to_message. */
struct arithmetic limit_helper(const struct vdaf *vdaf, size_t ctx_len);

/* Nanoseconds of one of each, for one report of all that run side by side; and
 * of a cycle of the processor. */
struct unit_costs {
    double permutation, product, term, cycle;
};
static inline double arithmetic_ns(struct arithmetic count, struct unit_costs unit) {
    return count.permutations * unit.permutation + count.products * unit.product +
           count.terms * unit.term;
}

#endif
