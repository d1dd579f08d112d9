/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/policy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct status ca_network_parse(const char *text, struct ca_network *out) {
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
    struct ca_network network = {.size = 0};
    if (len >= sizeof address) {
        return FAIL(INVALID_ARGUMENT);
    }
    memcpy(address, text, len);
    address[len] = '\0';
    if (inet_pton(AF_INET, address, network.address) == 1) {
        network.size = 4;
    } else if (inet_pton(AF_INET6, address, network.address) == 1) {
        network.size = 16;
    } else {
        return FAIL(INVALID_ARGUMENT);
    }
    network.bits = network.size * 8;
    if (slash != NULL) {
        char *end;
        unsigned long bits = strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > network.bits) {
            return FAIL(INVALID_ARGUMENT);
        }
        network.bits = (unsigned)bits;
    }
    *out = network;
    return OK;
}

static bool in_network(const struct ca_network *network, const uint8_t *address, size_t size) {
    unsigned whole = network->bits / 8;
    unsigned rest = network->bits % 8;
    if (size != network->size || memcmp(address, network->address, whole) != 0) {
        return false;
    }
    return rest == 0 || ((address[whole] ^ network->address[whole]) >> (8 - rest)) == 0;
}

static bool in_domain(const char *domain, const char *name) {
    size_t domain_len = strlen(domain);
    size_t len = strlen(name);
    return len >= domain_len && strcmp(name + len - domain_len, domain) == 0 &&
           (len == domain_len || name[len - domain_len - 1] == '.');
}

bool ca_policy_allows(const struct ca_policy *policy, const struct acme_identifier *identifier) {
    uint8_t address[16];
    if (policy->any) {
        return true;
    }
    size_t size = identifier_address(identifier, address);
    for (size_t i = 0; size > 0 && i < policy->network_count; i++) {
        if (in_network(&policy->networks[i], address, size)) {
            return true;
        }
    }
    for (size_t i = 0; size == 0 && i < policy->domain_count; i++) {
        if (in_domain(policy->domains[i], identifier_base(identifier))) {
            return true;
        }
    }
    return false;
}
