/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "interop.h"
#include "net/http_server.h"
#include "net/loop.h"

static const char usage[] =
    "usage: moiety-interop ROLE [--listen ADDRESS:PORT] [--directory DIR]\n"
    "                           [--dialect NAME] [--collector-dialect NAME] [--helper-async]\n"
    "\n"
    "Serves the DAP interoperation test API for one role: client, leader, helper,\n"
    "aggregator (leader or helper, as each task says) or collector.\n"
    "For tests on one machine: anybody who reaches it can make tasks.\n"
    "\n"
    "  --listen     where to listen (127.0.0.1:8080)\n"
    "  --directory  an aggregator's database (a new folder below /tmp)\n"
    "  --dialect    draft-18 (default) or janus-2026-08: what the other aggregator,\n"
    "               or a collector's leader, speaks\n"
    "  --collector-dialect  what a leader's collector speaks (as --dialect)\n"
    "  --helper-async  answer aggregation jobs later\n";

struct arguments {
    struct interop_options interop;
    struct address listen;
    char directory[64]; /* made by us, if none was given */
};

static int parse_arguments(int argc, char **argv, struct arguments *out) {
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},  {"directory", required_argument, NULL, 'd'},
        {"dialect", required_argument, NULL, 'x'}, {"helper-async", no_argument, NULL, 'a'},
        {"collector-dialect", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    const char *listen = "127.0.0.1:8080";
    *out = (struct arguments){.interop = {.dialect = "draft-18"}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'l': listen = optarg; break;
        case 'd': out->interop.directory = optarg; break;
        case 'x': out->interop.dialect = optarg; break;
        case 'c': out->interop.collector_dialect = optarg; break;
        case 'a': out->interop.helper_async = true; break;
        case 'h': fputs(usage, stdout); exit(0);
        default: fputs(usage, stderr); return 2;
        }
    }
    if (optind + 1 != argc) {
        fputs(usage, stderr);
        return 2;
    }
    out->interop.role = argv[optind];
    if (out->interop.collector_dialect == NULL) {
        out->interop.collector_dialect = out->interop.dialect;
    }
    if (!status_ok(address_parse(&out->listen, listen)) || !address_is_loopback(&out->listen)) {
        fprintf(stderr, "moiety-interop: --listen takes a loopback address and a port, not %s\n",
                listen);
        return 2;
    }
    return 0;
}

/* The one of the three that this process is; the others stay NULL. */
struct parties {
    struct interop_client *client;
    struct interop_collector *collector;
    struct interop_aggregator *aggregator;
};

static struct status party_new(struct arguments *arguments, struct parties *out) {
    struct interop_options *options = &arguments->interop;
    if (strcmp(options->role, "client") == 0) {
        return interop_client_new(options, &out->client);
    }
    if (strcmp(options->role, "collector") == 0) {
        return interop_collector_new(options, &out->collector);
    }
    if (strcmp(options->role, "leader") != 0 && strcmp(options->role, "helper") != 0 &&
        strcmp(options->role, "aggregator") != 0) {
        fprintf(stderr, "moiety-interop: there is no role %s\n%s", options->role, usage);
        return FAIL(INVALID_ARGUMENT);
    }
    if (options->directory == NULL) {
        strcpy(arguments->directory, "/tmp/moiety-interop-XXXXXX");
        options->directory = mkdtemp(arguments->directory);
        if (options->directory == NULL) {
            return FAIL(IO);
        }
    }
    return interop_aggregator_new(options, &out->aggregator);
}

/* Both signals end the process in the same way; the router and the queue must
 * outlive what uses them. */
static struct status serve(struct arguments *arguments, const sigset_t *ending) {
    struct loop_group *loops = NULL;
    struct router *router = NULL;
    struct work_queue *queue = NULL;
    struct http_server *server = NULL;
    struct parties parties = {NULL, NULL, NULL};
    struct status status;
    TRY_GOTO(status, loop_group_new(&loops, 1), out);
    TRY_GOTO(status, router_new(&router), out);
    TRY_GOTO(status, work_queue_new(&queue, &(struct work_queue_config){.threads = 4}), out);
    arguments->interop.queue = queue;
    arguments->interop.router = router;
    TRY_GOTO(status, party_new(arguments, &parties), out);
    const struct http_server_config config = {
        .loops = loops, .listen = arguments->listen, .service = router_service(router)};
    TRY_GOTO(status, http_server_new(&server, &config), out);
    TRY_GOTO(status, loop_group_start(loops), out);

    char address[ADDRESS_TEXT_MAX];
    const struct address bound = http_server_address(server);
    address_format(&bound, address);
    printf("%s listens on %s\n", arguments->interop.role, address);
    fflush(stdout);
    int signal_number;
    sigwait(ending, &signal_number);
    http_server_stop(server);
out:
    interop_aggregator_stop(parties.aggregator);
    if (queue != NULL) {
        work_queue_stop(queue);
    }
    http_server_free(server);
    interop_aggregator_free(parties.aggregator);
    interop_collector_free(parties.collector);
    interop_client_free(parties.client);
    work_queue_free(queue);
    router_free(router);
    loop_group_free(loops);
    return status;
}

int main(int argc, char **argv) {
    struct arguments arguments;
    int wrong = parse_arguments(argc, argv, &arguments);
    if (wrong != 0) {
        return wrong;
    }
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct status status = serve(&arguments, &ending);
    if (!status_ok(status)) {
        fprintf(stderr, "moiety-interop: %s\n", status_text(status.code));
        return 1;
    }
    return 0;
}
