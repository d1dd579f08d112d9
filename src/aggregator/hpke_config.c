/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/hpke_config.h"

#include "aggregator/context.h"
#include "aggregator/reply.h"
#include "dap/media_type.h"

static struct status hpke_config_reply(struct aggregator *aggregator, struct arena *arena,
                                       struct reply *out) {
    const struct keyring *keyring;
    TRY(keyring_acquire(aggregator, &keyring));
    *out = (struct reply){
        .content_type = media_type_string(MEDIA_HPKE_CONFIG_LIST),
        .cache_control =
            arena_printf(arena, "max-age=%u", aggregator->options.hpke_config_max_age_s),
    };
    struct status status = arena_copy(arena, keyring_config_list(keyring), &out->body);
    keyring_release(keyring);
    TRY(status);
    /* An empty list would make clients give up for good. */
    return out->body.len > 0 ? OK : FAIL(BUSY);
}

static void hpke_config_work(void *argument, bool cancelled) {
    struct http_request *request = argument;
    struct reply reply;
    struct status status =
        cancelled ? FAIL(BUSY) : hpke_config_reply(request->user, &request->arena, &reply);
    if (!status_ok(status)) {
        reply_problem(&request->arena, &(struct problem){.code = status.code}, &reply);
    }
    reply_send(request, &reply);
}

void hpke_config_handle(void *context, struct http_request *request) {
    struct aggregator *aggregator = context;
    request->user = aggregator;
    struct status status =
        work_queue_submit(aggregator->options.queue, hpke_config_work, request);
    if (!status_ok(status)) {
        hpke_config_work(request, true);
    }
}
