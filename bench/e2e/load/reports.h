/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BENCH_E2E_REPORTS_H
#define MOIETY_BENCH_E2E_REPORTS_H

#include "base/bytes.h"
#include "base/status.h"

/*
 * Sealed reports, one after the other in a file, as `moiety upload --out`
 * writes them. Read-only and mapped, so that sending them costs the load
 * generator no copy of its own.
 */
struct report_file {
    const uint8_t *bytes;
    size_t len;
    size_t *starts; /* `count` + 1 of them: the last is where the last one ends */
    size_t count;
};

/* IO if it can't be mapped, INVALID_MESSAGE if it holds anything but whole
 * reports, NO_MEMORY. Release with report_file_release(). */
struct status report_file_open(const char *path, struct report_file *out);
void report_file_release(struct report_file *file);

/* `count` reports from `first` on, which is the body of an upload of them. */
static inline struct span report_file_slice(const struct report_file *file, size_t first,
                                            size_t count) {
    return span_of(file->bytes + file->starts[first],
                   file->starts[first + count] - file->starts[first]);
}

#endif
