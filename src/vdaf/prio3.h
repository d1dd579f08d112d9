/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_VDAF_PRIO3_H
#define MOIETY_VDAF_PRIO3_H

#include "vdaf/internal.h"

/* Prio3 (VDAF, section 7): what sharding and verification have in common. */

/* Section 7.2, table of usages. */
enum prio3_usage {
    PRIO3_MEAS_SHARE = 1,
    PRIO3_PROOF_SHARE = 2,
    PRIO3_JOINT_RANDOMNESS = 3,
    PRIO3_PROVE_RANDOMNESS = 4,
    PRIO3_QUERY_RANDOMNESS = 5,
    PRIO3_JOINT_RAND_SEED = 6,
    PRIO3_JOINT_RAND_PART = 7,
};

/* The longest context: a domain separation tag's length has two bytes. */
enum { PRIO3_CTX_MAX = XOF_DST_MAX - XOF_PREFIX_SIZE };

/* Bytes of each lane. */
typedef const uint8_t *const *lane_bytes;

/* The scratch of one thread for one group of lanes after the other; secret,
 * and wiped with its arena. Lengths in elements of all lanes. */
struct prio3_work {
    const struct vdaf *vdaf;
    struct arena arena;
    struct flp_work flp;
    struct turboshake *sponge;
    uint64_t *meas;        /* flp_meas_room(), zeros after meas_len */
    uint64_t *proofs;      /* all proofs */
    uint64_t *joint_rands; /* of all proofs, as factors */
    uint64_t *rands;       /* prove or query randomness of all proofs */
    uint64_t *verifiers;   /* of all proofs */
    struct xof_tag tag;
    uint8_t zeros[XOF_SEED_SIZE];
};

/* Without room for a measurement, `meas` is for the caller to set. */
struct status prio3_work_init(struct prio3_work *work, const struct vdaf *vdaf, bool with_meas);
/* Zeros after the meas_len elements of a measurement. */
void prio3_clear_padding(const struct vdaf *vdaf, uint64_t meas[]);
void prio3_work_release(struct prio3_work *work);

/* A group's contexts, which have one length. */
struct prio3_ctx {
    const uint8_t *bytes[SIMD_LANES_MAX];
    size_t len;
};

/* helper_meas_share and helper_proofs_share, from the share's seed. */
void prio3_expand_meas(struct prio3_work *work, const struct prio3_ctx *ctx, unsigned share,
                       lane_bytes seed, uint64_t meas[]);
void prio3_expand_proofs(struct prio3_work *work, const struct prio3_ctx *ctx, unsigned share,
                         lane_bytes seed, uint64_t proofs[]);
/* prove_rands and query_rands: binder is the number of proofs, then, for the
 * latter, the nonce. */
void prio3_expand_rands(struct prio3_work *work, const struct prio3_ctx *ctx,
                        enum prio3_usage usage, lane_bytes seed, lane_bytes nonce,
                        uint64_t rands[], size_t n);
/* joint_rand_part; `meas` is the measurement share, whose words are those of
 * its encoding. */
void prio3_joint_rand_part(struct prio3_work *work, const struct prio3_ctx *ctx, unsigned share,
                           lane_bytes blind, lane_bytes nonce, const uint64_t meas[],
                           uint8_t *const out[]);
/* joint_rand_seed: parts[j] is aggregator j's in each lane. */
void prio3_joint_rand_seed(struct prio3_work *work, const struct prio3_ctx *ctx,
                           const lane_bytes parts[], uint8_t *const out[]);
/* joint_rands, as factors, into work->joint_rands. */
void prio3_expand_joint_rands(struct prio3_work *work, const struct prio3_ctx *ctx,
                              lane_bytes seed);

static inline bool prio3_has_joint_rand(const struct vdaf *vdaf) {
    return vdaf->flp.circuit.joint_rand_len > 0;
}
static inline size_t prio3_encoded_meas_size(const struct vdaf *vdaf) {
    return vdaf->flp.circuit.meas_len * vdaf->flp.field->encoded_size;
}
static inline size_t prio3_encoded_proofs_size(const struct vdaf *vdaf) {
    return vdaf->flp.proof_len * vdaf->proofs * vdaf->flp.field->encoded_size;
}
static inline size_t prio3_encoded_verifiers_size(const struct vdaf *vdaf) {
    return vdaf->flp.verifier_len * vdaf->proofs * vdaf->flp.field->encoded_size;
}
/* Of a joint randomness part, seed or blind, if there are any. */
static inline size_t prio3_joint_rand_size(const struct vdaf *vdaf) {
    return prio3_has_joint_rand(vdaf) ? XOF_SEED_SIZE : 0;
}

/* Members of prio3_scheme. */
struct status prio3_shard(const struct vdaf *vdaf, const struct shard_input inputs[],
                          size_t count, struct arena *arena, struct shard_output outputs[]);
struct status prio3_verify_init(struct verify_batch *batch, const struct verify_input inputs[]);
struct status prio3_shares_to_message(const struct vdaf *vdaf, struct span agg_param,
                                      const struct span ctx[], const struct span shares[],
                                      size_t count, struct arena *arena, struct span messages[],
                                      enum status_code verdicts[]);
struct status prio3_verify_next(struct verify_batch *batch, struct verify_report *report,
                                struct span message);

#endif
