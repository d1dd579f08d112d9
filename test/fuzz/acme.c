/* SPDX-License-Identifier: Apache-2.0
 *
 * ACME's fuzz targets under ctest: a good one of each, mutated some thousand times.
 */
#include <criterion/criterion.h>

#include "fuzz/acme_ca_targets.h"
#include "fuzz/acme_seeds.h"
#include "fuzz/acme_targets.h"
#include "fuzz/mutator.h"

enum { ROUNDS = 3000, MAX_SIZE = 4096 };

static void fuzz(const struct fuzz_target *target) {
    struct buffer seed = BUFFER_INIT;
    size_t accepted = 0;
    cr_assert(status_ok(fuzz_acme_seed(target->name, &seed)), "%s", target->name);
    cr_assert(target->run(buffer_span(&seed)), "%s refuses what is good", target->name);
    for (int round = 0; round < ROUNDS; round++) {
        struct span mutant = mutant_of(buffer_span(&seed), MAX_SIZE);
        accepted += target->run(mutant);
        mutant_free(mutant);
    }
    cr_expect_lt(accepted, (size_t)ROUNDS, "%s accepts everything", target->name);
    buffer_release(&seed);
}

static void fuzz_all(const struct fuzz_target *targets) {
    for (; targets->name != NULL; targets++) {
        fuzz(targets);
    }
}

Test(fuzz, mutated_acme_is_harmless) { fuzz_all(fuzz_targets_acme); }

Test(fuzz, mutated_answers_to_the_ca_are_harmless) { fuzz_all(fuzz_targets_acme_ca); }
