/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static struct status await(const struct probe *probe, short events) {
    enum { NS_PER_MS = 1000000 };
    struct pollfd polled = {probe->fd, events, 0};
    for (;;) {
        int64_t left = (probe->deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
        if (left <= 0) {
            return FAIL(TIMEOUT);
        }
        int ready = poll(&polled, 1, (int)left);
        if (ready > 0) {
            return OK;
        }
        if (ready < 0 && errno != EINTR) {
            return FAIL(PEER_FAILED);
        }
    }
}

struct status probe_connect(struct probe *probe, const struct address *address,
                            int64_t deadline_ns) {
    int failure = 0;
    socklen_t len = sizeof failure;
    *probe = (struct probe){.deadline_ns = deadline_ns};
    probe->fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe->fd < 0) {
        return FAIL(IO);
    }
    struct status status = OK;
    if (connect(probe->fd, (const struct sockaddr *)&address->storage, address->length) != 0) {
        status = errno == EINPROGRESS ? await(probe, POLLOUT) : FAIL(PEER_FAILED);
    }
    if (status_ok(status) &&
        (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &failure, &len) != 0 || failure != 0)) {
        status = FAIL(PEER_FAILED);
    }
    if (!status_ok(status)) {
        probe_close(probe);
    }
    return status;
}

void probe_close(struct probe *probe) {
    SSL_free(probe->ssl);
    if (probe->fd >= 0) {
        close(probe->fd);
    }
    *probe = (struct probe){.fd = -1};
}

/* ---- TLS ---- */

/* Waits for what the last call wants; otherwise it failed. */
static struct status ssl_await(struct probe *probe, int result) {
    switch (SSL_get_error(probe->ssl, result)) {
    case SSL_ERROR_WANT_READ: return await(probe, POLLIN);
    case SSL_ERROR_WANT_WRITE: return await(probe, POLLOUT);
    default: ERR_clear_error(); return FAIL(VERIFY_FAILED);
    }
}

static bool ssl_prepare(struct probe *probe, SSL_CTX *context, const char *name,
                        const char *alpn) {
    uint8_t wire[64];
    size_t len = alpn == NULL ? 0 : strlen(alpn);
    probe->ssl = SSL_new(context);
    if (probe->ssl == NULL || len >= sizeof wire || SSL_set_fd(probe->ssl, probe->fd) != 1 ||
        SSL_set_tlsext_host_name(probe->ssl, name) != 1) {
        return false;
    }
    wire[0] = (uint8_t)len;
    memcpy(wire + 1, alpn == NULL ? "" : alpn, len);
    SSL_set_connect_state(probe->ssl);
    return len == 0 || SSL_set_alpn_protos(probe->ssl, wire, (unsigned)len + 1) == 0;
}

struct status probe_tls(struct probe *probe, const char *name, const char *alpn) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    bool ready = context != NULL && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
                 ssl_prepare(probe, context, name, alpn);
    SSL_CTX_free(context);
    if (!ready) {
        return FAIL(NO_MEMORY);
    }
    for (;;) {
        int result = SSL_do_handshake(probe->ssl);
        if (result == 1) {
            return OK;
        }
        TRY(ssl_await(probe, result));
    }
}

/* ---- Bytes ---- */

static struct status write_some(struct probe *probe, struct span bytes, size_t *written) {
    *written = 0;
    if (probe->ssl != NULL) {
        int result = SSL_write_ex(probe->ssl, bytes.data, bytes.len, written);
        return result == 1 ? OK : ssl_await(probe, result);
    }
    ssize_t sent = send(probe->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
    if (sent >= 0) {
        *written = (size_t)sent;
        return OK;
    }
    return errno == EAGAIN || errno == EINTR ? await(probe, POLLOUT) : FAIL(PEER_FAILED);
}

struct status probe_write(struct probe *probe, struct span bytes) {
    while (bytes.len > 0) {
        size_t written;
        TRY(write_some(probe, bytes, &written));
        bytes = span_of(bytes.data + written, bytes.len - written);
    }
    return OK;
}

struct status probe_read(struct probe *probe, void *out, size_t max, size_t *len) {
    for (;;) {
        if (probe->ssl != NULL) {
            int result = SSL_read_ex(probe->ssl, out, max, len);
            if (result == 1) {
                return OK;
            }
            if (SSL_get_error(probe->ssl, result) == SSL_ERROR_ZERO_RETURN) {
                *len = 0;
                return OK;
            }
            TRY(ssl_await(probe, result));
            continue;
        }
        ssize_t got = recv(probe->fd, out, max, 0);
        if (got >= 0) {
            *len = (size_t)got;
            return OK;
        }
        TRY(errno == EAGAIN || errno == EINTR ? await(probe, POLLIN) : FAIL(PEER_FAILED));
    }
}
