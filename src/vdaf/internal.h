/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_VDAF_INTERNAL_H
#define MOIETY_VDAF_INTERNAL_H

#include <assert.h>

#include "primitive/kernels.h"
#include "vdaf/flp.h"
#include "vdaf/type.h"
#include "vdaf/verify.h"
#include "vdaf/xof.h"

/* What the files of this layer know of each other's structures. */

enum { VDAF_VERSION = 18, VDAF_SEED_SIZE = XOF_SEED_SIZE };

struct vdaf {
    const struct vdaf_type *type;
    const struct kernels *kernels;
    unsigned shares;
    unsigned proofs;
    struct vdaf_param params[VDAF_PARAMS_MAX];
    uint64_t values[VDAF_PARAMS_MAX]; /* of params, as the type takes them */
    size_t param_count;
    struct flp flp;
    struct vdaf *single; /* the same on one lane, where there are several; or NULL */
    struct arena arena;  /* of the flp's tables */
};

/* The output shares of up to a lane's number of reports, side by side as
 * primitive/field.h has them: output_len elements of each lane. */
struct verify_outputs {
    struct verify_outputs *older;
    uint64_t *vector; /* may hold anything in lanes that aren't used */
    unsigned used;
    uint32_t report[SIMD_LANES_MAX]; /* which one is in a lane */
};

/* One report in a batch, as small as can be: where proofs are short, writing it
 * takes a good part of the time. Spans borrow the batch's arena. */
struct verify_report {
    enum status_code verdict : 8;
    enum verify_state state : 8;
    unsigned round : 8;
    unsigned lane : 8;
    struct span ctx;
    struct span share;    /* the aggregator's verifier share of this round */
    struct span outbound;
    /* After verify_init, NULL before: vdaf_scheme.state_size bytes, and where
     * the output share is, or will be once the report is finished. */
    uint8_t *verify_state;
    struct verify_outputs *outputs;
};

struct verify_batch {
    const struct vdaf *vdaf;
    unsigned aggregator_id;
    struct span agg_param;
    size_t count; /* below 2^32 */
    struct verify_outputs *outputs; /* the newest */
    struct arena arena;
    struct verify_report reports[]; /* nothing secret in them, unlike in the arena */
};

/* Room for more output shares, of flp_output_room() elements; its vector is for
 * the caller to fill. */
struct status verify_outputs_new(struct verify_batch *batch, struct verify_outputs **out);
/* Gives the next lane to a report. */
static inline void verify_outputs_assign(struct verify_batch *batch,
                                         struct verify_outputs *outputs, size_t report) {
    assert(outputs->used < batch->vdaf->kernels->lanes);
    batch->reports[report].outputs = outputs;
    batch->reports[report].lane = outputs->used;
    outputs->report[outputs->used++] = (uint32_t)report;
}
/* One report's output share: to its encoding, and from it into a lane of its
 * own; the encoding is canonical. */
void verify_outputs_encode(const struct verify_batch *batch, size_t report, uint8_t encoded[]);
struct status verify_outputs_decode(struct verify_batch *batch, size_t report,
                                    const uint8_t encoded[]);

/*
 * The algorithms of a VDAF, on batches. A report that is at fault gets a
 * verdict; a failure is for want of memory alone.
 */
struct vdaf_scheme {
    unsigned rounds;
    size_t (*rand_size)(const struct vdaf *vdaf);
    size_t (*public_share_size)(const struct vdaf *vdaf);
    size_t (*input_share_size)(const struct vdaf *vdaf, unsigned share);
    /* Of the verify state, beside the output share; any bytes are one. */
    size_t (*state_size)(const struct vdaf *vdaf);
    bool (*agg_param_valid)(const struct vdaf *vdaf, struct span agg_param);
    struct status (*shard)(const struct vdaf *vdaf, const struct shard_input inputs[],
                           size_t count, struct arena *arena, struct shard_output outputs[]);
    /* For reports in good standing: sets share, verify_state and outputs. */
    struct status (*verify_init)(struct verify_batch *batch, const struct verify_input inputs[]);
    struct status (*shares_to_message)(const struct vdaf *vdaf, struct span agg_param,
                                       const struct span ctx[], const struct span shares[],
                                       size_t count, struct arena *arena,
                                       struct span messages[], enum status_code verdicts[]);
    /* One report: checks the message and moves to the next round, setting
     * share, or to the output share in the last. */
    struct status (*verify_next)(struct verify_batch *batch, struct verify_report *report,
                                 struct span message);
};

/* Reports that go through a kernel together, one a lane: all of a length of
 * context. Lanes from `used` on repeat the first one. */
struct lane_group {
    unsigned used;
    size_t index[SIMD_LANES_MAX];
};

struct lane_item {
    uint32_t index;
    uint32_t ctx_len;
};
/* Room for `count` of them, to be written before they are read; or NULL. */
static inline struct lane_item *lane_items_new(struct arena *arena, size_t count) {
    return count > UINT32_MAX ? NULL : arena_reserve(arena, count, sizeof(struct lane_item));
}

/* The next group of items from *at on, which moves behind it; false at the
 * end. */
static inline bool lane_group_next(const struct kernels *kernels, const struct lane_item items[],
                                   size_t count, size_t *at, struct lane_group *out) {
    if (*at == count) {
        return false;
    }
    const struct lane_item *first = &items[*at];
    out->used = 0;
    while (out->used < kernels->lanes && *at < count && items[*at].ctx_len == first->ctx_len) {
        out->index[out->used++] = items[(*at)++].index;
    }
    for (unsigned lane = out->used; lane < kernels->lanes; lane++) {
        out->index[lane] = first->index;
    }
    return true;
}

#endif
