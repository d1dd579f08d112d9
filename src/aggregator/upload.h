/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_UPLOAD_H
#define MOIETY_AGGREGATOR_UPLOAD_H

#include "aggregator/exchange.h"

/*
 * Uploads at a leader (DAP, "Uploading Reports").
 *
 * Every report is looked at by itself: what can be checked without decryption
 * is checked now, the rest before aggregation. An upload is answered after its
 * reports are durable; uploads that come while a commit is under way share the
 * next one.
 */

/* How an upload ended. `status`: INVALID_MESSAGE if the body doesn't parse (the
 * whole reports before the flaw may have been kept), TOO_MANY_REQUESTS if the
 * task's quota is used up (nothing was kept), BUSY, or the store's failure.
 * `errors`: encoded UploadErrors, empty if every report was accepted; it lives
 * in the arena given. */
typedef void upload_done(void *argument, struct status status, struct span errors);

/* From bytes to bytes: HTTP calls it today, an OHTTP gateway tomorrow. `body`
 * and `arena` must stay until `done`, which is called exactly once, on this or
 * another worker, and may be called before this returns. Holds the task. */
void upload_process(struct aggregator *aggregator, const struct served_task *task, struct span body,
                    struct arena *arena, upload_done *done, void *argument);

extern const struct endpoint upload_endpoint;

struct status upload_committer_new(struct aggregator *aggregator, struct upload_committer **out);
void upload_committer_free(struct upload_committer *committer); /* NULL is allowed */

#endif
