/* SPDX-License-Identifier: Apache-2.0 */
#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/uio.h>
#include <unistd.h>

void connection_init(struct connection *connection, struct sockaddr_in address) {
    connection->fd = -1;
    connection->address = address;
    connection->closes = false;
}

void connection_close(struct connection *connection) {
    if (connection->fd >= 0) {
        close(connection->fd);
        connection->fd = -1;
    }
}

bool connection_open(struct connection *connection) {
    if (connection->fd >= 0) {
        return true;
    }
    const int one = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (const struct sockaddr *)&connection->address,
                sizeof(connection->address)) != 0 &&
        errno != EINPROGRESS) {
        close(fd);
        return false;
    }
    connection->fd = fd;
    connection->closes = false;
    return true;
}

void connection_post(struct connection *connection, const char *path, const char *media_type,
                     struct span body) {
    const int len = snprintf(connection->head, sizeof(connection->head),
                             "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: %s\r\n"
                             "Content-Length: %zu\r\n\r\n",
                             path, ntohs(connection->address.sin_port), media_type, body.len);
    if (len < 0 || (size_t)len >= sizeof(connection->head)) {
        abort(); /* the caller's path is that of a task */
    }
    connection->head_len = (size_t)len;
    connection->body = body;
    connection->sent = 0;
    connection->received = 0;
}

static enum connection_event fail(struct connection *connection) {
    connection_close(connection);
    return CONNECTION_FAILED;
}

static bool sent_all(const struct connection *connection) {
    return connection->sent == connection->head_len + connection->body.len;
}

static bool send_some(struct connection *connection) {
    const size_t sent = connection->sent, head_len = connection->head_len;
    const size_t of_head = sent < head_len ? sent : head_len;
    const size_t of_body = sent - of_head;
    struct iovec parts[] = {
        {connection->head + of_head, head_len - of_head},
        {(void *)(uintptr_t)(connection->body.data + of_body), connection->body.len - of_body},
    };
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    const ssize_t taken = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
    if (taken >= 0) {
        connection->sent += (size_t)taken;
    }
    return taken >= 0;
}

/* False with errno set, also at the end of the stream. */
static bool read_some(struct connection *connection) {
    if (connection->received == sizeof(connection->answer)) {
        errno = EMSGSIZE;
        return false;
    }
    const ssize_t got = recv(connection->fd, connection->answer + connection->received,
                             sizeof(connection->answer) - connection->received, 0);
    if (got > 0) {
        connection->received += (size_t)got;
    } else if (got == 0) {
        errno = ECONNRESET;
    }
    return got > 0;
}

/* A header's value up to its line's end, or NULL. `head` ends with an empty
 * line. */
static const char *header(const char *head, const char *name) {
    const size_t len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':') {
            return line + 2 + len + 1 + strspn(line + 2 + len + 1, " \t");
        }
    }
    return NULL;
}

static unsigned long header_number(const char *head, const char *name) {
    const char *value = header(head, name);
    return value == NULL ? 0 : strtoul(value, NULL, 10);
}

/* Whether the answer is complete; false with `*bad` if it is none. */
static bool read_answer(struct connection *connection, bool *bad) {
    char *end = memmem(connection->answer, connection->received, "\r\n\r\n", 4);
    *bad = false;
    if (end == NULL) {
        return false;
    }
    const size_t head_len = (size_t)(end - connection->answer) + 4;
    end[2] = '\0'; /* for the functions of strings; nothing reads it again */
    const size_t body_len = header_number(connection->answer, "Content-Length");
    const char *tells = header(connection->answer, "Connection");
    *bad = sscanf(connection->answer, "HTTP/1.1 %d", &connection->status) != 1;
    connection->retry_after_s = (unsigned)header_number(connection->answer, "Retry-After");
    connection->closes = tells != NULL && strncasecmp(tells, "close", 5) == 0;
    connection->answer_body = span_of(connection->answer + head_len, body_len);
    end[2] = '\r';
    return !*bad && connection->received >= head_len + body_len;
}

enum connection_event connection_go_on(struct connection *connection) {
    const bool fresh = connection->sent == 0;
    bool bad = false;
    while (!sent_all(connection)) {
        if (!send_some(connection)) {
            return errno == EAGAIN ? CONNECTION_WAITS : fail(connection);
        }
    }
    if (fresh) {
        return CONNECTION_WAITS; /* the answer takes a while: its arrival is an event */
    }
    do {
        if (!read_some(connection)) {
            return errno == EAGAIN ? CONNECTION_WAITS : fail(connection);
        }
    } while (!read_answer(connection, &bad) && !bad);
    return bad ? fail(connection) : CONNECTION_ANSWERED;
}
