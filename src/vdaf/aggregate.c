/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "vdaf/internal.h"

void vdaf_agg_init(const struct vdaf *vdaf, uint8_t agg_share[]) {
    memset(agg_share, 0, vdaf_agg_share_size(vdaf));
}

struct status vdaf_agg_merge(const struct vdaf *vdaf, uint8_t into[], struct span from) {
    return from.len == vdaf_agg_share_size(vdaf) &&
                   field_add_encoded(vdaf->flp.field, into, from.data, vdaf_result_len(vdaf))
               ? OK
               : FAIL(INVALID_MESSAGE);
}

static vdaf_value value_at(const struct vdaf *vdaf, const uint8_t encoded[], size_t i) {
    const size_t size = vdaf->flp.field->encoded_size;
    vdaf_value value = 0;
    for (size_t byte = size; byte-- > 0;) {
        value = value << 8 | encoded[i * size + byte];
    }
    return value;
}

struct status vdaf_unshard(const struct vdaf *vdaf, struct span agg_param,
                           const struct span agg_shares[], uint64_t report_count,
                           vdaf_value values[]) {
    (void)report_count; /* no type so far divides by it */
    TRY(vdaf_check_agg_param(vdaf, agg_param));
    struct arena arena = ARENA_INIT;
    struct status status = OK;
    uint8_t *total = arena_alloc(&arena, vdaf_agg_share_size(vdaf), 1);
    if (total == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (unsigned share = 0; share < vdaf_shares(vdaf); share++) {
        TRY_GOTO(status, vdaf_agg_merge(vdaf, total, agg_shares[share]), done);
    }
    for (size_t i = 0; i < vdaf_result_len(vdaf); i++) {
        values[i] = value_at(vdaf, total, i);
    }
done:
    arena_release(&arena);
    return status;
}

static bool finished(const struct verify_report *report) {
    return report->verdict == STATUS_OK && (report->state == VERIFY_FINISHED ||
                                            report->state == VERIFY_FINISHED_WITH_OUTBOUND);
}

struct status verify_batch_accumulate(const struct verify_batch *batch,
                                      const uint32_t bucket_of[], uint8_t *const agg_shares[],
                                      size_t buckets) {
    const struct vdaf *vdaf = batch->vdaf;
    for (size_t i = 0; i < batch->count; i++) {
        const struct verify_report *report = &batch->reports[i];
        if (finished(report)) {
            assert(bucket_of[i] < buckets);
            TRY(vdaf_agg_merge(vdaf, agg_shares[bucket_of[i]],
                               span_of(report->verify_state, vdaf_agg_share_size(vdaf))));
        }
    }
    (void)buckets;
    return OK;
}

struct status verify_batch_subtract(const struct verify_batch *batch, size_t i,
                                    uint8_t agg_share[]) {
    const struct vdaf *vdaf = batch->vdaf;
    const struct verify_report *report = &batch->reports[i];
    assert(i < batch->count && report->verify_state != NULL);
    return field_sub_encoded(vdaf->flp.field, agg_share, report->verify_state,
                             vdaf_result_len(vdaf))
               ? OK
               : FAIL(INVALID_MESSAGE);
}

struct status verify_batch_out_share(const struct verify_batch *batch, size_t i,
                                     struct arena *arena, struct span *out) {
    assert(i < batch->count && finished(&batch->reports[i]));
    return arena_copy(arena,
                      span_of(batch->reports[i].verify_state, vdaf_agg_share_size(batch->vdaf)),
                      out);
}
