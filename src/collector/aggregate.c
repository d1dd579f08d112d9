/* SPDX-License-Identifier: Apache-2.0 */
/* Opening an answer (draft 18, sections 4.6.4 and 4.6.5). */
#include <stdlib.h>

#include "collector/collector.h"
#include "dap/binding.h"
#include "dap/interval.h"

static struct status open_shares(const struct moiety_collector *collector, struct span request,
                                 const struct collection_job_resp *response, struct arena *arena,
                                 struct span shares[2]) {
    const struct hpke_ciphertext *sealed[2] = {&response->leader_encrypted_agg_share,
                                               &response->helper_encrypted_agg_share};
    const enum role senders[2] = {ROLE_LEADER, ROLE_HELPER};
    struct hpke_open_item items[2];
    struct span aad;
    TRY(aggregate_share_aad_make(&collector->task, request, arena, &aad));
    for (int i = 0; i < 2; i++) {
        if (sealed[i]->config_id != collector->key->key.id) {
            return FAIL(UNKNOWN_KEY);
        }
        items[i] = (struct hpke_open_item){
            .key = &collector->key->key,
            .info = aggregate_share_info(senders[i]),
            .aad = aad,
            .enc = sealed[i]->enc,
            .ciphertext = sealed[i]->payload,
        };
    }
    TRY(hpke_open_batch(collector->provider, items, 2, arena));
    for (int i = 0; i < 2; i++) {
        if (items[i].verdict != STATUS_OK) {
            return (struct status){items[i].verdict};
        }
        shares[i] = items[i].plaintext;
    }
    return OK;
}

static struct status fill_value(vdaf_value value, struct moiety_value *out) {
    struct buffer text = BUFFER_INIT;
    struct status status;
    TRY_GOTO(status, vdaf_print_value(value, &text), done);
    if (text.len >= sizeof(out->decimal)) {
        status = FAIL(INTERNAL);
        goto done;
    }
    memcpy(out->decimal, text.data, text.len);
    out->decimal[text.len] = '\0';
    out->overflows = value > UINT64_MAX;
    out->number = out->overflows ? UINT64_MAX : (uint64_t)value;
done:
    buffer_release(&text);
    return status;
}

static struct status fill_aggregate(const struct moiety_collector *collector,
                                    const struct collection_job_resp *response,
                                    const vdaf_value values[], struct moiety_aggregate *aggregate) {
    uint64_t precision = collector->task.configuration.time_precision;
    aggregate->report_count = response->report_count;
    if (!status_ok(time_to_seconds(response->interval.start, precision, &aggregate->start_s)) ||
        !status_ok(time_to_seconds(response->interval.duration, precision,
                                   &aggregate->duration_s)) ||
        aggregate->duration_s > UINT64_MAX - aggregate->start_s) {
        return FAIL(INVALID_MESSAGE);
    }
    for (size_t i = 0; i < aggregate->len; i++) {
        TRY(fill_value(values[i], &aggregate->values[i]));
    }
    return OK;
}

static struct status aggregate_make(const struct moiety_collector *collector, struct span request,
                                    struct span agg_param,
                                    const struct collection_job_resp *response,
                                    struct arena *arena, struct moiety_aggregate **out) {
    struct span shares[2];
    TRY(open_shares(collector, request, response, arena, shares));
    size_t len = vdaf_result_len(collector->vdaf);
    vdaf_value *values = ARENA_ARRAY(arena, vdaf_value, len);
    if (values == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(vdaf_unshard(collector->vdaf, agg_param, shares, response->report_count, values));
    struct moiety_aggregate *aggregate =
        calloc(1, sizeof(*aggregate) + len * sizeof(aggregate->values[0]));
    if (aggregate == NULL) {
        return FAIL(NO_MEMORY);
    }
    aggregate->len = len;
    struct status status = fill_aggregate(collector, response, values, aggregate);
    if (status_ok(status)) {
        *out = aggregate;
    } else {
        moiety_aggregate_free(aggregate);
    }
    return status;
}

struct status aggregate_open(const struct moiety_collector *collector, struct span request,
                             struct span agg_param, struct span body,
                             struct moiety_aggregate **out) {
    struct arena arena = ARENA_INIT;
    struct collection_job_resp response;
    struct status status;
    TRY_GOTO(status, collection_job_resp_decode(body, &arena, &response), done);
    status = aggregate_make(collector, request, agg_param, &response, &arena, out);
done:
    arena_release(&arena);
    return status;
}

uint64_t moiety_aggregate_report_count(const struct moiety_aggregate *aggregate) {
    return aggregate->report_count;
}

uint64_t moiety_aggregate_start_s(const struct moiety_aggregate *aggregate) {
    return aggregate->start_s;
}

uint64_t moiety_aggregate_duration_s(const struct moiety_aggregate *aggregate) {
    return aggregate->duration_s;
}

size_t moiety_aggregate_len(const struct moiety_aggregate *aggregate) { return aggregate->len; }

const struct moiety_value *moiety_aggregate_value(const struct moiety_aggregate *aggregate,
                                                  size_t i) {
    return i < aggregate->len ? &aggregate->values[i] : NULL;
}

void moiety_aggregate_free(struct moiety_aggregate *aggregate) { free(aggregate); }
