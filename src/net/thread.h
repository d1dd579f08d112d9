/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_NET_THREAD_H
#define MOIETY_NET_THREAD_H

#include <pthread.h>

#include "base/status.h"

/*
 * Starts a thread named `name` (cut to 15 bytes) on which signals are blocked:
 * SIGTERM and its like belong to the main thread, and SIGPIPE to nobody, so
 * that writing to a connection that is gone fails with EPIPE. Those that tell
 * of a fault of the thread's own come through. IO if it can't be started.
 */
struct status thread_start(pthread_t *out, const char *name, void *(*run)(void *argument),
                           void *argument);

#endif
