/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/portable.h"

#include "primitive/field.h"
#include "primitive/field128_element_portable.h"
#include "primitive/field_kernel.h"
