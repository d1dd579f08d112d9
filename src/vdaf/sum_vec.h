/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_VDAF_SUM_VEC_H
#define MOIETY_VDAF_SUM_VEC_H

#include "vdaf/type.h"

/* The SumVec circuit (VDAF, section 7.4.3), which two types have in common:
 * sums of vectors of integers. Members of struct vdaf_type; the parameters
 * begin with length, max_measurement, chunk_length. */
void sum_vec_choose(uint64_t params[]);
struct status sum_vec_configure(const uint64_t params[], struct circuit *out);
bool sum_vec_check(const struct circuit *circuit, const uint64_t params[],
                   const uint64_t values[]);
void sum_vec_encode(const struct circuit *circuit, const uint64_t values[], uint64_t meas[]);

#endif
