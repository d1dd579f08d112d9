/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/profile.h"

#include <string.h>

static const struct {
    const char *name, *text;
    unsigned uses;
} roles[CA_ROLE_COUNT] = {
    [CA_ROLE_AGGREGATOR] = {"aggregator", "an aggregator: server and client authentication",
                            CA_USE_SERVER | CA_USE_CLIENT},
    [CA_ROLE_COLLECTOR] = {"collector", "a collector: client authentication", CA_USE_CLIENT},
    [CA_ROLE_CLIENT] = {"client", "an uploading client: client authentication", CA_USE_CLIENT},
    [CA_ROLE_WEB] = {"web", "a server: server authentication", CA_USE_SERVER},
};

const struct ca_profile ca_profiles_default[CA_ROLE_COUNT] = {
    {"aggregator", CA_ROLE_AGGREGATOR, 45 * CA_DAY},
    {"collector", CA_ROLE_COLLECTOR, 160 * CA_HOUR},
    {"client", CA_ROLE_CLIENT, 24 * CA_HOUR},
    {"web", CA_ROLE_WEB, 90 * CA_DAY},
};

const char *ca_role_name(enum ca_role role) { return roles[role].name; }
const char *ca_role_text(enum ca_role role) { return roles[role].text; }
unsigned ca_role_uses(enum ca_role role) { return roles[role].uses; }

uint32_t ca_profile_backdate_s(const struct ca_profile *profile) {
    enum { FRACTION = 24 };
    uint32_t part = profile->lifetime_s / FRACTION;
    return part < CA_HOUR ? part : CA_HOUR;
}

const struct ca_profile *ca_profile_find(const struct ca_profile profiles[], size_t count,
                                         const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(profiles[i].name, name) == 0) {
            return &profiles[i];
        }
    }
    return NULL;
}
