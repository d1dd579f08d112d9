/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/signer_process.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/ocsp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "acme/ca/hierarchy.h"
#include "acme/ca/signing_key.h"
#include "base/clock.h"
#include "base/log.h"

/* ---- Frames ---- */

bool signer_write_all(int fd, struct span bytes) {
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return false;
        }
        if (sent > 0) {
            bytes = span_of(bytes.data + sent, bytes.len - (size_t)sent);
        }
    }
    return true;
}

bool signer_read_all(int fd, uint8_t *out, size_t len) {
    while (len > 0) {
        ssize_t got = read(fd, out, len);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        if (got > 0) {
            out += got;
            len -= (size_t)got;
        }
    }
    return true;
}

bool signer_send(int fd, struct signer_head head, struct span payload) {
    head.len = (uint32_t)payload.len;
    return payload.len <= SIGNER_FRAME_MAX && signer_write_all(fd, span_of(&head, sizeof head)) &&
           signer_write_all(fd, payload);
}

bool signer_receive(int fd, struct signer_head *head, struct buffer *payload) {
    buffer_clear(payload);
    if (!signer_read_all(fd, (uint8_t *)head, sizeof *head) || head->len > SIGNER_FRAME_MAX ||
        !status_ok(buffer_reserve(payload, head->len)) ||
        !signer_read_all(fd, payload->data, head->len)) {
        return false;
    }
    payload->len = head->len;
    return true;
}

/* ---- The process ---- */

enum { ISSUERS_MAX = 16 };

struct process {
    const struct ca_signer_config *config;
    int fd;
    struct ca_signing_key keys[ISSUERS_MAX];
    EVP_PKEY *log_key;
    uint64_t log_size; /* of the greatest checkpoint signed */
    char log_text[CA_CHECKPOINT_MAX];
    struct ca_finding finding;
};

static struct status refuse(struct process *p, const char *check, const char *why) {
    p->finding.lint = check;
    snprintf(p->finding.text, sizeof p->finding.text, "%s", why);
    return FAIL(VERIFY_FAILED);
}

/* A key's process that is gone doesn't come back: then this one ends too, and the
 * server with it, which a supervisor starts again. */
static struct status sign(const struct process *p, size_t issuer, struct span tbs,
                          struct buffer *out) {
    uint8_t signature[CA_SIGNATURE_MAX];
    size_t len;
    struct status status = ca_signing_key_sign(&p->keys[issuer], tbs, signature, &len);
    if (status.code == STATUS_IO) {
        log_event(LOG_ERROR, "the process of a PKCS#11 key is gone");
        _exit(EXIT_FAILURE);
    }
    TRY(status);
    return ca_signed_write(tbs, span_of(signature, len), out);
}

static struct status certificate_sign(struct process *p, const struct signer_head *head,
                                      struct span der, struct buffer *out) {
    const struct ca_signer_config *config = p->config;
    if (head->issuer >= config->issuer_count || head->profile >= config->profile_count) {
        return refuse(p, "request", "no such issuer or profile");
    }
    const struct ca_lint_input input = {
        .der = der,
        .profile = &config->profiles[head->profile],
        .issuer = &config->issuers[head->issuer],
        .policy = config->policy,
        .now = (int64_t)clock_now_s(&clock_system),
    };
    TRY(ca_lint(&input, &p->finding));
    struct span tbs;
    TRY(ca_tbs_of(der, &tbs));
    return sign(p, head->issuer, tbs, out);
}

/* A CRL takes certificates away and gives none, so all that is asked of it is
 * that it is this issuer's. */
static struct status crl_sign(struct process *p, const struct signer_head *head, struct span der,
                              struct buffer *out) {
    if (head->issuer >= p->config->issuer_count) {
        return refuse(p, "request", "no such issuer");
    }
    const uint8_t *at = der.data;
    struct span tbs;
    struct span signature;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der.len);
    X509 *issuer = p->config->issuers[head->issuer].certificate;
    bool ours = crl != NULL && at == der.data + der.len &&
                X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(issuer)) == 0;
    X509_CRL_free(crl);
    return ours && status_ok(ca_signed_read(der, &tbs, &signature))
               ? sign(p, head->issuer, tbs, out)
               : refuse(p, "crl", "it is not this issuer's");
}

