/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

enum { HOOK_TIMEOUT_MS = 10 * 60 * 1000 };

extern char **environ;

/* With no signal blocked and none ignored, whatever our own threads do. */
static bool start(const char *program, const struct hook_call *call, pid_t *child) {
    char *const arguments[] = {(char *)program,          (char *)call->action,
                               (char *)call->type,       (char *)call->identifier,
                               (char *)call->record,     (char *)call->value,
                               NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const int error = posix_spawn(child, program, &files, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (error != 0) {
        log_event(LOG_ERROR, "the hook program can't be started", LOG_STRING("program", program),
                  LOG_STRING("reason", strerror(error)));
    }
    return error == 0;
}

/* Ends the program if it takes too long; either way it is gone afterwards. */
static bool ended_in_time(pid_t child) {
    const int fd = (int)syscall(SYS_pidfd_open, child, 0);
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    int ready = fd < 0 ? 1 : 0;
    while (fd >= 0 && (ready = poll(&poller, 1, HOOK_TIMEOUT_MS)) < 0 && errno == EINTR) {
    }
    if (ready <= 0) {
        kill(child, SIGKILL);
    }
    if (fd >= 0) {
        close(fd);
    }
    return ready > 0;
}

struct status hook_run(const char *program, const struct hook_call *call) {
    pid_t child;
    int how = 0;
    if (!start(program, call, &child)) {
        return FAIL(IO);
    }
    const bool in_time = ended_in_time(child);
    while (waitpid(child, &how, 0) < 0 && errno == EINTR) {
    }
    if (in_time && WIFEXITED(how) && WEXITSTATUS(how) == 0) {
        return OK;
    }
    log_event(LOG_ERROR, "the hook program failed", LOG_STRING("program", program),
              LOG_STRING("action", call->action), LOG_STRING("record", call->record),
              LOG_INT("status", WIFEXITED(how) ? WEXITSTATUS(how) : -1));
    return in_time ? FAIL(IO) : FAIL(TIMEOUT);
}
