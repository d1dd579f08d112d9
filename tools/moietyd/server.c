/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "hpke/provider/default.h"
#include "support/database.h"

static bool failed(const char *what, struct status status) {
    if (!status_ok(status)) {
        log_event(LOG_ERROR, what, LOG_STRING("reason", status_text(status.code)));
    }
    return !status_ok(status);
}

/* ---- The parts ---- */

static unsigned worker_count(const struct server_config *config) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return config->threads.workers != 0 ? (unsigned)config->threads.workers
                                        : 2 * (unsigned)(processors > 0 ? processors : 1);
}

static struct status make_queue(struct moietyd *d) {
    const struct work_queue_config config = {
        .threads = worker_count(d->config),
        .capacity = d->config->threads.queue,
        .name = "work",
        .metrics = d->metrics,
    };
    return work_queue_new(&d->queue, &config);
}

static struct status make_client(struct moietyd *d) {
    const struct http_client_config config = {
        .allow_plain_http = d->config->peers.allow_plain_http,
        .proxy = d->config->peers.proxy,
        .user_agent = "moietyd",
    };
    return http_client_new(&d->client, &config);
}

/* The list of origins as the aggregator takes it. */
static struct status join_origins(struct moietyd *d) {
    struct buffer joined = BUFFER_INIT;
    const struct schema_strings *origins = &d->config->cors_origins;
    struct status status = OK;
    for (size_t i = 0; i < origins->count && status_ok(status); i++) {
        status = buffer_printf(&joined, "%s%s", i == 0 ? "" : " ", origins->items[i]);
    }
    if (status_ok(status) && origins->count > 0) {
        status = buffer_append_u8(&joined, 0);
    }
    if (!status_ok(status)) {
        buffer_release(&joined);
        return status;
    }
    d->cors_origins = (char *)joined.data;
    return OK;
}

struct hpke_suite moietyd_suite(const struct server_config *config) {
    return (struct hpke_suite){server_config_kem(config), MOIETY_KDF_HKDF_SHA256,
                               server_config_aead(config)};
}

static struct status make_aggregator(struct moietyd *d) {
    enum { US_PER_S = 1000000, US_PER_MS = 1000 };
    const struct server_config *c = d->config;
    TRY(join_origins(d));
    const struct aggregator_options options = {
        .store = d->store,
        .queue = d->queue,
        .http_client = d->client,
        .peer_tls = {c->peers.ca, c->peers.certificate, c->peers.key},
        .provider = hpke_provider_default(),
        .clock = &clock_system,
        .metrics = d->metrics,
        .max_upload_bytes = c->limits.upload_bytes,
        .max_job_bytes = c->limits.job_bytes,
        .upload_delay_us = (uint32_t)c->aggregator.upload_delay,
        .upload_patience_ms = (uint32_t)(c->aggregator.upload_patience / US_PER_MS),
        .clock_skew_s = (uint32_t)(c->aggregator.clock_skew / US_PER_S),
        .job_poll_ms = (uint32_t)(c->aggregator.job_poll / US_PER_MS),
        .lease_s = (uint32_t)(c->aggregator.lease / US_PER_S),
        .hpke_config_max_age_s = (uint32_t)(c->hpke.config_max_age / US_PER_S),
        .hpke_key_lifetime_s = (uint32_t)(c->hpke.key_lifetime / US_PER_S),
        .hpke_suite = moietyd_suite(c),
        .gc_interval_s = (uint32_t)((c->aggregator.gc_interval + US_PER_S - 1) / US_PER_S),
        .base_path = c->base_path,
        .cors_origins = d->cors_origins,
    };
    return aggregator_new(&options, &d->aggregator);
}

static struct status make_routers(struct moietyd *d) {
    TRY(router_new(&d->router));
    TRY(admin_mount_probes(d, d->router));
    TRY(aggregator_add_routes(d->aggregator, d->router));
    if (d->certificate != NULL) {
        TRY(certificate_mount(d->certificate, d->router));
        TRY(router_new(&d->acme_router));
        TRY(certificate_mount(d->certificate, d->acme_router));
    }
    TRY(router_new(&d->admin_router));
    TRY(admin_mount_probes(d, d->admin_router));
    return admin_mount_metrics(d, d->admin_router);
}

