/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <malloc.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "acme/ca/issuer.h"
#include "base/file.h"
#include "base/log.h"
#include "ca_config.h"
#include "net/http_server.h"

static const char *config_path = "ca.yaml";

static const struct option_spec options[] = {
    CA_CONFIG_OPTION(config_path),
    {.name = NULL},
};

static const struct command_spec command = {
    .name = "moiety ca serve",
    .arguments = "[options]",
    .summary = "Runs the certificate authority: ACME, CRLs, and the log of all it issued.",
    .help = "It runs in the foreground and logs to standard error. SIGTERM or SIGINT lets\n"
            "what is under way finish, then exits with 0. SIGHUP reads TLS files again.\n",
    .options = options,
};

enum { LISTENERS_MAX = 8 };

struct server {
    struct arena arena;
    struct ca_config config;
    struct ca *ca;
    struct router *router;
    struct loop_group *loops;
    struct http_server *servers[LISTENERS_MAX];
    size_t server_count;
    const char *chain_file, *key_file; /* of the CA's own certificate */
    bool uses_own;
};

static bool failed(const char *what, struct status status) {
    if (!status_ok(status)) {
        log_event(LOG_ERROR, what, LOG_STRING("reason", status_text(status.code)));
    }
    return !status_ok(status);
}

/* ---- The CA's own certificate ---- */

static const struct ca_profile *web_profile(const struct ca_options *o) {
    for (size_t i = 0; i < o->profile_count; i++) {
        if (o->profiles[i].role == CA_ROLE_WEB) {
            return &o->profiles[i];
        }
    }
    return NULL;
}

/* Whether what is on disk lives for another third of its life. */
static bool own_is_fresh(const struct server *s) {
    int64_t first;
    int64_t last;
    int64_t now = (int64_t)clock_now_s(&clock_system);
    FILE *file = fopen(s->chain_file, "re");
    X509 *certificate = file == NULL ? NULL : PEM_read_X509(file, NULL, NULL, NULL);
    if (file != NULL) {
        fclose(file);
    }
    bool fresh = certificate != NULL &&
                 ca_time_seconds(X509_get0_notBefore(certificate), &first) &&
                 ca_time_seconds(X509_get0_notAfter(certificate), &last) &&
                 now < first + (last - first) * 2 / 3 && access(s->key_file, R_OK) == 0;
    X509_free(certificate);
    return fresh;
}

/* Key first: whoever finds the new chain finds its key. A kill between the two is
 * mended by the next start, which finds that they don't fit. */
static struct status own_renew(struct server *s) {
    struct buffer chain = BUFFER_INIT;
    struct secret key = SECRET_INIT;
    const struct ca_profile *profile = web_profile(&s->config.options);
    const struct schema_strings *names = &s->config.names;
    if (profile == NULL || names->count == 0) {
        log_event(LOG_ERROR, "TLS of its own needs `names` and a profile of role web");
        return FAIL(INVALID_CONFIG);
    }
    struct status status =
        ca_self_issue(s->ca, profile, names->items, names->count, &chain, &key);
    if (status_ok(status)) {
        status = file_replace(s->key_file, secret_span(&key), 0600);
    }
    if (status_ok(status)) {
        status = file_replace(s->chain_file, buffer_span(&chain), 0644);
    }
    buffer_release(&chain);
    secret_release(&key);
    return status;
}

static bool own_pair_fits(const struct server *s) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    bool fits = context != NULL &&
                SSL_CTX_use_certificate_chain_file(context, s->chain_file) == 1 &&
                SSL_CTX_use_PrivateKey_file(context, s->key_file, SSL_FILETYPE_PEM) == 1;
    SSL_CTX_free(context);
    return fits;
}

static struct status own_prepare(struct server *s) {
    const struct ca_listener *listeners = s->config.listen.items;
    const char *folder = s->config.server_folder;
    s->chain_file = arena_printf(&s->arena, "%s/server.pem", folder);
    s->key_file = arena_printf(&s->arena, "%s/server.key", folder);
    for (size_t i = 0; i < s->config.listen.count; i++) {
        s->uses_own =
            s->uses_own || (!listeners[i].plain_http && listeners[i].certificate == NULL);
    }
    if (s->chain_file == NULL || s->key_file == NULL) {
        return FAIL(NO_MEMORY);
    }
    return s->uses_own && !(own_is_fresh(s) && own_pair_fits(s)) ? own_renew(s) : OK;
}

