/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_PROBE_H
#define MOIETY_ACME_CA_PROBE_H

#include <openssl/ssl.h>

#include "base/bytes.h"
#include "net/address.h"

/*
 * One connection to where a challenge is answered, on the calling thread, which
 * waits, never beyond the deadline. Release with probe_close().
 */
struct probe {
    int fd;
    SSL *ssl; /* NULL: plain */
    int64_t deadline_ns;
};

/* TIMEOUT, PEER_FAILED. */
struct status probe_connect(struct probe *probe, const struct address *address,
                            int64_t deadline_ns);
/* Shakes hands as a client for `name`, offering the protocol `alpn` if that isn't
 * NULL; the server's certificate is not verified. TIMEOUT, VERIFY_FAILED for a
 * failure of TLS. */
struct status probe_tls(struct probe *probe, const char *name, const char *alpn);
struct status probe_write(struct probe *probe, struct span bytes);
/* At least a byte, or 0 at the end. */
struct status probe_read(struct probe *probe, void *out, size_t max, size_t *len);
void probe_close(struct probe *probe);

#endif
