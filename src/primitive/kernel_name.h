/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_PRIMITIVE_KERNEL_NAME_H
#define MOIETY_PRIMITIVE_KERNEL_NAME_H

/* KERNEL_NAME(keccak) is keccak_portable where LANE is portable. */
#define KERNEL_JOIN_(primitive, lane_type) primitive##_##lane_type
#define KERNEL_JOIN(primitive, lane_type) KERNEL_JOIN_(primitive, lane_type)
#define KERNEL_NAME(primitive) KERNEL_JOIN(primitive, LANE)

#endif
