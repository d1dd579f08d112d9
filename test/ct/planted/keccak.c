/* SPDX-License-Identifier: Apache-2.0 */
/* A Keccak kernel that leaks words of the state. */
#include PLANTED_LANE

#include "leak.h"

static inline lane planted_xor_andnot(lane a, lane b, lane c) {
    planted_leak(a);
    return lane_xor_andnot(a, b, c);
}
#define lane_xor_andnot planted_xor_andnot
#include "primitive/keccak_kernel.h"
