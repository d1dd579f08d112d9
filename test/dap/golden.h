/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_DAP_GOLDEN_H
#define MOIETY_TEST_DAP_GOLDEN_H

#include "base/bytes.h"

/* One encoding of each message, written by hand from the draft. Aborts if there
 * is none by that name. Free with golden_free(). */
struct span golden_bytes(const char *message);
void golden_free(struct span bytes);

/* Bytes from hexadecimal digits; blanks are skipped. Free with golden_free(). */
struct span golden_hex(const char *hex);

#endif
