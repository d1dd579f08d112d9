/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_VDAF_SUPPORT_H
#define MOIETY_TEST_VDAF_SUPPORT_H

#include <criterion/criterion.h>
#include <stdlib.h>

#include "simd/cpu.h"
#include "vdaf/verify.h"

/* Instances that the tests go through: one of every type. */
enum { COUNT, MULTIPROOF = 6, INSTANCES };
struct vdaf *instance_new(int i, unsigned shares);
/* One of two shares on a lane type; NULL if this machine lacks that. */
struct vdaf *instance_on(enum simd_type type, int i);

/* Reports of one instance, all with different bytes. Measurement i is valid. */
struct reports {
    const struct vdaf *vdaf;
    size_t count;
    uint8_t verify_key[32];
    struct span ctx;
    uint8_t (*nonces)[VDAF_NONCE_SIZE];
    uint64_t *values;
    struct shard_output *outputs;
    struct arena arena;
};

/* Reports with the context of the same length each. */
void reports_new(struct reports *reports, const struct vdaf *vdaf, size_t count);
void reports_release(struct reports *reports);
/* What aggregator `aggregator` gets; in the reports' arena. */
struct verify_input *reports_inputs(struct reports *reports, unsigned aggregator);

/* Bytes of a fixed sequence. */
void fill_bytes(uint8_t *out, size_t len, uint64_t seed);

/* An own copy at its exact size, so that ASan sees reads past it; free() its
 * data. */
struct span copy_exact(struct span bytes);

#endif
