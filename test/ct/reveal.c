/* SPDX-License-Identifier: Apache-2.0 */
#include "reveal.h"

#include "primitive/kernels.h"
#include "secrets.h"

/* The layer's own kernels.c under other names, to stand in front of it. */
const struct kernels *kernels_of_layer(enum simd_type type);
struct status kernels_pick_of_layer(const struct kernels **out);
#define kernels_of kernels_of_layer
#define kernels_pick kernels_pick_of_layer
#include "primitive/kernels.c"
#undef kernels_of
#undef kernels_pick

bool reveal_reject_first;

static lane_mask reveal_mask(lane_mask rejected) {
    secret_reveal(&rejected, sizeof(rejected));
    return rejected | (reveal_reject_first ? 1 : 0);
}

#define REVEALING(kernel)                                                              \
    static lane_mask sample_##kernel(uint64_t out[], const uint64_t words[], size_t n) { \
        return reveal_mask(kernel.sample(out, words, n));                              \
    }
REVEALING(field64_portable)
REVEALING(field128_portable)
#if defined(__x86_64__)
REVEALING(field64_avx2)
REVEALING(field128_avx2)
#endif

const struct kernels *kernels_of(enum simd_type type) {
    static struct kernels kernels[SIMD_TYPES];
    static struct field_kernel field64[SIMD_TYPES], field128[SIMD_TYPES];
    const struct kernels *real = kernels_of_layer(type);
    if (real == NULL) {
        return NULL;
    }
    field64[type] = *real->field64;
    field128[type] = *real->field128;
    if (type == SIMD_PORTABLE) {
        field64[type].sample = sample_field64_portable;
        field128[type].sample = sample_field128_portable;
    }
#if defined(__x86_64__)
    if (type == SIMD_AVX2) {
        field64[type].sample = sample_field64_avx2;
        field128[type].sample = sample_field128_avx2;
    }
#endif
    kernels[type] = *real;
    kernels[type].field64 = &field64[type];
    kernels[type].field128 = &field128[type];
    return &kernels[type];
}

static bool has_kernels(enum simd_type type) { return kernels_of(type) != NULL; }

struct status kernels_pick(const struct kernels **out) {
    enum simd_type type;
    TRY(simd_pick(has_kernels, &type));
    *out = kernels_of(type);
    return OK;
}

/* The linker has callers in other files call this one (--wrap). */
bool __real_field_is_canonical(const struct field_kernel *field, const uint8_t encoded[],
                               size_t n);
bool __wrap_field_is_canonical(const struct field_kernel *field, const uint8_t encoded[],
                               size_t n);
bool __wrap_field_is_canonical(const struct field_kernel *field, const uint8_t encoded[],
                               size_t n) {
    bool canonical = __real_field_is_canonical(field, encoded, n);
    secret_reveal(&canonical, sizeof(canonical));
    return canonical;
}
