/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "server.h"
#include "support/options.h"

static const char *config_path = "moietyd.yaml";
static bool check_only, print_config, print_version;

static const struct option_spec options[] = {
    {"config", OPTION_STRING, &config_path, "FILE", "the configuration file; default moietyd.yaml",
     NULL},
    {"check", OPTION_FLAG, &check_only, NULL,
     "check the configuration, the files that it names\n"
     "and the database, say what is wrong, and exit",
     NULL},
    {"print-config", OPTION_FLAG, &print_config, NULL,
     "print a sample with every key, its meaning and\n"
     "its default, and exit",
     NULL},
    {"version", OPTION_FLAG, &print_version, NULL, "print the version and exit", NULL},
    {.name = NULL},
};

static const struct command_spec command = {
    .name = "moietyd",
    .arguments = "[--config FILE]",
    .summary = "A DAP aggregator: leader of some tasks, helper of others.",
    .help = "It runs in the foreground and logs to standard error. SIGTERM or SIGINT lets\n"
            "what is under way finish, then exits with 0; a second one exits at once.\n"
            "SIGHUP reads the TLS files again. Tasks are made with the moiety program,\n"
            "also while it runs. `moiety init` makes a first configuration.\n",
    .options = options,
};

/* Waits for one of the signals, at most `ms` milliseconds (-1: for ever); 0 if
 * none came. */
static int wait_for_signal(const sigset_t *signals, long ms) {
    const struct timespec timeout = {ms / 1000, ms % 1000 * 1000000};
    int number;
    do {
        number = ms < 0 ? sigwaitinfo(signals, NULL) : sigtimedwait(signals, NULL, &timeout);
    } while (number < 0 && errno == EINTR);
    return number < 0 ? 0 : number;
}

/* Lets what is under way finish. Does not return after a second signal. */
static void drain(struct moietyd *d, const sigset_t *signals) {
    enum { TICK_MS = 20 };
    log_event(LOG_INFO, "draining; a second signal exits at once");
    notify_systemd("STOPPING=1");
    moietyd_drain(d);
    while (!moietyd_idle(d)) {
        int number = wait_for_signal(signals, TICK_MS);
        if (number == SIGTERM || number == SIGINT) {
            log_event(LOG_WARN,
                      "exiting at once; what was under way is taken up at the next start");
            _exit(EXIT_FAILURE);
        }
    }
}

static int serve(const struct server_config *config) {
    static struct moietyd d;
    sigset_t signals;
    /* Blocked before any thread exists, so that only this one takes them. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return EXIT_FAILURE;
    }
    if (!moietyd_start(&d, config)) {
        moietyd_stop(&d);
        return EXIT_FAILURE;
    }
    log_event(LOG_INFO, "ready", LOG_STRING("version", program_version()),
              LOG_STRING("database", config->database));
    notify_systemd("READY=1");
    for (int number = 0; number != SIGTERM && number != SIGINT;) {
        number = wait_for_signal(&signals, -1);
        if (number == SIGHUP) {
            moietyd_reload(&d);
        }
    }
    drain(&d, &signals);
    moietyd_stop(&d);
    log_event(LOG_INFO, "stopped");
    return EXIT_SUCCESS;
}

static int say_good(void) {
    printf("%s: good\n", config_path);
    return EXIT_SUCCESS;
}

static int print_sample(void) {
    struct buffer sample = BUFFER_INIT;
    if (!status_ok(server_config_sample(&sample))) {
        return EXIT_FAILURE;
    }
    bool written = fwrite(sample.data, 1, sample.len, stdout) == sample.len && fflush(stdout) == 0;
    buffer_release(&sample);
    return written ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_with_config(void) {
    struct arena arena = ARENA_INIT;
    struct buffer errors = BUFFER_INIT;
    struct server_config config;
    int result = EXIT_FAILURE;
    struct status status = server_config_load(config_path, &arena, &config, &errors);
    if (status_ok(status)) {
        log_configure((enum log_level)config.log.level, (enum log_format)config.log.format,
                      STDERR_FILENO);
        result = !check_only ? serve(&config) : check_files(&config) ? say_good() : EXIT_FAILURE;
    } else if (errors.len > 0) {
        fprintf(stderr, "%.*s", (int)errors.len, (const char *)errors.data);
        if (access(config_path, F_OK) != 0) {
            fprintf(stderr, "moietyd: `moiety init FOLDER` writes a first configuration\n");
        }
    } else {
        fprintf(stderr, "%s: %s\n", config_path, status_text(status.code));
    }
    buffer_release(&errors);
    arena_release(&arena);
    return result;
}

int main(int argc, char **argv) {
    int count = argc - 1;
    switch (options_parse(&command, &count, argv + 1)) {
    case OPTIONS_HELP: return EXIT_SUCCESS;
    case OPTIONS_BAD: return EXIT_USAGE;
    case OPTIONS_RUN: break;
    }
    if (print_version) {
        printf("moietyd %s\n", program_version());
        return EXIT_SUCCESS;
    }
    memory_keep();
    return print_config ? print_sample() : run_with_config();
}
