/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_SIGNER_PROCESS_H
#define MOIETY_ACME_CA_SIGNER_PROCESS_H

#include "acme/ca/signer.h"

/*
 * Both ends of the signer's socket. A frame is a head and `len` bytes, in the
 * machine's own byte order, since both ends are one program.
 */
enum signer_kind {
    SIGNER_READY,       /* to the server: payload the log's public key */
    SIGNER_CERTIFICATE, /* payload DER; answered by DER */
    SIGNER_CRL,
    SIGNER_OCSP,
    SIGNER_CHECKPOINT, /* payload text; answered by the signature */
    SIGNER_REFUSED,    /* to the server: the check's name, NUL, why */
};

struct signer_head {
    uint8_t kind;
    uint8_t issuer;
    uint8_t profile;
    uint8_t unused;
    uint32_t len;
};

enum { SIGNER_FRAME_MAX = 32 * 1024 * 1024 };

/* Whole frames; false at the other end's end or a failure. `payload` is
 * cleared first. */
bool signer_send(int fd, struct signer_head head, struct span payload);
bool signer_receive(int fd, struct signer_head *head, struct buffer *payload);

/* What the child runs: answers until the other end closes. Never returns. */
_Noreturn void signer_process_run(const struct ca_signer_config *config, int fd);

/* The same of bytes; a read's end before `len` bytes is a failure. */
bool signer_write_all(int fd, struct span bytes);
bool signer_read_all(int fd, uint8_t *out, size_t len);

/* For a new child: `fd` becomes its standard input, and but for that and standard
 * error it has no file. */
bool signer_keep_only(int fd);
/* No core of this process is written, and no debugger of the same user gets in. */
bool signer_hide(void);
/* Takes everything from this process but what signing needs: of files, reading and
 * writing these sockets. IO if the kernel can't. */
struct status signer_confine(const int fds[], size_t count);

#endif
