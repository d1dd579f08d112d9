/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/avx512.h"

#include "primitive/keccak_kernel.h"
