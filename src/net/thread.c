/* SPDX-License-Identifier: Apache-2.0 */
#include "net/thread.h"

#include <signal.h>
#include <stdio.h>

struct status thread_start(pthread_t *out, const char *name, void *(*run)(void *argument),
                           void *argument) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    sigset_t blocked;
    sigset_t before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigdelset(&blocked, faults[i]);
    }
    pthread_t thread;
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    const int failure = pthread_create(&thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        return FAIL(IO);
    }
    char label[16];
    snprintf(label, sizeof(label), "%.15s", name);
    pthread_setname_np(thread, label);
    *out = thread;
    return OK;
}
