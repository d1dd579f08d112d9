/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_CT_REVEAL_H
#define MOIETY_TEST_CT_REVEAL_H

#include <stdbool.h>

/*
 * What sharding reveals, and nothing else is declassified for it:
 *
 *   - Whether a sample that an XOF drew lies outside of the field and was drawn
 *     again (VDAF, section 6.2.1: rejection sampling). It depends on the seed
 *     alone, never on the measurement; a sample is rejected by chance, once in
 *     2^32 (Field64) or 2^59 (Field128), and tells nothing of those kept.
 *   - Whether the measurement is in range at all, which the caller is told.
 *
 * Both are revealed where functions return them: by reveal.c for the kernels'
 * sample() and for the redrawing of a lane number by number, by shard.c for the
 * types' check(). sample() branches on its own verdict: valgrind.supp.
 */

/* Has every sample of a lane be drawn again, which is otherwise too rare. */
extern bool reveal_reject_first;

#endif