/* Who answers is the issuer, by its name, and every answer has an end. */
static bool ocsp_good(const struct process *p, size_t issuer, OCSP_BASICRESP *answer) {
    enum { SLACK = 300 };
    const ASN1_OCTET_STRING *key = NULL;
    const X509_NAME *name = NULL;
    const X509_NAME *ours = X509_get_subject_name(p->config->issuers[issuer].certificate);
    int64_t latest = (int64_t)clock_now_s(&clock_system) + CA_OCSP_LIFETIME + SLACK;
    int64_t end;
    bool good = OCSP_resp_get0_id(answer, &key, &name) == 1 && name != NULL &&
                X509_NAME_cmp(name, ours) == 0;
    for (int i = 0; good && i < OCSP_resp_count(answer); i++) {
        ASN1_GENERALIZEDTIME *until = NULL;
        OCSP_single_get0_status(OCSP_resp_get0(answer, i), NULL, NULL, NULL, &until);
        good = until != NULL && ca_time_seconds(until, &end) && end <= latest;
    }
    return good;
}

static struct status ocsp_sign(struct process *p, const struct signer_head *head, struct span der,
                               struct buffer *out) {
    const uint8_t *at = der.data;
    struct span tbs;
    struct span signature;
    if (head->issuer >= p->config->issuer_count) {
        return refuse(p, "request", "no such issuer");
    }
    OCSP_BASICRESP *answer = d2i_OCSP_BASICRESP(NULL, &at, (long)der.len);
    bool good = answer != NULL && at == der.data + der.len && ocsp_good(p, head->issuer, answer);
    OCSP_BASICRESP_free(answer);
    return good && status_ok(ca_signed_read(der, &tbs, &signature))
               ? sign(p, head->issuer, tbs, out)
               : refuse(p, "ocsp", "it is not this issuer's, or holds for too long");
}

