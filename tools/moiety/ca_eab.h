/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_CA_EAB_H
#define MOIETY_CA_EAB_H

#include "acme/ca/db.h"

/* Makes a key for one external account, which may use `profiles` (names with
 * spaces between; "" for all), stores it and appends it as text: its kid and its
 * key as clients take them. What failed was said. */
bool ca_eab_make(struct ca_db *db, const char *profiles, struct buffer *out);

#endif
