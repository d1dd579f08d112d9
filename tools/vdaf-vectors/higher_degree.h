/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TOOLS_VDAF_VECTORS_HIGHER_DEGREE_H
#define MOIETY_TOOLS_VDAF_VECTORS_HIGHER_DEGREE_H

#include "vdaf/type.h"

/* Prio3HigherDegree, a type that the draft has for test vectors alone: the
 * circuit m (m - 1) (m - 2), with a gadget of degree three. Not in the
 * library's registry. */
extern const struct vdaf_type vdaf_type_higher_degree;

#endif
