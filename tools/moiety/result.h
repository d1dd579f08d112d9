/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_RESULT_H
#define MOIETY_RESULT_H

#include "base/arena.h"
#include "moiety/collector.h"

/* A batch's result, for people and for programs. */
enum result_format { RESULT_TEXT, RESULT_CSV, RESULT_JSON };

struct result_labels {
    const char **items; /* what each value is; fewer than values is allowed */
    size_t count;
};

/* A label a line. */
struct status result_labels_read(const char *path, struct arena *arena, struct result_labels *out);

/* Appends the result of batch number `batch` (from 1). Text is a table with
 * bars as wide as `columns` allow; CSV has the header "batch,index,label,value",
 * which batch 1 carries; JSON is one object on a line. */
struct status result_print(const struct moiety_aggregate *aggregate, uint64_t batch,
                           const struct result_labels *labels, enum result_format format,
                           unsigned columns, const char *job_url, struct buffer *out);

#endif
