/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/neon.h"

#include "primitive/x25519_element_32.h"
#include "primitive/x25519_kernel.h"