static struct status listen_on(struct moietyd *d, const struct server_listener *listener,
                               struct router *router, const char *serves) {
    const struct server_config *c = d->config;
    const bool acme = listener->tls.acme;
    const struct http_tls_config tls = {
        .source = acme ? certificate_source(d->certificate) : NULL,
        .certificate_file = listener->tls.certificate,
        .key_file = listener->tls.key,
        .client_ca_file = listener->tls.client_ca,
        .client_certificate = (enum http_client_certificate)listener->tls.client_certificate,
    };
    struct http_server_config config = {
        .loops = d->loops,
        .service = router_service(router),
        .tls = !acme && tls.certificate_file == NULL ? NULL : &tls,
        .metrics = d->metrics,
        .connections_max = (unsigned)c->limits.connections,
        .pipeline_max = (unsigned)c->limits.pipeline,
        .header_bytes_max = c->limits.header_bytes,
        .header_count_max = (unsigned)c->limits.headers,
        .body_memory_max = c->limits.body_memory,
        .header_timeout_ms = (unsigned)(c->timeouts.header / 1000),
        .body_timeout_ms = (unsigned)(c->timeouts.body / 1000),
        .idle_timeout_ms = (unsigned)(c->timeouts.idle / 1000),
        .write_timeout_ms = (unsigned)(c->timeouts.write / 1000),
    };
    char text[ADDRESS_TEXT_MAX];
    if (d->server_count == LISTENERS_MAX) {
        return FAIL(INVALID_CONFIG);
    }
    TRY(address_parse(&config.listen, listener->address));
    struct status status = http_server_new(&d->servers[d->server_count], &config);
    if (failed(listener->address, status)) {
        return status;
    }
    if (acme) {
        certificate_serve(d->certificate, d->servers[d->server_count]);
    }
    struct address bound = http_server_address(d->servers[d->server_count++]);
    address_format(&bound, text);
    log_event(LOG_INFO, "listening", LOG_STRING("address", text), LOG_STRING("serves", serves),
              LOG_STRING("scheme", config.tls == NULL ? "http" : "https"));
    return OK;
}

static struct status make_listeners(struct moietyd *d) {
    const struct server_listener *listeners = d->config->listen.items;
    for (size_t i = 0; i < d->config->listen.count; i++) {
        TRY(listen_on(d, &listeners[i], d->router, "dap"));
    }
    if (d->config->admin.address != NULL) {
        TRY(listen_on(d, &d->config->admin, d->admin_router, "admin"));
    }
    if (d->certificate != NULL && d->config->acme.http != NULL) {
        const struct server_listener challenges = {.address = d->config->acme.http};
        TRY(listen_on(d, &challenges, d->acme_router, "acme challenges"));
    }
    return OK;
}

/* ---- Life ---- */

bool moietyd_start(struct moietyd *d, const struct server_config *config) {
    *d = (struct moietyd){.config = config};
    startup_raise_limits();
    if (failed("the database can't be opened", database_open(config, DATABASE_CREATE, &d->store)) ||
        failed("metrics", metrics_new(&d->metrics)) || !startup_make_key(d) ||
        !startup_review_tasks(d) || failed("the work queue can't start", make_queue(d)) ||
        failed("the HTTP client can't start", make_client(d)) ||
        failed("event loops can't be made",
               loop_group_new(&d->loops, (unsigned)config->threads.loops)) ||
        failed("the aggregator can't be made", make_aggregator(d)) ||
        failed("the certificate can't be looked after", certificate_make(d)) ||
        failed("routes", make_routers(d)) ||
        failed("a listener can't be made", make_listeners(d)) ||
        failed("event loops can't start", loop_group_start(d->loops))) {
        return false;
    }
    d->started = true;
    if (failed("the aggregator can't start", aggregator_start(d->aggregator)) ||
        (d->certificate != NULL &&
         failed("the certificate can't be looked after", certificate_start(d->certificate)))) {
        return false;
    }
    atomic_store(&d->serving, true);
    return true;
}

static void server_drained(void *argument) {
    struct moietyd *d = argument;
    atomic_fetch_add(&d->drained, 1);
}

void moietyd_drain(struct moietyd *d) {
    atomic_store(&d->serving, false);
    aggregator_drain(d->aggregator);
    for (size_t i = 0; i < d->server_count; i++) {
        http_server_drain(d->servers[i], server_drained, d);
    }
}

bool moietyd_idle(struct moietyd *d) {
    enum { SLICE_MS = 50 };
    return atomic_load(&d->drained) == d->server_count &&
           status_ok(work_queue_drain(d->queue, SLICE_MS));
}

void moietyd_reload(struct moietyd *d) {
    for (size_t i = 0; i < d->server_count; i++) {
        /* A failure was logged with its cause, and the old files serve on. */
        if (http_server_tls(d->servers[i]) != NULL &&
            status_ok(http_server_reload_tls(d->servers[i]))) {
            char text[ADDRESS_TEXT_MAX];
            struct address address = http_server_address(d->servers[i]);
            address_format(&address, text);
            log_event(LOG_INFO, "read the TLS files again", LOG_STRING("address", text));
        }
    }
}

void moietyd_stop(struct moietyd *d) {
    atomic_store(&d->serving, false);
    certificate_stop(d->certificate);
    if (d->client != NULL) {
        http_client_stop(d->client);
    }
    if (d->queue != NULL) {
        work_queue_stop(d->queue);
    }
    /* Servers stop on their loops, so these run even if the start failed. */
    if (d->server_count > 0 && !d->started) {
        d->started = !failed("event loops can't start", loop_group_start(d->loops));
    }
    for (size_t i = 0; i < d->server_count && d->started; i++) {
        http_server_free(d->servers[i]);
    }
    if (d->loops != NULL) {
        loop_group_stop(d->loops);
    }
    router_free(d->router);
    router_free(d->admin_router);
    router_free(d->acme_router);
    certificate_free(d->certificate);
    aggregator_free(d->aggregator);
    http_client_free(d->client);
    work_queue_free(d->queue);
    loop_group_free(d->loops);
    metrics_free(d->metrics);
    store_close(d->store);
    free(d->cors_origins);
}
