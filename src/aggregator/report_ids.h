/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_REPORT_IDS_H
#define MOIETY_AGGREGATOR_REPORT_IDS_H

#include <stdlib.h>

#include "dap/messages.h"

static inline int report_id_compare(const void *a, const void *b) {
    return memcmp(a, b, sizeof(struct report_id));
}

/* Whether no ID occurs twice. Sorts them. */
static inline bool report_ids_distinct(struct report_id ids[], size_t count) {
    if (count > 1) {
        qsort(ids, count, sizeof(ids[0]), report_id_compare);
    }
    for (size_t i = 1; i < count; i++) {
        if (report_id_compare(&ids[i - 1], &ids[i]) == 0) {
            return false;
        }
    }
    return true;
}

#endif
