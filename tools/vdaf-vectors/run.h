/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TOOLS_VDAF_VECTORS_RUN_H
#define MOIETY_TOOLS_VDAF_VECTORS_RUN_H

#include "vector.h"

enum outcome { PASSED, FAILED, SKIPPED };

/* Runs everything that a vector has. `name` is for messages on standard
 * error, which say what went wrong. SKIPPED: this build has no such VDAF or
 * XOF. */
enum outcome run_vdaf(const char *name, struct vector *vector);
enum outcome run_xof(const char *name, struct vector *vector);

/* Whether the bytes are those of the vector's value; says so if not. */
bool expect_bytes(const char *name, struct vector *vector, const char *what, const char *key,
                  struct span got);

#endif
