/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_MUTATOR_H
#define MOIETY_TEST_MUTATOR_H

#include "base/bytes.h"

/* A copy of `seed` with up to four mutations: bits flipped, bytes changed, runs
 * inserted, doubled, deleted, the end cut off. At most `capacity` bytes, in
 * memory of exactly that size, so that AddressSanitizer sees any read beyond
 * it. The sequence of mutants is the same in every process. Aborts if out of
 * memory. Free with mutant_free(). */
struct span mutant_of(struct span seed, size_t capacity);
void mutant_free(struct span mutant);

#endif
