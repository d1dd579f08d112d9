/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_RENEWER_H
#define MOIETY_ACME_CLIENT_RENEWER_H

#include "acme/client/client.h"
#include "base/metrics.h"

/*
 * Keeps one certificate fresh, on a thread of its own: obtains it, asks the CA when it
 * wants it renewed (ARI), renews it then, and tries again after a failure, less and less
 * often, until it succeeds. Lifetimes from a minute up need no setting.
 *
 * Several processes may look after one file, as replicas with a vault in common: one of
 * them renews, all answer its challenges, and all call `renewed`, also when `moiety cert`
 * has replaced it. If the one ends before it is done, another takes over when its lease
 * has; if it fails, the others wait as long as it does.
 *
 * Invariant: the pair's file always holds a usable key and certificate, the old ones until
 * the new ones are complete.
 */
struct renewer;

/* Strings and arrays are borrowed. */
struct renewer_config {
    struct acme_client_config client; /* its http, pause, lease and only_look are the
                                       * renewer's to set */
    bool allow_plain_http;            /* to a CA on another machine, for tests */
    struct acme_certificate certificate; /* without lease; its solver has the same vault */
    struct metrics *metrics; /* may be NULL; must outlive it */
    /* There is a new pair: listeners are to ask the source. On the renewer's thread. */
    void (*renewed)(void *context);
    void *context;
};

/* Makes the file, with a placeholder, if there is none, so that listeners have
 * something to serve. IO, PERMISSION_DENIED, NOT_FOUND (the folder), INVALID_CONFIG (the file is no pair):
 * logged. */
struct status renewer_new(struct renewer **out, const struct renewer_config *config);

/* Starts the thread: from now on the challenges must be answered. */
struct status renewer_start(struct renewer *renewer);

/* Breaks off what it does, and joins the thread. Idempotent. */
void renewer_stop(struct renewer *renewer);
/* Stops it first. NULL is allowed. */
void renewer_free(struct renewer *renewer);

/* What gives listeners the pair, as the renewer saw it last. */
struct tls_source renewer_source(struct renewer *renewer);

#endif
