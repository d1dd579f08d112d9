/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_PRIMITIVE_KERNELS_H
#define MOIETY_PRIMITIVE_KERNELS_H

#include "base/status.h"
#include "primitive/field.h"
#include "primitive/keccak.h"

/* The kernels of one lane type; all have the same number of lanes. */
struct kernels {
    enum simd_type type;
    unsigned lanes;
    const struct keccak_kernel *keccak;
    const struct field_kernel *field64;
    const struct field_kernel *field128;
};

/* Those that this build has and this processor runs, or NULL. Thread-safe. */
const struct kernels *kernels_of(enum simd_type type);

/* The best there are, or those of the lane type that the environment variable
 * MOIETY_CPU names. INVALID_CONFIG, with a line in the log, if it names none or
 * one that can't run here. Thread-safe. */
struct status kernels_pick(const struct kernels **out);

#endif
