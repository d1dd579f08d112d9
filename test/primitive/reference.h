/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_PRIMITIVE_REFERENCE_H
#define MOIETY_TEST_PRIMITIVE_REFERENCE_H

#include <stdbool.h>

#include "primitive/field.h"
#include "primitive/x25519.h"

/*
 * What kernels are held against. reference_libraries.c has it of others: GMP
 * and libsodium. reference_plain.c is for builds without libraries, for another
 * processor: the plainest arithmetic there is, and the portable X25519 kernel,
 * which the other build holds against libsodium.
 */

/* a + b, a - b and a * b modulo p, for a and b below it. */
typedef field_value reference_operation(field_value p, field_value a, field_value b);
reference_operation reference_add, reference_sub, reference_mul;

/* Whether p is prime; the plain one makes Fermat's test alone. */
bool reference_prime(field_value p);

/* X25519; false, and zeros, for a point of small order. */
bool reference_x25519(uint8_t out[X25519_SIZE], const uint8_t scalar[X25519_SIZE],
                      const uint8_t point[X25519_SIZE]);

#endif
