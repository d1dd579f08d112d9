/* SPDX-License-Identifier: Apache-2.0
 *
 * The fuzz targets under ctest: every golden message, mutated some thousand
 * times from a fixed seed.
 */
#include <criterion/criterion.h>

#include "dap/golden.h"
#include "fuzz/fuzz.h"
#include "fuzz/mutator.h"

enum { ROUNDS = 3000, MAX_SIZE = 2048 };

static void fuzz(const struct fuzz_target *target) {
    struct span seed = golden_bytes(target->name);
    size_t accepted = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct span mutant = mutant_of(seed, MAX_SIZE);
        accepted += target->run(mutant);
        mutant_free(mutant);
    }
    cr_expect_gt(accepted, 0, "%s accepts nothing at all", target->name);
    cr_expect_lt(accepted, (size_t)ROUNDS, "%s accepts everything", target->name);
    golden_free(seed);
}

static void fuzz_all(const struct fuzz_target *targets) {
    for (; targets->name != NULL; targets++) {
        fuzz(targets);
    }
}

Test(fuzz, mutated_messages_round_trip) { fuzz_all(fuzz_targets_messages); }

Test(fuzz, mutated_janus_messages_round_trip) { fuzz_all(fuzz_targets_janus); }
