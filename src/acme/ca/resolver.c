/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/resolver.h"

#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sys/select.h>

#include "base/clock.h"

enum { NS_PER_MS = 1000000, CLASS_IN = 1, TYPE_TXT = 16, TYPE_CAA = 257 };

struct status resolver_library_init(void) {
    return ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS ? OK : FAIL(NO_MEMORY);
}

static struct status status_of(int code) {
    switch (code) {
    case ARES_SUCCESS: return OK;
    case ARES_ENOTFOUND:
    case ARES_ENODATA: return FAIL(NOT_FOUND);
    case ARES_ETIMEOUT:
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION: return FAIL(TIMEOUT);
    case ARES_ENOMEM: return FAIL(NO_MEMORY);
    default: return FAIL(PEER_FAILED);
    }
}

/* ---- A channel, driven until its one question is answered ---- */

static struct status channel_open(const struct resolver *resolver, ares_channel *out) {
    enum { TRY_MS = 1500, TRIES = 3 };
    char files[] = "fb";
    char dns[] = "b";
    struct ares_options options = {
        .timeout = TRY_MS, .tries = TRIES, .lookups = resolver->servers == NULL ? files : dns};
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS;
    if (ares_init_options(out, &options, mask) != ARES_SUCCESS) {
        return FAIL(NO_MEMORY);
    }
    if (resolver->servers != NULL &&
        ares_set_servers_ports_csv(*out, resolver->servers) != ARES_SUCCESS) {
        ares_destroy(*out);
        return FAIL(INVALID_CONFIG);
    }
    return OK;
}

/* Waits for the channel's sockets, at most until `deadline`. */
static void channel_wait(ares_channel channel, int64_t deadline) {
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    struct pollfd polled[ARES_GETSOCK_MAXNUM];
    nfds_t count = 0;
    /* The library's macros shift into the sign. */
    unsigned bits = (unsigned)ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        bool reads = (bits >> i & 1) != 0;
        bool writes = (bits >> (i + ARES_GETSOCK_MAXNUM) & 1) != 0;
        short events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
        if (events != 0) {
            polled[count++] = (struct pollfd){sockets[i], events, 0};
        }
    }
    int64_t left = (deadline - clock_monotonic_ns()) / NS_PER_MS;
    struct timeval most = {left / 1000, left % 1000 * 1000};
    struct timeval time;
    ares_timeout(channel, &most, &time);
    poll(polled, count, (int)(time.tv_sec * 1000 + time.tv_usec / 1000) + 1);
    ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* what timed out */
    for (nfds_t i = 0; i < count; i++) {
        bool reads = (polled[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
        bool writes = (polled[i].revents & POLLOUT) != 0;
        ares_process_fd(channel, reads ? polled[i].fd : ARES_SOCKET_BAD,
                        writes ? polled[i].fd : ARES_SOCKET_BAD);
    }
}

static void channel_run(ares_channel channel, const struct resolver *resolver, const bool *done) {
    while (!*done && clock_monotonic_ns() < resolver->deadline_ns) {
        channel_wait(channel, resolver->deadline_ns);
    }
    ares_destroy(channel); /* calls back what is still open, as cancelled */
}

/* ---- Addresses ---- */

struct addresses {
    bool done;
    struct status status;
    struct address *out;
    size_t count;
};

static void take_family(struct addresses *a, const struct ares_addrinfo *info, int family) {
    for (const struct ares_addrinfo_node *node = info->nodes; node != NULL; node = node->ai_next) {
        if (node->ai_family == family && a->count < RESOLVER_ADDRESSES_MAX) {
            struct address *address = &a->out[a->count++];
            memcpy(&address->storage, node->ai_addr, node->ai_addrlen);
            address->length = node->ai_addrlen;
        }
    }
}

static void addresses_done(void *argument, int code, int timeouts, struct ares_addrinfo *info) {
    (void)timeouts;
    struct addresses *a = argument;
    a->done = true;
    a->status = status_of(code);
    if (info != NULL) {
        take_family(a, info, AF_INET6);
        take_family(a, info, AF_INET);
        ares_freeaddrinfo(info);
    }
    if (status_ok(a->status) && a->count == 0) {
        a->status = FAIL(NOT_FOUND);
    }
}

struct status resolver_addresses(const struct resolver *resolver, const char *name,
                                 struct address out[static RESOLVER_ADDRESSES_MAX],
                                 size_t *count) {
    ares_channel channel;
    struct addresses addresses = {.out = out, .status = FAIL(TIMEOUT)};
    const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
                                              .ai_socktype = SOCK_STREAM,
                                              .ai_flags = ARES_AI_NOSORT};
    TRY(channel_open(resolver, &channel));
    ares_getaddrinfo(channel, name, NULL, &hints, addresses_done, &addresses);
    channel_run(channel, resolver, &addresses.done);
    TRY(addresses.status);
    *count = addresses.count;
    return OK;
}

