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

/* The lanes whose reports go into a bucket. */
static lane_mask lanes_for(const struct verify_batch *batch, const struct verify_outputs *outputs,
                           const uint32_t bucket_of[], size_t bucket) {
    lane_mask lanes = 0;
    for (unsigned lane = 0; lane < outputs->used; lane++) {
        const size_t i = outputs->report[lane];
        if (finished(&batch->reports[i]) && bucket_of[i] == bucket) {
            lanes |= (lane_mask)1 << lane;
        }
    }
    return lanes;
}

/* What a bucket's total is made from, and scratch for a piece of it. */
enum { PIECE_MAX = 256 }; /* elements */
struct bucket_sum {
    size_t piece;
    const uint64_t **vectors;
    lane_mask *masks;
    size_t count;
    uint64_t *total;
    uint8_t *encoded[SIMD_LANES_MAX];
};

static struct status bucket_sum_init(const struct verify_batch *batch, struct arena *arena,
                                     struct bucket_sum *out) {
    const struct field_kernel *field = batch->vdaf->flp.field;
    size_t groups = 0;
    for (const struct verify_outputs *at = batch->outputs; at != NULL; at = at->older) {
        groups++;
    }
    const size_t len = batch->vdaf->flp.circuit.output_len;
    out->piece = len < PIECE_MAX ? len : PIECE_MAX;
    out->vectors = ARENA_ARRAY(arena, const uint64_t *, groups);
    out->masks = ARENA_ARRAY(arena, lane_mask, groups);
    out->total = arena_reserve(arena, out->piece * field->words, sizeof(uint64_t));
    uint8_t *encoded = arena_reserve(arena, out->piece * field->encoded_size, field->lanes);
    if (out->vectors == NULL || out->masks == NULL || out->total == NULL || encoded == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (unsigned lane = 0; lane < field->lanes; lane++) {
        out->encoded[lane] = encoded + lane * out->piece * field->encoded_size;
    }
    return OK;
}

/* Adds the reports of one bucket, lane by lane, then the lanes. The aggregate
 * share is canonical. */
static void bucket_add(const struct verify_batch *batch, struct bucket_sum *sum,
                       uint8_t agg_share[]) {
    const struct field_kernel *field = batch->vdaf->flp.field;
    const size_t len = batch->vdaf->flp.circuit.output_len;
    for (size_t done = 0; done < len; done += sum->piece) {
        const size_t n = len - done < sum->piece ? len - done : sum->piece;
        field->sum_vectors(sum->total, sum->vectors, sum->masks, sum->count, n);
        field->encode(sum->encoded, sum->total, n);
        for (unsigned lane = 0; lane < field->lanes; lane++) {
            const bool added = field_add_encoded(field, agg_share + done * field->encoded_size,
                                                 sum->encoded[lane], n);
            assert(added);
            (void)added;
        }
        for (size_t i = 0; i < sum->count; i++) {
            sum->vectors[i] += n * field->words;
        }
    }
}

struct status verify_batch_accumulate(const struct verify_batch *batch,
                                      const uint32_t bucket_of[], uint8_t *const agg_shares[],
                                      size_t buckets) {
    struct arena arena = ARENA_INIT;
    struct bucket_sum sum;
    struct status status = bucket_sum_init(batch, &arena, &sum);
    for (size_t bucket = 0; bucket < buckets && status_ok(status); bucket++) {
        sum.count = 0;
        for (const struct verify_outputs *at = batch->outputs; at != NULL; at = at->older) {
            const lane_mask lanes = lanes_for(batch, at, bucket_of, bucket);
            if (lanes != 0) {
                sum.vectors[sum.count] = at->vector;
                sum.masks[sum.count++] = lanes;
            }
        }
        if (sum.count == 0) {
            continue;
        }
        if (!field_is_canonical(batch->vdaf->flp.field, agg_shares[bucket],
                                vdaf_result_len(batch->vdaf))) {
            status = FAIL(INVALID_MESSAGE);
        } else {
            bucket_add(batch, &sum, agg_shares[bucket]);
        }
    }
    arena_release(&arena);
    return status;
}

struct status verify_batch_subtract(const struct verify_batch *batch, size_t i,
                                    uint8_t agg_share[]) {
    const struct vdaf *vdaf = batch->vdaf;
    assert(i < batch->count && batch->reports[i].verify_state != NULL);
    struct arena arena = ARENA_INIT;
    uint8_t *output = arena_alloc(&arena, vdaf_agg_share_size(vdaf), 1);
    if (output == NULL) {
        return FAIL(NO_MEMORY);
    }
    verify_outputs_encode(batch, i, output);
    const bool subtracted =
        field_sub_encoded(vdaf->flp.field, agg_share, output, vdaf_result_len(vdaf));
    arena_release(&arena);
    return subtracted ? OK : FAIL(INVALID_MESSAGE);
}

struct status verify_batch_out_share(const struct verify_batch *batch, size_t i,
                                     struct arena *arena, struct span *out) {
    assert(i < batch->count && finished(&batch->reports[i]));
    uint8_t *output = arena_alloc(arena, vdaf_agg_share_size(batch->vdaf), 1);
    if (output == NULL) {
        return FAIL(NO_MEMORY);
    }
    verify_outputs_encode(batch, i, output);
    *out = span_of(output, vdaf_agg_share_size(batch->vdaf));
    return OK;
}
