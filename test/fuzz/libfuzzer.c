/* SPDX-License-Identifier: Apache-2.0
 *
 * A libFuzzer program. All that comes is for the target that FUZZ_TARGET names; without
 * it, the first byte picks the target and the rest is what that reads.
 */
#include <string.h>

#include "fuzz/acme_ca_targets.h"
#include "fuzz/acme_targets.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
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

static const struct fuzz_target *only;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    const char *name = getenv("FUZZ_TARGET");
    name = name != NULL && name[0] == 0 ? NULL : name;
    (void)argc;
    (void)argv;
    for (size_t i = 0; name != NULL && pick(i) != NULL; i++) {
        only = strcmp(pick(i)->name, name) == 0 ? pick(i) : only;
    }
    fuzz_require(name == NULL || only != NULL, name, "no such target");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (only != NULL) {
        (void)only->run(span_of(data, size));
        return 0;
    }
    const struct fuzz_target *target = size > 0 ? pick(data[0]) : NULL;
    if (target == NULL) {
        return -1;
    }
    (void)target->run(span_of(data + 1, size - 1));
    return 0;
}
