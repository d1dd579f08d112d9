/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_RENEWER_METRICS_H
#define MOIETY_ACME_CLIENT_RENEWER_METRICS_H

#include <stdatomic.h>

#include "base/metrics.h"

/* What an operator's alarms look at. Written by the renewer's thread, read by
 * whoever exposes; stays where it was initialised. */
struct renewer_metrics {
    struct metrics *metrics; /* NULL: none */
    struct metric_family *failures;
    struct metric *renewals;
    struct metric *failing;
    struct metric *next;
    _Atomic int64_t not_after; /* 0: no certificate yet */
};

/* For want of memory some of them may not show. */
void renewer_metrics_init(struct renewer_metrics *metrics, struct metrics *registry);
void renewer_metrics_release(struct renewer_metrics *metrics);

void renewer_metrics_expiry(struct renewer_metrics *metrics, int64_t not_after);
void renewer_metrics_next(struct renewer_metrics *metrics, int64_t when);
void renewer_metrics_renewed(struct renewer_metrics *metrics);
void renewer_metrics_healthy(struct renewer_metrics *metrics);
/* `error` as ACME or status.def names it. */
void renewer_metrics_failed(struct renewer_metrics *metrics, unsigned in_a_row, const char *error);

#endif
