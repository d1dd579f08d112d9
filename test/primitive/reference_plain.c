/* SPDX-License-Identifier: Apache-2.0 */
#include "reference.h"

field_value reference_add(field_value p, field_value a, field_value b) {
    return a >= p - b ? a - (p - b) : a + b;
}

field_value reference_sub(field_value p, field_value a, field_value b) {
    return a >= b ? a - b : a + (p - b);
}

/* Bit by bit: doubles and adds. */
field_value reference_mul(field_value p, field_value a, field_value b) {
    field_value product = 0;
    for (int bit = 127; bit >= 0; bit--) {
        product = reference_add(p, product, product);
        product = reference_add(p, product, b >> bit & 1 ? a : 0);
    }
    return product;
}

bool reference_prime(field_value p) {
    field_value power = 1;
    for (int bit = 127; bit >= 0; bit--) {
        power = reference_mul(p, power, power);
        power = (p - 1) >> bit & 1 ? reference_mul(p, power, 3) : power;
    }
    return power == 1; /* 3^(p - 1) */
}

bool reference_x25519(uint8_t out[X25519_SIZE], const uint8_t scalar[X25519_SIZE],
                      const uint8_t point[X25519_SIZE]) {
    return x25519_portable.multiply((uint8_t(*)[X25519_SIZE])out, &scalar, &point, 1) != 0;
}
