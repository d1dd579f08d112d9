/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/token_process.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "acme/ca/signer_process.h"

/* What it answers: whether it could, and the signature. */
struct reply {
    uint8_t good;
    uint8_t signature[CA_TOKEN_SIGNATURE_SIZE];
};

/* ---- The process ---- */

static bool sign(const struct ca_token_config *config, struct ca_token **token,
                 const uint8_t digest[CA_TOKEN_DIGEST_SIZE], struct reply *reply) {
    *reply = (struct reply){.good = 0};
    if (*token != NULL && status_ok(ca_token_sign(*token, digest, reply->signature))) {
        reply->good = 1;
        return true;
    }
    ca_token_close(*token);
    *token = NULL;
    struct status status = ca_token_open(config, token);
    if (status_ok(status)) {
        reply->good = status_ok(ca_token_sign(*token, digest, reply->signature));
    }
    return status.code != STATUS_PERMISSION_DENIED;
}

_Noreturn static void run(const struct ca_token_config *config, int fd) {
    struct ca_token *token = NULL;
    struct reply reply = {.good = 1};
    uint8_t digest[CA_TOKEN_DIGEST_SIZE];
    bool going = signer_keep_only(fd) && signer_hide() &&
                 status_ok(ca_token_open(config, &token)) &&
                 signer_write_all(STDIN_FILENO, span_of(&reply, sizeof reply));
    while (going && signer_read_all(STDIN_FILENO, digest, sizeof digest)) {
        going = sign(config, &token, digest, &reply) &&
                signer_write_all(STDIN_FILENO, span_of(&reply, sizeof reply));
    }
    /* Not exit(): what the module registered for then is no concern of ours. */
    _exit(going ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* ---- The signer's end ---- */

struct status ca_token_process_start(const struct ca_token_config *config, int *fd) {
    int ends[2];
    struct reply reply;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return FAIL(IO);
    }
    pid_t process = fork();
    if (process == 0) {
        run(config, ends[1]);
    }
    close(ends[1]);
    if (process < 0 || !signer_read_all(ends[0], (uint8_t *)&reply, sizeof reply)) {
        close(ends[0]);
        return process < 0 ? FAIL(IO) : FAIL(INVALID_CONFIG);
    }
    *fd = ends[0];
    return OK;
}

struct status ca_token_process_sign(int fd, const uint8_t digest[CA_TOKEN_DIGEST_SIZE],
                                    uint8_t signature[CA_TOKEN_SIGNATURE_SIZE]) {
    struct reply reply;
    if (!signer_write_all(fd, span_of(digest, CA_TOKEN_DIGEST_SIZE)) ||
        !signer_read_all(fd, (uint8_t *)&reply, sizeof reply)) {
        return FAIL(IO);
    }
    memcpy(signature, reply.signature, sizeof reply.signature);
    return reply.good == 1 ? OK : FAIL(CRYPTO);
}
