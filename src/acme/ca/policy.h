/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_POLICY_H
#define MOIETY_ACME_CA_POLICY_H

#include "acme/identifier.h"

/*
 * For which names a CA issues at all, as its operator says. The server checks
 * it when an order comes, and the signer again before it signs.
 */
struct ca_network {
    uint8_t address[16];
    unsigned size; /* of the address: 4 or 16 bytes */
    unsigned bits; /* that must be the same */
};

struct ca_policy {
    const char *const *domains; /* lower case; a name is in one, or below it */
    size_t domain_count;
    const struct ca_network *networks;
    size_t network_count;
    bool any; /* no list was given: every name and address is allowed */
};

/* "10.0.0.0/8", "fd00::/8", or an address alone. INVALID_ARGUMENT. */
struct status ca_network_parse(const char *text, struct ca_network *out);

bool ca_policy_allows(const struct ca_policy *policy, const struct acme_identifier *identifier);

#endif
