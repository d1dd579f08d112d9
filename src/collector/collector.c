/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/collector.h"

#include <stdlib.h>

#include "dap/url.h"

static struct status collector_open(struct moiety_collector *collector,
                                    const struct moiety_task *task) {
    TRY(description_open(task, &collector->arena, &collector->task, &collector->vdaf));
    collector->creation_url =
        resource_url(collector->task.configuration.leader_aggregator_endpoint,
                     RESOURCE_COLLECTION_JOBS, &collector->task.id, NULL, &collector->arena);
    return collector->creation_url == NULL ? FAIL(NO_MEMORY) : OK;
}

enum moiety_result moiety_collector_new(const struct moiety_task *task,
                                        const struct moiety_collector_key *key,
                                        const struct moiety_provider *provider,
                                        struct moiety_collector **out) {
    if (task == NULL || key == NULL || provider == NULL || out == NULL) {
        return MOIETY_INVALID_ARGUMENT;
    }
    struct moiety_collector *collector = calloc(1, sizeof(*collector));
    if (collector == NULL) {
        return MOIETY_NO_MEMORY;
    }
    collector->provider = provider;
    collector->key = key;
    struct status status = collector_open(collector, task);
    if (!status_ok(status)) {
        moiety_collector_free(collector);
        return result_of_opening(status);
    }
    *out = collector;
    return MOIETY_OK;
}

void moiety_collector_free(struct moiety_collector *collector) {
    if (collector != NULL) {
        vdaf_free(collector->vdaf);
        arena_release(&collector->arena);
        free(collector);
    }
}
