/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/renewer_metrics.h"

#include <time.h>

static struct metric *single(struct metrics *registry, const char *name, enum metric_kind kind,
                             const char *help) {
    struct metric_family *family = NULL;
    const struct metric_description description = {.name = name, .help = help, .kind = kind};
    return status_ok(metrics_family(registry, &description, &family)) ? metric_series(family, NULL)
                                                                      : NULL;
}

/* Counts down by itself, also when the renewer sleeps. */
static double days_left(void *argument) {
    struct renewer_metrics *metrics = argument;
    const int64_t not_after = atomic_load(&metrics->not_after);
    return not_after == 0 ? 0 : (double)(not_after - (int64_t)time(NULL)) / 86400.0;
}

void renewer_metrics_init(struct renewer_metrics *metrics, struct metrics *registry) {
    *metrics = (struct renewer_metrics){.metrics = registry};
    if (registry == NULL) {
        return;
    }
    const struct metric_description failures = {
        .name = "moiety_certificate_failures_total",
        .help = "Attempts to get a certificate that failed, by what failed",
        .kind = METRIC_COUNTER,
        .labels = {"error"},
    };
    metrics->renewals = single(registry, "moiety_certificate_renewals_total", METRIC_COUNTER,
                               "Certificates obtained by ACME");
    metrics->failing = single(registry, "moiety_certificate_failing", METRIC_GAUGE,
                              "Attempts that failed since the last success; 0 when all is well");
    metrics->next = single(registry, "moiety_certificate_next_attempt_seconds", METRIC_GAUGE,
                           "When the CA is asked next, in seconds since 1970");
    struct status status = metrics_family(registry, &failures, &metrics->failures);
    if (status_ok(status)) {
        status = metrics_gauge_reader(registry, "moiety_certificate_days_left",
                                      "Days until the certificate obtained by ACME expires",
                                      days_left, metrics);
    }
    (void)status.code; /* what memory is short for doesn't show */
}

void renewer_metrics_release(struct renewer_metrics *metrics) {
    if (metrics->metrics != NULL) {
        metrics_forget_reader(metrics->metrics, metrics);
    }
}

void renewer_metrics_expiry(struct renewer_metrics *metrics, int64_t not_after) {
    atomic_store(&metrics->not_after, not_after);
}

void renewer_metrics_next(struct renewer_metrics *metrics, int64_t when) {
    metric_set(metrics->next, when);
}

void renewer_metrics_renewed(struct renewer_metrics *metrics) { metric_add(metrics->renewals, 1); }

void renewer_metrics_healthy(struct renewer_metrics *metrics) { metric_set(metrics->failing, 0); }

void renewer_metrics_failed(struct renewer_metrics *metrics, unsigned in_a_row,
                            const char *error) {
    const char *const labels[] = {error};
    metric_set(metrics->failing, in_a_row);
    metric_add(metric_series(metrics->failures, labels), 1);
}
