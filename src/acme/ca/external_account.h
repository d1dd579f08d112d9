/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_EXTERNAL_ACCOUNT_H
#define MOIETY_ACME_CA_EXTERNAL_ACCOUNT_H

#include "acme/ca/exchange.h"

/*
 * Reads and verifies the external account binding of a newAccount request (RFC
 * 8555 section 7.3.4). `*kid` is NULL if there is none and none is needed;
 * `*profiles` are those that the key allows, `*binding` the binding as JSON. A
 * key that was bound to another account is refused.
 */
struct status external_account_read(struct ca_exchange *x, const char **kid,
                                    const char **profiles, const char **binding);

#endif
