/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/signer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "acme/ca/signer_process.h"
#include "base/log.h"

struct ca_signer {
    pid_t process;
    int fd;
    uint8_t log_key[CA_LOG_KEY_SIZE];
    pthread_mutex_t mutex; /* one question at a time */
    bool gone;
};

/* ---- Start and stop ---- */

_Noreturn static void child(const struct ca_signer_config *config, int fd) {
    if (!signer_keep_only(fd)) {
        _exit(EXIT_FAILURE);
    }
    signer_process_run(config, STDIN_FILENO);
}

static struct status await_ready(struct ca_signer *signer) {
    struct signer_head head;
    struct buffer payload = BUFFER_INIT;
    bool ready = signer_receive(signer->fd, &head, &payload) && head.kind == SIGNER_READY &&
                 payload.len == CA_LOG_KEY_SIZE;
    if (ready) {
        memcpy(signer->log_key, payload.data, CA_LOG_KEY_SIZE);
    }
    buffer_release(&payload);
    return ready ? OK : FAIL(INVALID_CONFIG);
}

struct status ca_signer_start(const struct ca_signer_config *config, struct ca_signer **out) {
    int ends[2];
    struct ca_signer *signer = calloc(1, sizeof *signer);
    if (signer == NULL) {
        return FAIL(NO_MEMORY);
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        free(signer);
        return FAIL(IO);
    }
    signer->process = fork();
    if (signer->process == 0) {
        child(config, ends[1]);
    }
    close(ends[1]);
    signer->fd = ends[0];
    pthread_mutex_init(&signer->mutex, NULL);
    struct status status = signer->process < 0 ? FAIL(IO) : await_ready(signer);
    if (!status_ok(status)) {
        ca_signer_stop(signer);
        return status;
    }
    *out = signer;
    return OK;
}

void ca_signer_stop(struct ca_signer *signer) {
    if (signer == NULL) {
        return;
    }
    close(signer->fd);
    if (signer->process > 0) {
        waitpid(signer->process, NULL, 0);
    }
    pthread_mutex_destroy(&signer->mutex);
    free(signer);
}

int ca_signer_process(const struct ca_signer *signer) { return signer->process; }
const uint8_t *ca_signer_log_key(const struct ca_signer *signer) { return signer->log_key; }

/* ---- Questions ---- */

static struct status exchange(struct ca_signer *signer, struct signer_head *head,
                              struct span payload, struct buffer *reply) {
    pthread_mutex_lock(&signer->mutex);
    bool done = !signer->gone && signer_send(signer->fd, *head, payload) &&
                signer_receive(signer->fd, head, reply);
    if (!done && !signer->gone) {
        signer->gone = true;
        log_event(LOG_ERROR, "the signer is gone; nothing can be issued until a restart");
    }
    pthread_mutex_unlock(&signer->mutex);
    return done ? OK : FAIL(CRYPTO);
}

/* The check's name has to be one that is static here. */
static void read_refusal(struct span payload, struct ca_finding *finding) {
    const char *name = (const char *)payload.data;
    size_t len = strnlen(name, payload.len);
    finding->lint = "signer";
    for (size_t i = 0; ca_lint_name(i) != NULL; i++) {
        if (span_equal_vartime(span_of_string(ca_lint_name(i)), span_of(name, len))) {
            finding->lint = ca_lint_name(i);
        }
    }
    if (len < payload.len) {
        snprintf(finding->text, sizeof finding->text, "the signer refuses: %.*s",
                 (int)(payload.len - len - 1), name + len + 1);
    }
}

static struct status ask(struct ca_signer *signer, struct signer_head head, struct span payload,
                         struct buffer *out, struct ca_finding *finding) {
    struct buffer reply = BUFFER_INIT;
    *finding = (struct ca_finding){.lint = "signer", .text = "the signer is gone"};
    struct status status = exchange(signer, &head, payload, &reply);
    if (status_ok(status) && head.kind == SIGNER_REFUSED) {
        read_refusal(buffer_span(&reply), finding);
        status = FAIL(VERIFY_FAILED);
    }
    if (status_ok(status)) {
        status = buffer_append(out, buffer_span(&reply));
    }
    buffer_release(&reply);
    return status;
}

struct status ca_signer_certificate(struct ca_signer *signer, size_t issuer, size_t profile,
                                    struct span linted, struct buffer *out,
                                    struct ca_finding *finding) {
    const struct signer_head head = {
        .kind = SIGNER_CERTIFICATE, .issuer = (uint8_t)issuer, .profile = (uint8_t)profile};
    return ask(signer, head, linted, out, finding);
}

struct status ca_signer_crl(struct ca_signer *signer, size_t issuer, struct span crl,
                            struct buffer *out, struct ca_finding *finding) {
    const struct signer_head head = {.kind = SIGNER_CRL, .issuer = (uint8_t)issuer};
    return ask(signer, head, crl, out, finding);
}

struct status ca_signer_ocsp(struct ca_signer *signer, size_t issuer, struct span answer,
                             struct buffer *out, struct ca_finding *finding) {
    const struct signer_head head = {.kind = SIGNER_OCSP, .issuer = (uint8_t)issuer};
    return ask(signer, head, answer, out, finding);
}

struct status ca_signer_checkpoint(struct ca_signer *signer, struct span text,
                                   uint8_t signature[static CA_LOG_SIGNATURE_SIZE],
                                   struct ca_finding *finding) {
    struct buffer out = BUFFER_INIT;
    const struct signer_head head = {.kind = SIGNER_CHECKPOINT};
    struct status status = ask(signer, head, text, &out, finding);
    if (status_ok(status) && out.len != CA_LOG_SIGNATURE_SIZE) {
        status = FAIL(CRYPTO);
    }
    if (status_ok(status)) {
        memcpy(signature, out.data, CA_LOG_SIGNATURE_SIZE);
    }
    buffer_release(&out);
    return status;
}
