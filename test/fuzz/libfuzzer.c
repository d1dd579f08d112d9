/* SPDX-License-Identifier: Apache-2.0
 *
 * The libFuzzer program: the first byte picks the message, the rest is its
 * body.
 */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fuzz_target *pick(size_t index) {
    for (const struct fuzz_target *target = fuzz_targets_messages; target->name; target++) {
        if (index-- == 0) {
            return target;
        }
    }
    for (const struct fuzz_target *target = fuzz_targets_janus; target->name; target++) {
        if (index-- == 0) {
            return target;
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
