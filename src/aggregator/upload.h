/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_UPLOAD_H
#define MOIETY_AGGREGATOR_UPLOAD_H

#include "aggregator/exchange.h"

/*
 * Uploads at a leader (DAP, "Uploading Reports").
 *
 * Every report is looked at by itself: what can be checked without decryption
 * is checked now, the rest before aggregation. Where the draft lets the leader
 * abort the whole request because of one report's extensions, only that report
 * is refused (invalid_message), so that the honest ones beside it count; if no
 * report of the request is free of unknown extensions it is aborted with
 * unsupportedExtension, which tells the app's developer more.
 *
 * A request is taken in parts, each of which is durable before the next is
 * looked at, so that its size is no matter of memory. An upload that fails
 * keeps what came before the failure; sending it again is harmless, since
 * uploading is idempotent.
 */
struct upload;

struct upload_outcome {
    /* INVALID_MESSAGE if the body doesn't parse (after the whole reports before
     * the flaw were treated as if they were all), UNSUPPORTED_EXTENSION as above,
     * TOO_MANY_REQUESTS if the task's quota is used up (nothing of this part was
     * kept), BUSY, or the store's failure. No part may follow a failure. */
    struct status status;
    size_t consumed;    /* how much of the part was whole reports; the rest begins the next */
    struct span errors; /* after the last: encoded UploadErrors; empty if every report was
                         * accepted. Valid until upload_end() */
    const uint16_t *unsupported_extensions;
    size_t unsupported_extension_count;
};

typedef void upload_done(void *argument, const struct upload_outcome *outcome);

/* From bytes to bytes: HTTP calls it today, an OHTTP gateway tomorrow. `arena`
 * and the caller's hold on `task` must stay until upload_end(). NULL if out of
 * memory. */
struct upload *upload_begin(struct aggregator *aggregator, const struct served_task *task,
                            struct arena *arena);
/* Takes a part of the body, which must stay until `done`. That is called exactly
 * once, after what was accepted is durable; on this or another worker, and
 * maybe before this returns. */
void upload_take(struct upload *upload, struct span part, bool last, upload_done *done,
                 void *argument);
/* The same for a whole body that is short, without ever waiting: for loops. False
 * if it can't be done so just now; nothing has happened then. */
bool upload_take_small(struct upload *upload, struct span body, upload_done *done,
                       void *argument);
void upload_end(struct upload *upload); /* NULL is allowed */

extern const struct endpoint upload_endpoint;

#endif
