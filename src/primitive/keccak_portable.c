/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/portable.h"

#include "primitive/keccak_kernel.h"
