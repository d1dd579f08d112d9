/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/limit.h"

#include <criterion/criterion.h>

/* The formulas against counts that were made by hand from the draft, for a
 * context of 38 bytes: an XOF's input is 81 bytes and its binder. */

static const struct {
    const char *type;
    struct vdaf_param params[2];
    size_t count;
    struct arithmetic leader, helper;
} figures[] = {
    /* p = 2, two wires with one call, three values of the gadget polynomial.
     * Every XOF takes one permutation: the query's randomness, and the
     * helper's two shares. 1 + 4 + 4 products; 2 * 2 + 3 + 3 terms. */
    {"Prio3Count", {{NULL, 0}}, 0, {1, 9, 10}, {3, 9, 11}},
    /* p = 16, one wire with eight calls, 31 values, eight outputs. The
     * helper's proof share of 256 bytes takes two permutations. 4 + 60 + 4
     * products, and two to evaluate the gadget; 9 + 31 + 31 + 8 terms, and
     * eight for the sum's bits. */
    {"Prio3Sum", {{"max_measurement", 255}}, 1, {1, 68, 87}, {4, 70, 87}},
    /* p = 4, four wires with two calls, seven values, two outputs. Joint
     * randomness: part, seed, values; the seed again in the message; a proof
     * share of 176 bytes. 2 + 12 + 4 + 2 * 2 products; 4 * 3 + 7 + 7 + 2
     * terms, and two to evaluate the gadget. */
    {"Prio3Histogram",
     {{"length", 4}, {"chunk_length", 2}},
     2,
     {4, 22, 28},
     {8, 22, 30}},
};

static void check(struct arithmetic got, struct arithmetic expected, const char *type) {
    cr_assert_eq(got.permutations, expected.permutations, "%s: %g permutations", type,
                 got.permutations);
    cr_assert_eq(got.products, expected.products, "%s: %g products", type, got.products);
    cr_assert_eq(got.terms, expected.terms, "%s: %g terms", type, got.terms);
}

Test(limit, formulas) {
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        struct vdaf *vdaf = NULL;
        cr_assert(status_ok(
            vdaf_new(figures[i].type, figures[i].params, figures[i].count, 2, &vdaf)));
        check(limit_leader(vdaf, 38), figures[i].leader, figures[i].type);
        check(limit_helper(vdaf, 38), figures[i].helper, figures[i].type);
        vdaf_free(vdaf);
    }
}
