/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/verify.h"

#include <assert.h>
#include <stdlib.h>

#include "vdaf/internal.h"

static_assert(STATUS_OK == 0 && VERIFY_CONTINUED == 0);

struct status verify_batch_new(const struct vdaf *vdaf, unsigned aggregator_id,
                               struct span agg_param, size_t count, struct verify_batch **out) {
    assert(aggregator_id < vdaf_shares(vdaf));
    TRY(vdaf_check_agg_param(vdaf, agg_param));
    struct verify_batch *batch;
    size_t size;
    if (count > UINT32_MAX || __builtin_mul_overflow(count, sizeof(batch->reports[0]), &size) ||
        __builtin_add_overflow(size, sizeof(*batch), &size)) {
        return FAIL(NO_MEMORY);
    }
    batch = calloc(1, size); /* with all reports in good standing, at the start */
    if (batch == NULL) {
        return FAIL(NO_MEMORY);
    }
    batch->vdaf = vdaf;
    batch->aggregator_id = aggregator_id;
    batch->count = count;
    if (!status_ok(arena_copy(&batch->arena, agg_param, &batch->agg_param))) {
        verify_batch_free(batch);
        return FAIL(NO_MEMORY);
    }
    *out = batch;
    return OK;
}

void verify_batch_free(struct verify_batch *batch) {
    if (batch != NULL) {
        arena_release(&batch->arena);
        free(batch);
    }
}

size_t verify_batch_count(const struct verify_batch *batch) { return batch->count; }

enum status_code verify_batch_verdict(const struct verify_batch *batch, size_t i) {
    assert(i < batch->count);
    return batch->reports[i].verdict;
}

void verify_batch_refuse(struct verify_batch *batch, size_t i, enum status_code verdict) {
    assert(i < batch->count && verdict != STATUS_OK);
    struct verify_report *report = &batch->reports[i];
    if (report->verdict == STATUS_OK) {
        report->verdict = verdict;
        report->state = VERIFY_REJECTED;
        report->share = report->outbound = SPAN_EMPTY;
    }
}

struct status verify_batch_init(struct verify_batch *batch, const struct verify_input inputs[]) {
    for (size_t i = 0; i < batch->count; i++) {
        struct verify_report *report = &batch->reports[i];
        if (i > 0 && inputs[i].ctx.data == inputs[i - 1].ctx.data &&
            inputs[i].ctx.len == inputs[i - 1].ctx.len) {
            report->ctx = report[-1].ctx; /* as reports of one task have it */
        } else {
            TRY(arena_copy(&batch->arena, inputs[i].ctx, &report->ctx));
        }
    }
    return batch->vdaf->type->scheme->verify_init(batch, inputs);
}

struct span verify_batch_share(const struct verify_batch *batch, size_t i) {
    assert(i < batch->count);
    return batch->reports[i].share;
}

struct status verify_shares_to_message(const struct vdaf *vdaf, struct span agg_param,
                                       const struct span ctx[], const struct span shares[],
                                       size_t count, struct arena *arena, struct span messages[],
                                       enum status_code verdicts[]) {
    TRY(vdaf_check_agg_param(vdaf, agg_param));
    return vdaf->type->scheme->shares_to_message(vdaf, agg_param, ctx, shares, count, arena,
                                                 messages, verdicts);
}

struct status verify_batch_next(struct verify_batch *batch, const struct span messages[]) {
    const struct vdaf_scheme *scheme = batch->vdaf->type->scheme;
    for (size_t i = 0; i < batch->count; i++) {
        struct verify_report *report = &batch->reports[i];
        if (report->verdict != STATUS_OK || report->state != VERIFY_CONTINUED) {
            continue;
        }
        assert(report->verify_state != NULL);
        report->share = SPAN_EMPTY;
        TRY(scheme->verify_next(batch, report, messages[i]));
        if (report->verdict == STATUS_OK && ++report->round == scheme->rounds) {
            report->state = VERIFY_FINISHED;
        }
    }
    return OK;
}