/* ---- Records ---- */

struct records {
    bool done;
    struct status status;
    struct arena *arena;
    void *items;
    size_t count;
    struct status (*parse)(struct records *records, struct span answer);
};

static void records_done(void *argument, int code, int timeouts, unsigned char *answer, int len) {
    (void)timeouts;
    struct records *records = argument;
    records->done = true;
    records->status = status_of(code);
    if (status_ok(records->status)) {
        records->status = records->parse(records, span_of(answer, (size_t)len));
    }
}

static struct status query(const struct resolver *resolver, const char *name, int type,
                           struct records *records) {
    ares_channel channel;
    records->status = FAIL(TIMEOUT);
    TRY(channel_open(resolver, &channel));
    ares_query(channel, name, CLASS_IN, type, records_done, records);
    channel_run(channel, resolver, &records->done);
    return records->status;
}

/* Strings of a record follow each other; the first says that it is. */
static struct status txt_parse(struct records *records, struct span answer) {
    struct ares_txt_ext *list = NULL;
    TRY(status_of(ares_parse_txt_reply_ext(answer.data, (int)answer.len, &list)));
    const char **texts = ARENA_ARRAY(records->arena, const char *, RESOLVER_RECORDS_MAX);
    for (struct ares_txt_ext *t = list; t != NULL && texts != NULL; t = t->next) {
        if (t->record_start && records->count == RESOLVER_RECORDS_MAX) {
            break;
        }
        records->count += t->record_start != 0;
        const char *before = records->count > 0 ? texts[records->count - 1] : NULL;
        if (records->count > 0) {
            texts[records->count - 1] =
                arena_printf(records->arena, "%s%.*s", before == NULL ? "" : before,
                             (int)t->length, (const char *)t->txt);
        }
    }
    ares_free_data(list);
    for (size_t i = 0; i < records->count; i++) {
        if (texts[i] == NULL) {
            return FAIL(NO_MEMORY);
        }
    }
    records->items = texts;
    return texts == NULL ? FAIL(NO_MEMORY) : OK;
}

struct status resolver_txt_read(struct span answer, struct arena *arena, const char ***out,
                                size_t *count) {
    struct records records = {.arena = arena};
    TRY(txt_parse(&records, answer));
    *out = records.items;
    *count = records.count;
    return OK;
}

struct status resolver_txt(const struct resolver *resolver, const char *name, struct arena *arena,
                           const char ***out, size_t *count) {
    struct records records = {.arena = arena, .parse = txt_parse};
    TRY(query(resolver, name, TYPE_TXT, &records));
    *out = records.items;
    *count = records.count;
    return OK;
}

static struct status caa_parse(struct records *records, struct span answer) {
    struct ares_caa_reply *list = NULL;
    TRY(status_of(ares_parse_caa_reply(answer.data, (int)answer.len, &list)));
    struct resolver_caa *items =
        ARENA_ARRAY(records->arena, struct resolver_caa, RESOLVER_RECORDS_MAX);
    bool made = items != NULL;
    for (struct ares_caa_reply *r = list; made && r != NULL; r = r->next) {
        if (records->count == RESOLVER_RECORDS_MAX) {
            made = false;
            break;
        }
        struct resolver_caa *item = &items[records->count++];
        item->critical = (r->critical & 0x80) != 0;
        item->property = arena_printf(records->arena, "%.*s", (int)r->plength,
                                      (const char *)r->property);
        item->value =
            arena_printf(records->arena, "%.*s", (int)r->length, (const char *)r->value);
        made = item->property != NULL && item->value != NULL;
    }
    ares_free_data(list);
    records->items = items;
    return made ? OK : FAIL(PEER_FAILED);
}

struct status resolver_caa_read(struct span answer, struct arena *arena,
                                struct resolver_caa **out, size_t *count) {
    struct records records = {.arena = arena};
    TRY(caa_parse(&records, answer));
    *out = records.items;
    *count = records.count;
    return OK;
}

struct status resolver_caa(const struct resolver *resolver, const char *name, struct arena *arena,
                           struct resolver_caa **out, size_t *count) {
    struct records records = {.arena = arena, .parse = caa_parse};
    TRY(query(resolver, name, TYPE_CAA, &records));
    *out = records.items;
    *count = records.count;
    return OK;
}
