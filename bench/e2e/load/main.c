/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "connection.h"
#include "dap/media_type.h"
#include "dap/messages.h"
#include "latency.h"
#include "reports.h"

/*
 * Uploads reports as fast as the leader takes them, from one thread: each
 * connection sends its next request when the last was answered. What fails for
 * a reason that passes (no connection, 408, 429, 5xx) is sent again; that
 * `report_replayed` answers a second try is success, since the first got
 * through. Ends when all are acknowledged, and says what it took.
 */

enum { ADDRESSES_MAX = 64, CONNECTIONS_MAX = 4096, EVENTS_MAX = 256 };
static const int64_t RECONNECT_NS = 50 * 1000000;

static const char usage[] =
    "usage: bench-e2e-load --file FILE --path PATH --address 127.0.0.1:PORT [--address ..]\n"
    "                      [--first N] [--count N] [--batch N] [--connections N]\n"
    "                      [--seconds S] [--patience S]\n"
    "Uploads --count reports of the file, from the --first on, --batch a request; starts no\n"
    "request after --seconds; gives up when nothing got through for --patience.\n";

static struct {
    const char *file, *path;
    struct sockaddr_in addresses[ADDRESSES_MAX];
    size_t address_count, first, count, batch, connections;
    double seconds, patience;
} o = {.count = SIZE_MAX, .batch = 1, .connections = 32, .seconds = 1e9, .patience = 30};

struct client {
    struct connection connection;
    size_t first, count;     /* reports of the request under way */
    bool busy, tried_before; /* the request may have got through already */
    int64_t started_ns;      /* its first try */
    int64_t due_ns;          /* when to try again; 0: it is on its way */
};

static struct {
    struct report_file reports;
    struct client *clients;
    int epoll;
    size_t next, end, busy;
    int64_t started_ns, stop_ns, progress_ns;
    size_t accepted, requests, retries;
    struct latency latency;
} load;

static void die(const char *what) {
    fprintf(stderr, "bench-e2e-load: %s\n", what);
    exit(EXIT_FAILURE);
}

/* ---- A request ---------------------------------------------------------- */

static void answered(struct client *client);

static void try_later(struct client *client, int64_t wait_ns) {
    load.retries++;
    client->tried_before = true;
    client->due_ns = clock_monotonic_ns() + wait_ns;
}

static void go_on(struct client *client) {
    switch (connection_go_on(&client->connection)) {
    case CONNECTION_WAITS:
        break;
    case CONNECTION_ANSWERED:
        answered(client);
        break;
    case CONNECTION_FAILED:
        try_later(client, RECONNECT_NS);
        break;
    }
}

