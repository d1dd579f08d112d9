/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/avx2.h"

#include "primitive/field.h"
#include "primitive/field64_element_64.h"
#include "primitive/field_kernel.h"
