/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_RESOLVER_H
#define MOIETY_ACME_CA_RESOLVER_H

#include "base/arena.h"
#include "net/address.h"

/*
 * DNS over c-ares, on the calling thread, which waits. `servers` are addresses
 * with commas between ("127.0.0.1:5353"), or NULL for the system's, and then its
 * hosts file too. All fail with NOT_FOUND (no such name, or nothing of this type),
 * TIMEOUT, PEER_FAILED (the server's failure), NO_MEMORY. Thread-safe.
 */
struct resolver {
    const char *servers;
    int64_t deadline_ns; /* of clock_monotonic_ns() */
};

enum { RESOLVER_ADDRESSES_MAX = 8, RESOLVER_RECORDS_MAX = 64 };

/* Once for a process, before there are threads. */
struct status resolver_library_init(void);

/* IPv6 first (RFC 6724). Ports are 0. */
struct status resolver_addresses(const struct resolver *resolver, const char *name,
                                 struct address out[static RESOLVER_ADDRESSES_MAX],
                                 size_t *count);
/* The strings of each record, joined. */
struct status resolver_txt(const struct resolver *resolver, const char *name, struct arena *arena,
                           const char ***out, size_t *count);

struct resolver_caa {
    bool critical;
    const char *property; /* "issue" */
    const char *value;
};
struct status resolver_caa(const struct resolver *resolver, const char *name, struct arena *arena,
                           struct resolver_caa **out, size_t *count);

/* What those make of a server's answer (RFC 1035 section 4). */
struct status resolver_txt_read(struct span answer, struct arena *arena, const char ***out,
                                size_t *count);
struct status resolver_caa_read(struct span answer, struct arena *arena,
                                struct resolver_caa **out, size_t *count);

#endif
