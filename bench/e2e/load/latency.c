/* SPDX-License-Identifier: Apache-2.0 */
#include "latency.h"

#include <stdlib.h>

static const int64_t HOUR_US = INT64_C(3600) * 1000000;

bool latency_add(struct latency *latency, int64_t ns) {
    if (latency->count == latency->room) {
        const size_t room = latency->room == 0 ? 4096 : 2 * latency->room;
        uint32_t *grown = realloc(latency->us, room * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        latency->us = grown;
        latency->room = room;
    }
    const int64_t us = ns / 1000;
    latency->us[latency->count++] = (uint32_t)(us < HOUR_US ? us : HOUR_US);
    return true;
}

static int compare(const void *a, const void *b) {
    const uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

double latency_ms(struct latency *latency, double quantile) {
    if (latency->count == 0) {
        return 0;
    }
    qsort(latency->us, latency->count, sizeof(latency->us[0]), compare);
    const double rank = quantile * (double)latency->count;
    size_t index = (size_t)rank;
    index -= index > 0 && (double)index == rank ? 1 : 0;
    return latency->us[index < latency->count ? index : latency->count - 1] / 1000.0;
}

void latency_release(struct latency *latency) { free(latency->us); }