/* origin LF size LF ... ; the text of one size never changes. */
static struct status checkpoint_check(struct process *p, struct span text) {
    char copy[CA_CHECKPOINT_MAX];
    uint64_t size;
    size_t origin = strlen(p->config->log_origin);
    if (text.len >= sizeof copy) {
        return refuse(p, "checkpoint", "it is too long");
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (strncmp(copy, p->config->log_origin, origin) != 0 || copy[origin] != '\n' ||
        sscanf(copy + origin, "\n%" SCNu64 "\n", &size) != 1) {
        return refuse(p, "checkpoint", "it is not this log's");
    }
    if (size < p->log_size || (size == p->log_size && p->log_text[0] != '\0' &&
                               strcmp(copy, p->log_text) != 0)) {
        return refuse(p, "checkpoint", "it contradicts one that was signed before");
    }
    p->log_size = size;
    snprintf(p->log_text, sizeof p->log_text, "%s", copy);
    return OK;
}

static struct status checkpoint_sign(struct process *p, struct span text, struct buffer *out) {
    uint8_t signature[CA_LOG_SIGNATURE_SIZE];
    size_t len = sizeof signature;
    TRY(checkpoint_check(p, text));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool made = context != NULL &&
                EVP_DigestSignInit(context, NULL, NULL, NULL, p->log_key) == 1 &&
                EVP_DigestSign(context, signature, &len, text.data, text.len) == 1;
    EVP_MD_CTX_free(context);
    return made ? buffer_append(out, span_of(signature, len)) : FAIL(CRYPTO);
}

static struct status answer(struct process *p, const struct signer_head *head, struct span payload,
                            struct buffer *out) {
    switch (head->kind) {
    case SIGNER_CERTIFICATE: return certificate_sign(p, head, payload, out);
    case SIGNER_CRL: return crl_sign(p, head, payload, out);
    case SIGNER_OCSP: return ocsp_sign(p, head, payload, out);
    case SIGNER_CHECKPOINT: return checkpoint_sign(p, payload, out);
    default: return refuse(p, "request", "unknown kind");
    }
}

static bool serve_one(struct process *p, struct buffer *request, struct buffer *reply) {
    struct signer_head head;
    if (!signer_receive(p->fd, &head, request)) {
        return false;
    }
    buffer_clear(reply);
    p->finding = (struct ca_finding){.lint = "signer", .text = "it failed"};
    if (!status_ok(answer(p, &head, buffer_span(request), reply))) {
        buffer_clear(reply);
        head.kind = SIGNER_REFUSED;
        if (!status_ok(buffer_printf(reply, "%s%c%s", p->finding.lint, 0, p->finding.text))) {
            return false;
        }
    }
    return signer_send(p->fd, head, buffer_span(reply));
}

/* ---- Its start ---- */

static bool keys_load(struct process *p) {
    const struct ca_signer_config *config = p->config;
    struct secret passphrase = SECRET_INIT;
    bool loaded = config->issuer_count <= ISSUERS_MAX;
    if (config->passphrase_file != NULL &&
        !status_ok(ca_passphrase_load(config->passphrase_file, &passphrase))) {
        log_event(LOG_ERROR, "the signer finds no passphrase",
                  LOG_STRING("file", config->passphrase_file));
        return false;
    }
    for (size_t i = 0; loaded && i < config->issuer_count; i++) {
        loaded = status_ok(ca_signing_key_load(&config->keys[i], &passphrase,
                                               config->issuers[i].certificate, &p->keys[i]));
    }
    loaded = loaded &&
             status_ok(ca_signing_key_file(config->log_key_file, &passphrase, &p->log_key));
    secret_release(&passphrase);
    return loaded;
}

/* Everything that OpenSSL makes when it is first used is made now, while it may
 * still open files; the issuers' keys have signed already. */
static bool warm_up(struct process *p, uint8_t log_key[CA_LOG_KEY_SIZE]) {
    struct buffer out = BUFFER_INIT;
    size_t len = CA_LOG_KEY_SIZE;
    char text[CA_CHECKPOINT_MAX];
    bool warm = EVP_PKEY_get_raw_public_key(p->log_key, log_key, &len) == 1;
    int length = snprintf(text, sizeof text, "%s\n0\n", p->config->log_origin);
    warm = warm && status_ok(checkpoint_sign(p, span_of(text, (size_t)length), &out));
    p->log_text[0] = '\0';
    buffer_release(&out);
    /* The C library reads the time zone when it first works out a date. */
    const X509 *issuer = p->config->issuers[0].certificate;
    int64_t seconds;
    return warm && ca_time_seconds(X509_get0_notBefore(issuer), &seconds) &&
           ca_key_good(X509_get0_pubkey(issuer), text);
}

/* Its own socket, and those of its keys' processes. */
static struct status confine(const struct process *p) {
    int fds[ISSUERS_MAX + 1] = {p->fd};
    size_t count = 1;
    for (size_t i = 0; i < p->config->issuer_count; i++) {
        if (p->keys[i].key == NULL) {
            fds[count++] = p->keys[i].token;
        }
    }
    return signer_confine(fds, count);
}

_Noreturn void signer_process_run(const struct ca_signer_config *config, int fd) {
    struct process process = {.config = config, .fd = fd};
    struct buffer request = BUFFER_INIT;
    struct buffer reply = BUFFER_INIT;
    uint8_t log_key[CA_LOG_KEY_SIZE];
    /* It ends when the server's end of the socket closes, however that happens. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (!keys_load(&process) || !warm_up(&process, log_key)) {
        _exit(EXIT_FAILURE);
    }
    if (!status_ok(confine(&process))) {
        log_event(LOG_ERROR, "the signer can't be confined");
        _exit(EXIT_FAILURE);
    }
    const struct signer_head ready = {.kind = SIGNER_READY};
    if (!signer_send(fd, ready, SPAN_OF_ARRAY(log_key))) {
        _exit(EXIT_FAILURE);
    }
    while (serve_one(&process, &request, &reply)) {
    }
    _exit(EXIT_SUCCESS);
}
