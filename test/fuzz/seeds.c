/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes what libFuzzer starts from: for each target of ACME FOLDER/NAME/seed.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "fuzz/acme_ca_targets.h"
#include "fuzz/acme_seeds.h"
#include "fuzz/acme_targets.h"

static struct status write_seed(const char *folder, const char *target) {
    char path[4096];
    struct buffer seed = BUFFER_INIT;
    struct status status = fuzz_acme_seed(target, &seed);
    snprintf(path, sizeof(path), "%s/%s", folder, target);
    (void)mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/%s/seed", folder, target);
    if (status_ok(status)) {
        status = file_replace(path, buffer_span(&seed), 0666);
    }
    buffer_release(&seed);
    return status;
}

int main(int argc, char **argv) {
    const struct fuzz_target *const tables[] = {fuzz_targets_acme, fuzz_targets_acme_ca};
    for (int i = 0; argc == 2 && i < 2; i++) {
        for (const struct fuzz_target *target = tables[i]; target->name != NULL; target++) {
            if (!status_ok(write_seed(argv[1], target->name))) {
                fprintf(stderr, "%s: no seed\n", target->name);
                return EXIT_FAILURE;
            }
            puts(target->name);
        }
    }
    return argc == 2 ? EXIT_SUCCESS : EXIT_FAILURE;
}
