/* SPDX-License-Identifier: Apache-2.0
 *
 * A libFuzzer program: the first byte picks the target, the rest is what it
 * reads.
 */
#include "fuzz/acme_ca_targets.h"
#include "fuzz/acme_targets.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* FUZZ_TABLES, of CMakeLists.txt, names the tables of one program. */
static const struct fuzz_target *const tables[] = {FUZZ_TABLES};

static const struct fuzz_target *pick(size_t index) {
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct fuzz_target *target = tables[i]; target->name; target++) {
            if (index-- == 0) {
                return target;
            }
        }
    }
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct fuzz_target *target = size > 0 ? pick(data[0]) : NULL;
    if (target == NULL) {
        return -1;
    }
    (void)target->run(span_of(data + 1, size - 1));
    return 0;
}
