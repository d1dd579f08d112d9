/* SPDX-License-Identifier: Apache-2.0 */
#include "reference.h"

#include <gmp.h>
#include <sodium.h>

static void set_value(mpz_t out, field_value value) {
    const uint64_t words[2] = {(uint64_t)value, (uint64_t)(value >> 64)};
    mpz_import(out, 2, -1, sizeof(words[0]), 0, 0, words);
}

static field_value get_value(const mpz_t value) {
    uint64_t words[2] = {0, 0};
    mpz_export(words, NULL, -1, sizeof(words[0]), 0, 0, value);
    return (field_value)words[1] << 64 | words[0];
}

typedef void operation(mpz_t out, const mpz_t a, const mpz_t b);

static field_value calculate(operation *apply, field_value p, field_value a, field_value b) {
    mpz_t modulus, x, y;
    mpz_inits(modulus, x, y, NULL);
    set_value(modulus, p);
    set_value(x, a);
    set_value(y, b);
    apply(x, x, y);
    mpz_mod(x, x, modulus);
    const field_value result = get_value(x);
    mpz_clears(modulus, x, y, NULL);
    return result;
}

field_value reference_add(field_value p, field_value a, field_value b) {
    return calculate(mpz_add, p, a, b);
}

field_value reference_sub(field_value p, field_value a, field_value b) {
    return calculate(mpz_sub, p, a, b);
}

field_value reference_mul(field_value p, field_value a, field_value b) {
    return calculate(mpz_mul, p, a, b);
}

bool reference_prime(field_value p) {
    mpz_t modulus;
    mpz_init(modulus);
    set_value(modulus, p);
    const bool prime = mpz_probab_prime_p(modulus, 30) != 0;
    mpz_clear(modulus);
    return prime;
}

bool reference_x25519(uint8_t out[X25519_SIZE], const uint8_t scalar[X25519_SIZE],
                      const uint8_t point[X25519_SIZE]) {
    const bool good = crypto_scalarmult(out, scalar, point) == 0;
    if (!good) {
        sodium_memzero(out, X25519_SIZE);
    }
    return good;
}
