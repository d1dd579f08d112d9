/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_NET_ADDRESS_H
#define MOIETY_NET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/status.h"

/* A numeric IP address and a TCP port. A value: copy it freely. */
struct address {
    struct sockaddr_storage storage;
    socklen_t length; /* 0: unknown */
};

enum { ADDRESS_TEXT_MAX = 64 };

/* Reads "127.0.0.1:8080" or "[::1]:0". Names are not resolved, since what a
 * server listens on should not hang on DNS. INVALID_ARGUMENT otherwise. */
struct status address_parse(struct address *out, const char *text);
/* Writes what address_parse() reads, or "unknown". */
void address_format(const struct address *address, char out[static ADDRESS_TEXT_MAX]);
uint16_t address_port(const struct address *address);
void address_set_port(struct address *address, uint16_t port);
/* 127.0.0.0/8, ::1 and ::ffff:127.0.0.0/104. */
bool address_is_loopback(const struct address *address);

/* Whether a URL's host, without brackets, names this machine: "localhost" or
 * a loopback address. */
bool address_host_is_loopback(const char *host);

#endif
