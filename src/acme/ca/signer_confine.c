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

struct status signer_confine(int fd) {
    /* No core with keys in it, and no debugger of the same user. */
    const struct rlimit none = {0, 0};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    bool set = filter != NULL && setrlimit(RLIMIT_CORE, &none) == 0 &&
               prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
    for (size_t i = 0; set && i < sizeof allowed / sizeof allowed[0]; i++) {
        set = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) == 0;
    }
    set = set && allow_on(filter, SCMP_SYS(read), fd) && allow_on(filter, SCMP_SYS(sendto), fd) &&
          allow_on(filter, SCMP_SYS(write), STDERR_FILENO) && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return set ? OK : FAIL(IO);
}
