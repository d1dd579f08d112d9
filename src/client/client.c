/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client.h"

#include <stdlib.h>

#include "dap/hpke_choice.h"
#include "dap/url.h"
#include "wire/retry_after.h"

static struct status client_open(struct moiety_client *client, const struct moiety_task *task) {
    TRY(description_open(task, &client->arena, &client->task, &client->vdaf));
    const struct task_configuration *configuration = &client->task.configuration;
    client->leader.config_url = resource_url(configuration->leader_aggregator_endpoint,
                                             RESOURCE_HPKE_CONFIG, NULL, NULL, &client->arena);
    client->helper.config_url = resource_url(configuration->helper_aggregator_endpoint,
                                             RESOURCE_HPKE_CONFIG, NULL, NULL, &client->arena);
    client->reports_url =
        resource_url(configuration->leader_aggregator_endpoint, RESOURCE_REPORTS,
                     &client->task.id, NULL, &client->arena);
    return client->leader.config_url == NULL || client->helper.config_url == NULL ||
                   client->reports_url == NULL
               ? FAIL(NO_MEMORY)
               : OK;
}

enum moiety_result moiety_client_new(const struct moiety_task *task,
                                     const struct moiety_provider *provider,
                                     struct moiety_client **out) {
    if (task == NULL || provider == NULL || out == NULL) {
        return MOIETY_INVALID_ARGUMENT;
    }
    struct moiety_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return MOIETY_NO_MEMORY;
    }
    client->provider = provider;
    struct status status = client_open(client, task);
    if (!status_ok(status)) {
        moiety_client_free(client);
        return result_of_opening(status);
    }
    *out = client;
    return MOIETY_OK;
}

void moiety_client_free(struct moiety_client *client) {
    if (client != NULL) {
        vdaf_free(client->vdaf);
        arena_release(&client->arena);
        free(client);
    }
}

static struct recipient *recipient_of(struct moiety_client *client, enum moiety_role role) {
    switch (role) {
    case MOIETY_LEADER:
        return &client->leader;
    case MOIETY_HELPER:
        return &client->helper;
    default:
        return NULL;
    }
}

const char *moiety_client_config_url(const struct moiety_client *client, enum moiety_role role) {
    const struct recipient *recipient = recipient_of((struct moiety_client *)client, role);
    return recipient == NULL ? NULL : recipient->config_url;
}

enum moiety_result moiety_client_set_config(struct moiety_client *client, enum moiety_role role,
                                            const void *body, size_t len) {
    struct recipient *recipient = recipient_of(client, role);
    struct hpke_config chosen;
    if (recipient == NULL || (body == NULL && len > 0)) {
        return MOIETY_INVALID_ARGUMENT;
    }
    struct status status = hpke_config_choose(span_of(body, len), &chosen);
    if (!status_ok(status)) {
        return result_of(status);
    }
    memcpy(recipient->public_key, chosen.public_key.data, chosen.public_key.len);
    chosen.public_key.data = recipient->public_key;
    recipient->config = chosen;
    recipient->known = true;
    return MOIETY_OK;
}

size_t moiety_client_measurement_len(const struct moiety_client *client) {
    return vdaf_measurement_len(client->vdaf);
}

enum moiety_result moiety_client_parse(const struct moiety_client *client, const char *text,
                                       uint64_t values[]) {
    if (text == NULL || values == NULL) {
        return MOIETY_INVALID_ARGUMENT;
    }
    return result_of(vdaf_parse_measurement(client->vdaf, span_of_string(text), values));
}

uint64_t moiety_client_retry_after(const char *header, uint64_t now_s, uint64_t cap_s) {
    uint64_t wait_s = 0;
    if (header != NULL && !status_ok(retry_after_parse(span_of_string(header), now_s, cap_s,
                                                       &wait_s))) {
        return 0;
    }
    return wait_s;
}
