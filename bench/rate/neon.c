/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/neon.h"

#include "rate/rate_kernel.h"
