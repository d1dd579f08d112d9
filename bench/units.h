/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BENCH_UNITS_H
#define MOIETY_BENCH_UNITS_H

#include "primitive/kernels.h"

/* Nanoseconds of one operation, for one of those that run side by side, on
 * operands in the first-level cache: a permutation, a multiplication with a
 * reduced result, and one whose result is added to a sum. */
double unit_permutation_ns(const struct keccak_kernel *keccak);
double unit_product_ns(const struct field_kernel *field);
double unit_term_ns(const struct field_kernel *field);

#endif