static void own_check(struct server *s) {
    if (s->uses_own && !own_is_fresh(s) &&
        !failed("the CA's own certificate can't be renewed", own_renew(s))) {
        for (size_t i = 0; i < s->server_count; i++) {
            (void)failed("TLS files can't be read again", http_server_reload_tls(s->servers[i]));
        }
    }
}

/* ---- Life ---- */

static struct status listen_on(struct server *s, const struct ca_listener *listener) {
    const struct http_tls_config tls = {
        .certificate_file =
            listener->certificate != NULL ? listener->certificate : s->chain_file,
        .key_file = listener->certificate != NULL ? listener->key : s->key_file,
    };
    struct http_server_config config = {
        .loops = s->loops,
        .service = router_service(s->router),
        .tls = listener->plain_http ? NULL : &tls,
    };
    char text[ADDRESS_TEXT_MAX];
    if (s->server_count == LISTENERS_MAX) {
        return FAIL(INVALID_CONFIG);
    }
    TRY(address_parse(&config.listen, listener->address));
    TRY(http_server_new(&s->servers[s->server_count], &config));
    struct address bound = http_server_address(s->servers[s->server_count++]);
    address_format(&bound, text);
    log_event(LOG_INFO, "listening", LOG_STRING("address", text),
              LOG_STRING("scheme", listener->plain_http ? "http" : "https"));
    return OK;
}

static struct status listen_all(struct server *s) {
    const struct ca_listener *listeners = s->config.listen.items;
    for (size_t i = 0; i < s->config.listen.count; i++) {
        TRY(listen_on(s, &listeners[i]));
    }
    return OK;
}

static bool start(struct server *s) {
    struct ca_options *o = &s->config.options;
    if (o->workers == 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        o->workers = processors > 4 ? (unsigned)processors : 4;
    }
    return !failed("the CA can't be made", ca_new(o, &s->ca)) &&
           !failed("the CA's own certificate can't be made", own_prepare(s)) &&
           !failed("routes", router_new(&s->router)) &&
           !failed("routes", ca_add_routes(s->ca, s->router)) &&
           !failed("event loops can't be made", loop_group_new(&s->loops, 0)) &&
           !failed("the CA can't start", ca_start(s->ca)) &&
           !failed("a listener can't be made", listen_all(s)) &&
           !failed("event loops can't start", loop_group_start(s->loops));
}

static void stop(struct server *s) {
    if (s->ca != NULL) {
        ca_stop(s->ca);
    }
    for (size_t i = 0; i < s->server_count; i++) {
        http_server_free(s->servers[i]);
    }
    loop_group_free(s->loops);
    router_free(s->router);
    ca_free(s->ca);
    arena_release(&s->arena);
}

static void reload(struct server *s) {
    for (size_t i = 0; i < s->server_count; i++) {
        (void)failed("TLS files can't be read again", http_server_reload_tls(s->servers[i]));
    }
}

/* Until a signal says to end; false if the signer ended first. */
static bool run(struct server *s, const sigset_t *signals) {
    const struct timespec tick = {1, 0};
    for (;;) {
        int number = sigtimedwait(signals, NULL, &tick);
        if (number == SIGTERM || number == SIGINT) {
            return true;
        }
        if (number == SIGCHLD && waitpid(ca_signer_pid(s->ca), NULL, WNOHANG) > 0) {
            log_event(LOG_ERROR, "the signer ended, so the server does");
            return false;
        }
        if (number == SIGHUP) {
            reload(s);
        }
        own_check(s);
    }
}

int ca_serve_main(int argc, char **argv) {
    int result;
    static struct server s;
    sigset_t signals;
    if (!cli_options(&command, &argc, argv, &result)) {
        return result;
    }
    if (!ca_config_load(config_path, &s.arena, &s.config)) {
        return EXIT_FAILURE;
    }
    log_configure((enum log_level)s.config.logging.level, (enum log_format)s.config.logging.format,
                  STDERR_FILENO);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return EXIT_FAILURE;
    }
    /* Threads that share heaps hold less: most of them wait for other servers. */
    mallopt(M_ARENA_MAX, 2);
    bool good = start(&s);
    if (good) {
        log_event(LOG_INFO, "ready", LOG_STRING("version", program_version()),
                  LOG_STRING("url", s.config.url));
        good = run(&s, &signals);
    }
    stop(&s);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
