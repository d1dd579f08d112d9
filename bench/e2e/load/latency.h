/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BENCH_E2E_LATENCY_H
#define MOIETY_BENCH_E2E_LATENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How long requests took, each kept, so that quantiles are exact. Zeroed is
 * empty. Not thread-safe. */
struct latency {
    uint32_t *us;
    size_t count, room;
};

/* False if out of memory. More than an hour counts as an hour. */
bool latency_add(struct latency *latency, int64_t ns);
/* The least time that a share `quantile` (0 to 1) of the requests took no
 * longer than, in milliseconds; 0 if there were none. Sorts. */
double latency_ms(struct latency *latency, double quantile);
void latency_release(struct latency *latency);

#endif