static void send_request(struct client *client) {
    struct connection *connection = &client->connection;
    const bool was_open = connection->fd >= 0;
    client->due_ns = 0;
    if (!connection_open(connection)) {
        try_later(client, RECONNECT_NS);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = client};
    if (!was_open && epoll_ctl(load.epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
        die("epoll_ctl fails");
    }
    connection_post(connection, o.path, media_type_string(MEDIA_UPLOAD_REQ),
                    report_file_slice(&load.reports, client->first, client->count));
    go_on(client);
}

static void next_request(struct client *client) {
    const int64_t now = clock_monotonic_ns();
    client->busy = load.next < load.end && now < load.stop_ns;
    if (!client->busy) {
        return;
    }
    const size_t left = load.end - load.next;
    client->first = load.next;
    client->count = left < o.batch ? left : o.batch;
    client->tried_before = false;
    client->started_ns = now;
    load.next += client->count;
    load.busy++;
    send_request(client);
}

/* Every report that the leader names was refused; after another try that is
 * well if it has them. */
static bool all_stored(const struct client *client) {
    struct reader reader = reader_of(client->connection.answer_body);
    struct upload_errors errors;
    struct report_upload_status refused;
    bool found = true;
    if (client->connection.answer_body.len == 0) {
        return true;
    }
    if (!client->tried_before || !status_ok(upload_errors_begin(&reader, NULL, &errors))) {
        return false;
    }
    while (status_ok(upload_errors_next(&reader, NULL, &refused, &found)) && found) {
        if (refused.error != REPORT_ERROR_REPORT_REPLAYED) {
            return false;
        }
    }
    return !found;
}

static void answered(struct client *client) {
    struct connection *connection = &client->connection;
    const int status = connection->status;
    if (connection->closes) {
        connection_close(connection);
    }
    if (status == 408 || status == 429 || status >= 500) {
        const unsigned wait_s = connection->retry_after_s;
        try_later(client, wait_s > 0 ? (int64_t)wait_s * 1000000000 : RECONNECT_NS);
        return;
    }
    if (status < 200 || status > 299 || !all_stored(client)) {
        fprintf(stderr, "bench-e2e-load: status %d: %.*s\n", status,
                status > 299 ? (int)connection->answer_body.len : 0,
                (const char *)connection->answer_body.data);
        die("the leader refuses reports");
    }
    load.progress_ns = clock_monotonic_ns();
    if (!latency_add(&load.latency, load.progress_ns - client->started_ns)) {
        die("out of memory");
    }
    load.accepted += client->count;
    load.requests++;
    load.busy--;
    next_request(client);
}

/* ---- All of them -------------------------------------------------------- */

/* Sends what is due again; returns how long to wait for events at most. */
static int send_due(void) {
    const int64_t now = clock_monotonic_ns();
    int64_t next = now + INT64_C(1000000000);
    for (size_t i = 0; load.retries > 0 && i < o.connections; i++) {
        struct client *client = &load.clients[i];
        if (client->busy && client->due_ns != 0 && client->due_ns <= now) {
            send_request(client);
        }
        if (client->busy && client->due_ns != 0 && client->due_ns < next) {
            next = client->due_ns;
        }
    }
    return next <= now ? 0 : (int)((next - now) / 1000000) + 1;
}

static void run(void) {
    struct epoll_event events[EVENTS_MAX];
    load.started_ns = load.progress_ns = clock_monotonic_ns();
    load.stop_ns = load.started_ns + (int64_t)(o.seconds * 1e9);
    for (size_t i = 0; i < o.connections; i++) {
        connection_init(&load.clients[i].connection, o.addresses[i % o.address_count]);
        next_request(&load.clients[i]);
    }
    while (load.busy > 0) {
        const int count = epoll_wait(load.epoll, events, EVENTS_MAX, send_due());
        for (int i = 0; i < count; i++) {
            struct client *client = events[i].data.ptr;
            if (client->busy && client->due_ns == 0) {
                go_on(client);
            } else {
                connection_close(&client->connection); /* idle: the server lets go of it */
            }
        }
        if (clock_monotonic_ns() - load.progress_ns > (int64_t)(o.patience * 1e9)) {
            die("nothing gets through");
        }
    }
}

static double cpu_seconds(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void report(double seconds, double cpu) {
    printf("{\"reports\":%zu,\"requests\":%zu,\"bytes\":%zu,\"retries\":%zu,\"seconds\":%.6f,"
           "\"cpu_seconds\":%.6f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
           load.accepted, load.requests,
           load.reports.starts[load.next] - load.reports.starts[o.first], load.retries, seconds,
           cpu, latency_ms(&load.latency, 0.5), latency_ms(&load.latency, 0.99),
           latency_ms(&load.latency, 1));
}

/* ---- Options ------------------------------------------------------------ */

static bool parse_address(const char *text) {
    char host[32];
    unsigned port;
    struct sockaddr_in *address = &o.addresses[o.address_count];
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    if (o.address_count == ADDRESSES_MAX || sscanf(text, "%31[0-9.]:%u", host, &port) != 2 ||
        port > 65535 || inet_pton(AF_INET, host, &address->sin_addr) != 1) {
        return false;
    }
    address->sin_port = htons((uint16_t)port);
    o.address_count++;
    return true;
}

static bool parse_number(const char *text, size_t *out) {
    char *end;
    *out = strtoul(text, &end, 10);
    return end != text && *end == '\0';
}

static bool parse_one(int option, const char *value) {
    switch (option) {
    case 'f': o.file = value; return true;
    case 'p': o.path = value; return true;
    case 'a': return parse_address(value);
    case '1': return parse_number(value, &o.first);
    case 'n': return parse_number(value, &o.count);
    case 'b': return parse_number(value, &o.batch);
    case 'c': return parse_number(value, &o.connections);
    case 's': o.seconds = strtod(value, NULL); return true;
    case 't': o.patience = strtod(value, NULL); return true;
    default: return false;
    }
}

static bool parse(int argc, char *argv[]) {
    static const struct option known[] = {
        {"file", required_argument, NULL, 'f'},    {"path", required_argument, NULL, 'p'},
        {"address", required_argument, NULL, 'a'}, {"first", required_argument, NULL, '1'},
        {"count", required_argument, NULL, 'n'},   {"batch", required_argument, NULL, 'b'},
        {"connections", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 's'}, {"patience", required_argument, NULL, 't'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (!parse_one(option, optarg)) {
            return false;
        }
    }
    return optind == argc && o.file != NULL && o.path != NULL && o.address_count > 0 &&
           o.batch > 0 && o.connections > 0 && o.connections <= CONNECTIONS_MAX;
}

int main(int argc, char *argv[]) {
    if (!parse(argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    if (!status_ok(report_file_open(o.file, &load.reports))) {
        die("the file of reports can't be read");
    }
    const size_t left = o.first < load.reports.count ? load.reports.count - o.first : 0;
    load.next = o.first;
    load.end = o.first + (o.count < left ? o.count : left);
    load.clients = calloc(o.connections, sizeof(struct client));
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (left == 0 || load.clients == NULL || load.epoll < 0) {
        die(left == 0 ? "no reports from there on" : "out of memory");
    }
    const double cpu = cpu_seconds(); /* without reading the file */
    run();
    report((double)(load.progress_ns - load.started_ns) / 1e9, cpu_seconds() - cpu);
    for (size_t i = 0; i < o.connections; i++) {
        connection_close(&load.clients[i].connection);
    }
    free(load.clients);
    latency_release(&load.latency);
    report_file_release(&load.reports);
    return 0;
}
