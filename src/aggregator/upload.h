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
 */
struct upload_outcome {
    /* INVALID_MESSAGE if the body doesn't parse (the whole reports before the
     * flaw are treated as if they were all, since uploading is idempotent),
     * UNSUPPORTED_EXTENSION as above, TOO_MANY_REQUESTS if the task's quota is
     * used up (nothing was kept), BUSY, or the store's failure. */
    struct status status;
    struct span errors; /* encoded UploadErrors; empty if every report was accepted */
    const uint16_t *unsupported_extensions;
    size_t unsupported_extension_count;
};

/* `outcome` and what it refers to are the upload's arena's. */
typedef void upload_done(void *argument, const struct upload_outcome *outcome);

/* From bytes to bytes: HTTP calls it today, an OHTTP gateway tomorrow. `body`,
 * `arena` and the caller's hold on `task` must stay until `done`, which is
 * called exactly once, after what was accepted is durable; on this or another
 * worker, and maybe before this returns. */
void upload_process(struct aggregator *aggregator, const struct served_task *task,
                    struct span body, struct arena *arena, upload_done *done, void *argument);

extern const struct endpoint upload_endpoint;

#endif
