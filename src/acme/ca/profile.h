/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_PROFILE_H
#define MOIETY_ACME_CA_PROFILE_H

#include <stddef.h>
#include <stdint.h>

/*
 * What a certificate may be used for and how long it lives. A profile has a
 * name, which clients ask for (draft-ietf-acme-profiles) and external account
 * keys are bound to, and a role, which says what its holder is in a deployment.
 */
enum ca_role {
    CA_ROLE_AGGREGATOR, /* serves its peer and calls it */
    CA_ROLE_COLLECTOR,
    CA_ROLE_CLIENT, /* an uploading or ingesting client */
    CA_ROLE_WEB,    /* any server */
    CA_ROLE_COUNT,
};

enum { CA_USE_SERVER = 1, CA_USE_CLIENT = 2 };

struct ca_profile {
    const char *name;
    enum ca_role role;
    /* Seconds, counted inclusively (RFC 5280 section 4.1.2.5): notAfter is
     * notBefore + lifetime - 1. */
    uint32_t lifetime_s;
};

enum {
    CA_HOUR = 3600,
    CA_DAY = 24 * CA_HOUR,
    CA_LIFETIME_MIN = 60,
    CA_LIFETIME_MAX = 90 * CA_DAY,
    CA_PROFILES_MAX = 32,
};

/* What a CA issues whose configuration lists no profile: one for each role. */
extern const struct ca_profile ca_profiles_default[CA_ROLE_COUNT];

/* "aggregator" */
const char *ca_role_name(enum ca_role role);
/* For people: what the directory says of a profile of this role. */
const char *ca_role_text(enum ca_role role);
/* CA_USE_..., together the extended key usages. */
unsigned ca_role_uses(enum ca_role role);

/* How long before the moment of issuance a certificate becomes valid, for
 * verifiers whose clock is behind: an hour, less for short lives. */
uint32_t ca_profile_backdate_s(const struct ca_profile *profile);

/* NULL if there is none of this name. */
const struct ca_profile *ca_profile_find(const struct ca_profile profiles[], size_t count,
                                         const char *name);

#endif
