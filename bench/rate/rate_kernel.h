/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel of rate.h: include it after a lane header; it defines the struct
 * rate_kernel rate_<lane type>.
 */
#include "primitive/kernel_name.h"
#include "rate/rate.h"

/* Has the compiler make a value here and forget what it is. */
static inline void keep(lane *a) {
#if defined(__AVX512F__)
    __asm__ volatile("" : "+v"(*a));
#elif defined(__AVX2__)
    __asm__ volatile("" : "+x"(*a));
#elif defined(__aarch64__) && !defined(LANE_IS_SCALAR)
    __asm__ volatile("" : "+w"(*a));
#else
    __asm__ volatile("" : "+r"(*a));
#endif
}

/* Many operations a round, so that the loop costs nothing beside them. */
#define RATE_FUNCTION(name, operation)                                    \
    static void name(size_t rounds) {                                     \
        lane chains[RATE_CHAINS], b = lane_splat(UINT32_MAX - 2), c = b;  \
        for (unsigned i = 0; i < RATE_CHAINS; i++) {                      \
            chains[i] = lane_splat(i + 3);                                \
        }                                                                 \
        keep(&b);                                                         \
        keep(&c);                                                         \
        (void)c;                                                          \
        for (size_t round = 0; round < rounds; round++) {                 \
            _Pragma("GCC unroll 96")                                      \
            for (unsigned i = 0; i < RATE_OPERATIONS; i++) {              \
                lane a = chains[i % RATE_CHAINS];                         \
                operation;                                                \
                keep(&a);                                                 \
                chains[i % RATE_CHAINS] = a;                              \
            }                                                             \
        }                                                                 \
    }

/* From operands that the compiler can't know to be the same again: a chain would
 * leave the processor less of a choice. */
RATE_FUNCTION(simple, a = lane_add(b, c); keep(&b))
#if defined(LANE_IS_SCALAR)
/* The high half comes with the low one. */
RATE_FUNCTION(multiply, lane high; a = lane_mul_wide(a, b, &high); a = high)
enum { FACTOR_BITS = 64 };
#else
RATE_FUNCTION(multiply, a = lane_mul_32(a, b))
enum { FACTOR_BITS = 32 };
#endif
#if defined(__AVX512IFMA__)
RATE_FUNCTION(multiply_low_52, a = lane_mul_add_low_52(a, a, b))
#endif

const struct rate_kernel KERNEL_NAME(rate) = {
    .simple = simple,
    .multiply = multiply,
    .factor_bits = FACTOR_BITS,
#if defined(__AVX512IFMA__)
    .multiply_52 = multiply_low_52,
#endif
};
