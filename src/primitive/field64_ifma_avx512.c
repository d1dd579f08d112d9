/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/avx512.h"

#include "primitive/field.h"
#include "primitive/field64_element_ifma.h"
#include "primitive/field_kernel.h"
