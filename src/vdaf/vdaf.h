/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_VDAF_VDAF_H
#define MOIETY_VDAF_VDAF_H

#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

/*
 * An instance of a VDAF (draft-irtf-cfrg-vdaf-20, section 5): a type with its
 * parameters and its number of shares. Immutable once made, so any number of
 * threads may share one.
 */
struct vdaf;

enum { VDAF_NONCE_SIZE = 16, VDAF_SHARES_MAX = 255 };

/* One named parameter as people write it, such as {"length", 100}. */
struct vdaf_param {
    const char *name;
    uint64_t value;
};

/* By name and parameters: "Prio3Count"; "Prio3Sum" {max_measurement};
 * "Prio3SumVec" {length, max_measurement, chunk_length}; "Prio3Histogram"
 * {length, chunk_length}; "Prio3MultihotCountVec" {length, max_weight,
 * chunk_length}; "Prio3SumVecWithMultiproof" {length, max_measurement,
 * chunk_length, proofs}. A chunk_length that is left out is chosen as the
 * draft advises (about the square root of the number of gadget inputs).
 * INVALID_ARGUMENT if the name or a parameter is unknown, missing or out of
 * range: at most 2^22 elements in a measurement, where a number takes one for
 * each bit, or in a chunk; at least three proofs. UNSUPPORTED_ALGORITHM is not
 * used here. */
struct status vdaf_new(const char *name, const struct vdaf_param params[], size_t count,
                       unsigned shares, struct vdaf **out);

/* By DAP codepoint and the encoding of DAP's appendix "VDAF Configuration
 * Encodings". Two shares. UNSUPPORTED_ALGORITHM for a codepoint that this
 * build doesn't know, INVALID_MESSAGE for a bad configuration. */
struct status vdaf_from_config(uint32_t codepoint, struct span config, struct vdaf **out);
void vdaf_free(struct vdaf *vdaf);

const char *vdaf_name(const struct vdaf *vdaf);
uint32_t vdaf_codepoint(const struct vdaf *vdaf);
/* The parameters in the order of the draft's encoding; returns their number. */
size_t vdaf_params(const struct vdaf *vdaf, const struct vdaf_param **out);
/* Appends vdaf_configuration as DAP encodes it. UNSUPPORTED_ALGORITHM for a
 * type that DAP gives no encoding (Prio3SumVecWithMultiproof). */
struct status vdaf_encode_config(const struct vdaf *vdaf, struct buffer *out);

/* Sizes in bytes, fixed by the instance. Share 0 is the leader's. */
unsigned vdaf_shares(const struct vdaf *vdaf);
unsigned vdaf_rounds(const struct vdaf *vdaf);
size_t vdaf_verify_key_size(const struct vdaf *vdaf);
size_t vdaf_rand_size(const struct vdaf *vdaf);
size_t vdaf_public_share_size(const struct vdaf *vdaf);
size_t vdaf_input_share_size(const struct vdaf *vdaf, unsigned share);
size_t vdaf_agg_share_size(const struct vdaf *vdaf);
/* Values in a measurement and in a result: Prio3Count 1 and 1; Sum 1 and 1;
 * SumVec and MultihotCountVec length and length; Histogram 1 (the bucket's
 * index) and length. */
size_t vdaf_measurement_len(const struct vdaf *vdaf);
size_t vdaf_result_len(const struct vdaf *vdaf);

/* From text: one number, or numbers separated by commas, with optional
 * brackets. INVALID_ARGUMENT if it is not a valid measurement. `values` has
 * room for vdaf_measurement_len(). */
struct status vdaf_parse_measurement(const struct vdaf *vdaf, struct span text, uint64_t values[]);
/* INVALID_ARGUMENT if the values are out of the type's range. */
struct status vdaf_check_measurement(const struct vdaf *vdaf, const uint64_t values[],
                                     size_t count);

/* OK if the encoded aggregation parameter decodes and is_valid(param, [])
 * (section 5.3); for Prio3 that is the empty string alone. Otherwise
 * INVALID_AGGREGATION_PARAMETER. */
struct status vdaf_check_agg_param(const struct vdaf *vdaf, struct span agg_param);

/*
 * Sharding (section 5.1), for a batch of `count` reports of one shape. All
 * outputs are encoded as the draft says and live in the arena.
 * rand: vdaf_rand_size() bytes for each report, from a secure generator.
 */
struct shard_input {
    struct span ctx;
    const uint8_t *nonce; /* VDAF_NONCE_SIZE bytes: DAP's report ID */
    const uint8_t *rand;
    const uint64_t *values; /* vdaf_measurement_len() */
};
struct shard_output {
    struct span public_share;
    struct span *input_shares; /* vdaf_shares() of them */
};
struct status vdaf_shard(const struct vdaf *vdaf, const struct shard_input inputs[], size_t count,
                         struct arena *arena, struct shard_output outputs[]);

/*
 * Aggregate shares (section 5.4) in their encoding, vdaf_agg_share_size()
 * bytes, owned by the caller. agg_init() is all zero bytes for Prio3.
 */
void vdaf_agg_init(const struct vdaf *vdaf, uint8_t agg_share[]);
/* into += from. INVALID_MESSAGE if either is not a canonical encoding. */
struct status vdaf_agg_merge(const struct vdaf *vdaf, uint8_t into[], struct span from);

/* A count or a sum. Wide, since a sum of 64-bit values needs more than 64
 * bits. */
typedef unsigned __int128 vdaf_value;

/* Section 5.5. `agg_shares` has vdaf_shares() elements, `values` room for
 * vdaf_result_len(). INVALID_MESSAGE if a share isn't well encoded. */
struct status vdaf_unshard(const struct vdaf *vdaf, struct span agg_param,
                           const struct span agg_shares[], uint64_t report_count,
                           vdaf_value values[]);

/* Appends a value in decimal. */
struct status vdaf_print_value(vdaf_value value, struct buffer *out);

#endif
