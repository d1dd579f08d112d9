/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_FAILURE_NOTE_H
#define MOIETY_ACME_CLIENT_FAILURE_NOTE_H

#include "acme/client/vault.h"

/* What replicas tell each other of failures to renew a pair, in the file
 * "<pair>.failed": so many replicas ask a CA no more often than one does. */
struct failure_note {
    unsigned failures; /* in a row */
    int64_t when;      /* of the last one, in seconds since 1970 */
    int64_t again;     /* when to try again */
};

/* False if there is none that can be read. */
bool failure_note_read(struct vault *vault, const char *pair, struct failure_note *out);
/* If it can't be written, others just try sooner. */
void failure_note_write(struct vault *vault, const char *pair, const struct failure_note *note);

#endif
