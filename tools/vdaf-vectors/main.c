/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vdaf-vectors DIR: runs the test vectors, as tools/import-vectors writes
 * them, that are in a folder. Says on standard error what went wrong, and
 * closes on `N passed, N failed`. Exit status 0 only if there were some, none
 * failed and none was skipped; 77 if the lane type that MOIETY_CPU names doesn't
 * run here.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "primitive/kernels.h"
#include "run.h"

static enum outcome run_file(const char *directory, const char *file) {
    char path[4096];
    struct vector vector;
    enum outcome outcome = FAILED;
    snprintf(path, sizeof(path), "%s/%s", directory, file);
    const struct status status = vector_load(path, &vector);
    if (!status_ok(status)) {
        fprintf(stderr, "%s: %s\n", file, status_text(status.code));
    } else if (vector_text(&vector, "vdaf") != NULL) {
        outcome = run_vdaf(file, &vector);
    } else if (vector_text(&vector, "xof") != NULL) {
        outcome = run_xof(file, &vector);
    } else if (vector_text(&vector, "other") != NULL) {
        fprintf(stderr, "%s: skipped: neither a VDAF nor an XOF\n", file);
        outcome = SKIPPED;
    } else {
        fprintf(stderr, "%s: not a test vector\n", file);
    }
    vector_release(&vector);
    return outcome;
}

static int is_vector(const struct dirent *entry) {
    const size_t len = strlen(entry->d_name);
    return len > 4 && strcmp(entry->d_name + len - 4, ".txt") == 0;
}

int main(int argc, char *argv[]) {
    if (argc != 2) {
        fprintf(stderr, "usage: vdaf-vectors DIR\n");
        return 2;
    }
    const struct kernels *kernels;
    if (!status_ok(kernels_pick(&kernels))) {
        return 77; /* the log says why */
    }
    struct dirent **entries;
    const int found = scandir(argv[1], &entries, is_vector, alphasort);
    if (found < 0) {
        perror(argv[1]);
        return 2;
    }
    unsigned outcomes[3] = {0};
    for (int i = 0; i < found; i++) {
        outcomes[run_file(argv[1], entries[i]->d_name)]++;
        free(entries[i]);
    }
    free(entries);
    printf("%u passed, %u failed", outcomes[PASSED], outcomes[FAILED]);
    if (outcomes[SKIPPED] > 0) {
        printf(", %u skipped", outcomes[SKIPPED]);
    }
    printf("\n");
    return outcomes[PASSED] > 0 && outcomes[FAILED] == 0 && outcomes[SKIPPED] == 0 ? 0 : 1;
}
