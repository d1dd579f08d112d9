/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/portable.h"

#define LANE_IS_SCALAR
#include "rate/rate_kernel.h"
