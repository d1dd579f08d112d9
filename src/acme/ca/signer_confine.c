/* SPDX-License-Identifier: Apache-2.0 */
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "acme/ca/signer_process.h"

/* What memory, time, randomness, locks and ending take; none of it names a file,
 * a socket or another process. */
static const int allowed[] = {
    SCMP_SYS(brk),           SCMP_SYS(mmap),          SCMP_SYS(munmap),
    SCMP_SYS(mremap),        SCMP_SYS(madvise),       SCMP_SYS(mprotect),
    SCMP_SYS(futex),         SCMP_SYS(getrandom),     SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),  SCMP_SYS(time),          SCMP_SYS(getpid),
    SCMP_SYS(gettid),        SCMP_SYS(rt_sigreturn),  SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(sched_yield),   SCMP_SYS(restart_syscall), SCMP_SYS(sigaltstack),
    SCMP_SYS(exit),          SCMP_SYS(exit_group),
};

static bool allow_on(scmp_filter_ctx filter, int call, int fd) {
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                            SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)fd)) == 0;
}

bool signer_keep_only(int fd) {
    return dup2(fd, STDIN_FILENO) == STDIN_FILENO &&
           close_range(STDERR_FILENO + 1, ~0U, 0) == 0 && close(STDOUT_FILENO) == 0;
}

bool signer_hide(void) {
    const struct rlimit none = {0, 0};
    return setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

struct status signer_confine(const int fds[], size_t count) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    bool set = filter != NULL && signer_hide();
    for (size_t i = 0; set && i < sizeof allowed / sizeof allowed[0]; i++) {
        set = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) == 0;
    }
    for (size_t i = 0; set && i < count; i++) {
        set = allow_on(filter, SCMP_SYS(read), fds[i]) &&
              allow_on(filter, SCMP_SYS(sendto), fds[i]);
    }
    set = set && allow_on(filter, SCMP_SYS(write), STDERR_FILENO) && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return set ? OK : FAIL(IO);
}
