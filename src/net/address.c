/* SPDX-License-Identifier: Apache-2.0 */
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sockaddr_in *as_v4(const struct address *address) {
    return (struct sockaddr_in *)&address->storage;
}

static struct sockaddr_in6 *as_v6(const struct address *address) {
    return (struct sockaddr_in6 *)&address->storage;
}

/* Digits alone, to the end of the string. */
static bool parse_port(const char *text, uint16_t *out) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0') {
        return false;
    }
    unsigned long port = strtoul(text, NULL, 10);
    *out = (uint16_t)port;
    return port <= UINT16_MAX;
}

static bool parse_host(struct address *out, const char *host, bool bracketed) {
    *out = (struct address){0};
    if (bracketed) {
        as_v6(out)->sin6_family = AF_INET6;
        out->length = sizeof(struct sockaddr_in6);
        return inet_pton(AF_INET6, host, &as_v6(out)->sin6_addr) == 1;
    }
    as_v4(out)->sin_family = AF_INET;
    out->length = sizeof(struct sockaddr_in);
    return inet_pton(AF_INET, host, &as_v4(out)->sin_addr) == 1;
}

struct status address_parse(struct address *out, const char *text) {
    char host[INET6_ADDRSTRLEN];
    const bool bracketed = text[0] == '[';
    const char *start = bracketed ? text + 1 : text;
    const char *colon = strrchr(text, ':');
    const char *end = bracketed ? strchr(text, ']') : colon;
    if (end == NULL || colon == NULL || colon != end + (bracketed ? 1 : 0) ||
        (size_t)(end - start) >= sizeof(host)) {
        return FAIL(INVALID_ARGUMENT);
    }
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = '\0';
    struct address parsed;
    uint16_t port = 0;
    if (!parse_host(&parsed, host, bracketed) || !parse_port(colon + 1, &port)) {
        return FAIL(INVALID_ARGUMENT);
    }
    address_set_port(&parsed, port);
    *out = parsed;
    return OK;
}

void address_format(const struct address *address, char out[static ADDRESS_TEXT_MAX]) {
    char host[INET6_ADDRSTRLEN] = "";
    const bool v6 = address->length > 0 && address->storage.ss_family == AF_INET6;
    const void *bytes = v6 ? (const void *)&as_v6(address)->sin6_addr
                           : (const void *)&as_v4(address)->sin_addr;
    if (address->length == 0 ||
        inet_ntop(address->storage.ss_family, bytes, host, sizeof(host)) == NULL) {
        snprintf(out, ADDRESS_TEXT_MAX, "unknown");
        return;
    }
    snprintf(out, ADDRESS_TEXT_MAX, v6 ? "[%s]:%u" : "%s:%u", host, address_port(address));
}

uint16_t address_port(const struct address *address) {
    /* The port stands at the same place in both families. */
    return address->length == 0 ? 0 : ntohs(as_v4(address)->sin_port);
}

void address_set_port(struct address *address, uint16_t port) {
    as_v4(address)->sin_port = htons(port);
}

bool address_is_loopback(const struct address *address) {
    if (address->length == 0) {
        return false;
    }
    if (address->storage.ss_family == AF_INET) {
        return ntohl(as_v4(address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (address->storage.ss_family != AF_INET6) {
        return false;
    }
    const struct in6_addr *v6 = &as_v6(address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) ||
           (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == IN_LOOPBACKNET);
}

bool address_host_is_loopback(const char *host) {
    if (strcasecmp(host, "localhost") == 0) {
        return true;
    }
    struct address address;
    return (parse_host(&address, host, false) || parse_host(&address, host, true)) &&
           address_is_loopback(&address);
}
