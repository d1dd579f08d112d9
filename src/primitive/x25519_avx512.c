/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/avx512.h"

#include "primitive/x25519_element_ifma.h"
#include "primitive/x25519_kernel.h"
