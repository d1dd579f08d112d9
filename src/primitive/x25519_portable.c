/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/portable.h"

#include "primitive/x25519_element_portable.h"
#include "primitive/x25519_kernel.h"
