/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_TOKEN_PROCESS_H
#define MOIETY_ACME_CA_TOKEN_PROCESS_H

#include "acme/ca/token.h"

/*
 * A process that holds a session with a token and does one thing: it reads digests
 * from a socket and writes signatures. A PKCS#11 module can't live in the confined
 * signer, since it needs files, devices or sockets; and the signer's lints and
 * policy can't be got round through this process, since the signer has the only
 * other end of its socket. A session that was lost is opened again, once for each
 * signature; a PIN that is refused ends the process before the token locks itself.
 */

/* Starts one, for a process without threads that is about to be confined, and waits
 * until it has the key. It ends when `fd` is closed. INVALID_CONFIG (the cause was
 * logged), IO. */
struct status ca_token_process_start(const struct ca_token_config *config, int *fd);

/* r and s. CRYPTO if the token can't, IO if the process is gone. */
struct status ca_token_process_sign(int fd, const uint8_t digest[CA_TOKEN_DIGEST_SIZE],
                                    uint8_t signature[CA_TOKEN_SIGNATURE_SIZE]);

#endif
