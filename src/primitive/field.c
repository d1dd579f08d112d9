/* SPDX-License-Identifier: Apache-2.0 */
#include "primitive/field.h"

#include "primitive/little_endian.h"
#include "simd/barrier.h"

static field_value load(const struct field_kernel *field, const uint8_t *encoded) {
    field_value high = field->limbs > 1 ? load_le64(encoded + 8) : 0;
    return high << 64 | load_le64(encoded);
}

static void store(const struct field_kernel *field, uint8_t *encoded, field_value value) {
    store_le64(encoded, (uint64_t)value);
    if (field->limbs > 1) {
        store_le64(encoded + 8, (uint64_t)(value >> 64));
    }
}

static const struct field_kernel *portable_of(const struct field_kernel *field) {
    return field->limbs == 1 ? &field64_portable : &field128_portable;
}

field_value field_mul_vartime(const struct field_kernel *field, field_value a, field_value b) {
    const struct field_kernel *scalar = portable_of(field);
    uint64_t x[FIELD_LIMBS_MAX], y[FIELD_LIMBS_MAX];
    scalar->splat(x, a);
    scalar->to_factor(x, x, 1);
    scalar->splat(y, b);
    scalar->mul(x, x, y, 1);
    uint8_t encoded[FIELD_BYTES_MAX];
    uint8_t *const lanes[] = {encoded};
    scalar->encode(lanes, x, 1);
    return load(scalar, encoded);
}

field_value field_pow_vartime(const struct field_kernel *field, field_value a, field_value e) {
    field_value power = 1;
    for (; e != 0; e >>= 1) {
        if (e & 1) {
            power = field_mul_vartime(field, power, a);
        }
        a = field_mul_vartime(field, a, a);
    }
    return power;
}

field_value field_inv_vartime(const struct field_kernel *field, field_value a) {
    return field_pow_vartime(field, a, field->modulus - 2);
}

field_value field_root_vartime(const struct field_kernel *field, unsigned log2) {
    return field_pow_vartime(field, field->generator_base, (field->modulus - 1) >> log2);
}

bool field_is_canonical(const struct field_kernel *field, const uint8_t encoded[], size_t n) {
    uint64_t good = 1;
    for (size_t i = 0; i < n; i++) {
        field_value unused;
        good &= (uint64_t)__builtin_sub_overflow(load(field, encoded + i * field->encoded_size),
                                                 field->modulus, &unused);
    }
    return good;
}

static field_value masked(uint64_t mask, field_value value) {
    return value & ((field_value)mask << 64 | mask);
}

/* a + b, or a - b if `negate` is 1, in constant time. */
static field_value combine(field_value p, field_value a, field_value b, unsigned negate) {
    /* a - b is a + (p - b), which may be p itself before it is reduced. */
    const uint64_t minus = mask_of(negate);
    b ^= masked(minus, b ^ (p - b));
    field_value sum, less;
    const bool carry = __builtin_add_overflow(a, b, &sum);
    const bool below = __builtin_sub_overflow(sum, p, &less);
    return sum ^ masked(mask_of(carry | !below), sum ^ less);
}

static bool combine_encoded(const struct field_kernel *field, uint8_t into[], const uint8_t from[],
                            size_t n, unsigned negate) {
    if (!field_is_canonical(field, into, n) || !field_is_canonical(field, from, n)) {
        return false;
    }
    for (size_t at = 0; at < n * field->encoded_size; at += field->encoded_size) {
        store(field, into + at,
              combine(field->modulus, load(field, into + at), load(field, from + at), negate));
    }
    return true;
}

bool field_add_encoded(const struct field_kernel *field, uint8_t into[], const uint8_t from[],
                       size_t n) {
    return combine_encoded(field, into, from, n, 0);
}

bool field_sub_encoded(const struct field_kernel *field, uint8_t into[], const uint8_t from[],
                       size_t n) {
    return combine_encoded(field, into, from, n, 1);
}
