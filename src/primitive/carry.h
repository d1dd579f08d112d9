/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_PRIMITIVE_CARRY_H
#define MOIETY_PRIMITIVE_CARRY_H

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/*
 * Sums and differences of 64-bit limbs with a carry or borrow of 0 or 1, read
 * and written. Compilers make branches out of comparisons of wider integers,
 * and out of overflow checks, but not out of these.
 */
static inline uint64_t add_carry(uint64_t a, uint64_t b, uint64_t *carry) {
#if defined(__x86_64__)
    unsigned long long sum;
    *carry = _addcarry_u64((unsigned char)*carry, a, b, &sum);
    return sum;
#else
    const unsigned __int128 sum = (unsigned __int128)a + b + *carry;
    *carry = (uint64_t)(sum >> 64);
    return (uint64_t)sum;
#endif
}

static inline uint64_t sub_borrow(uint64_t a, uint64_t b, uint64_t *borrow) {
#if defined(__x86_64__)
    unsigned long long difference;
    *borrow = _subborrow_u64((unsigned char)*borrow, a, b, &difference);
    return difference;
#else
    const unsigned __int128 difference = (unsigned __int128)a - b - *borrow;
    *borrow = (uint64_t)(difference >> 64) & 1;
    return (uint64_t)difference;
#endif
}

#endif
