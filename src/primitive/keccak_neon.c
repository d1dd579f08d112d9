/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/neon.h"

#include "primitive/keccak_kernel.h"
