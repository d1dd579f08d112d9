/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_DAP_CHECKSUM_H
#define MOIETY_DAP_CHECKSUM_H

#include "dap/messages.h"

/*
 * The checksum of a batch bucket: the XOR of the SHA-256 hashes of its report
 * IDs (draft 18, section 4.5.4.3), so the order of reports doesn't matter, and
 * adding one twice removes it. Only servers need it, which is why it is a
 * library of its own (moiety_checksum) that links libsodium. Pure.
 */
#define CHECKSUM_SIZE 32

void checksum_add(uint8_t checksum[CHECKSUM_SIZE], const struct report_id *id);
void checksum_merge(uint8_t checksum[CHECKSUM_SIZE], const uint8_t other[CHECKSUM_SIZE]);

#endif
