/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_VDAF_TYPE_H
#define MOIETY_VDAF_TYPE_H

#include "simd/barrier.h"
#include "vdaf/flp.h"
#include "vdaf/vdaf.h"

/*
 * A type of VDAF: one const struct, named vdaf_type_<its file>, in one file of
 * type/, which is all that it takes to add one. See docs of each member.
 */
enum { VDAF_PARAMS_MAX = 4 };

/* Bounds that keep every size far below 2^32 bytes and memory sane. */
enum { VDAF_MEAS_LEN_MAX = 1 << 22, VDAF_PROOFS_LEN_MAX = 1 << 23 };

struct vdaf_type;

struct vdaf_param_spec {
    const char *name; /* NULL after the last */
    uint64_t max;     /* the least is 1 */
    unsigned size;    /* bytes in DAP's encoding of the configuration, 4 or 8 */
    bool optional;    /* `choose` fills it in */
};

/* How one VDAF runs its algorithms; a type names it. */
struct vdaf_scheme;
extern const struct vdaf_scheme prio3_scheme;

struct vdaf_type {
    const char *name;
    uint32_t codepoint;
    bool in_dap; /* has a codepoint and an encoding of its configuration there */
    struct vdaf_param_spec params[VDAF_PARAMS_MAX + 1]; /* in the order of DAP's encoding */
    const struct vdaf_scheme *scheme;
    enum { VDAF_FIELD64, VDAF_FIELD128 } field;

    /* Optional: fills in parameters that were left out, which are 0. All
     * others are within their bounds. */
    void (*choose)(uint64_t params[]);
    /* The number of proofs; NULL for one. */
    unsigned (*proofs)(const uint64_t params[]);
    /* INVALID_ARGUMENT if the parameters don't fit together. */
    struct status (*configure)(const uint64_t params[], struct circuit *out);

    /* Values in a measurement; the result has circuit.output_len. */
    size_t (*measurement_len)(const struct circuit *circuit);
    /* Whether the values are a measurement, in constant time. */
    bool (*check)(const struct circuit *circuit, const uint64_t params[],
                  const uint64_t values[]);
    /* The elements of a checked measurement, in constant time. */
    void (*encode)(const struct circuit *circuit, const uint64_t values[], uint64_t meas[]);
};

/* The types in this build, by name, or by codepoint where DAP knows it; NULL
 * if there is none. */
const struct vdaf_type *vdaf_type_by_name(const char *name);
const struct vdaf_type *vdaf_type_by_codepoint(uint32_t codepoint);

/* As vdaf_new(), for a type that need not be in the registry, with its
 * parameters in order, and with fewer proofs than the draft allows to be relied
 * on. Parameters that are optional may be 0. */
struct status vdaf_new_of_type(const struct vdaf_type *type, const uint64_t params[],
                               unsigned shares, struct vdaf **out);

/*
 * What several types share.
 */

/* Fills in what `calls` range checks, `chunk` at a time, need. meas_len is set.
 * INVALID_ARGUMENT if it is out of bounds. */
struct status circuit_range_checks(struct circuit *circuit, uint64_t chunk);
/* The integer square root, but at least 1: the draft's advice for a chunk. */
uint64_t circuit_chunk_for(uint64_t gadget_inputs);
/* Sets `bits` and `last_weight` for integers in [0, max]. */
void circuit_set_range(struct circuit *circuit, uint64_t max);
/* encode_range_checked_int (VDAF, section 7.4.2) in constant time. */
void circuit_encode_range(const struct circuit *circuit, uint64_t value, uint64_t meas[]);
/* 1 if a <= b, else 0, in constant time. */
static inline uint64_t circuit_at_most(uint64_t a, uint64_t b) {
    return value_barrier(1 ^ ((b ^ ((a ^ b) | ((b - a) ^ a))) >> 63));
}

/* For circuit.eval: the sum of all the gadget's outputs. */
void circuit_eval_sum(const struct flp *flp, const struct flp_eval *eval, uint64_t out[]);
/* For circuit.truncate: the first output_len elements; or a range of `bits`
 * elements for each. */
void circuit_truncate_ranges(const struct flp *flp, const uint64_t meas[], uint64_t out[]);
/* For measurement_len: one; or as many as `length` says. */
size_t circuit_one_value(const struct circuit *circuit);
size_t circuit_length_values(const struct circuit *circuit);

#endif
