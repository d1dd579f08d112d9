/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_PREPARE_H
#define MOIETY_AGGREGATOR_PREPARE_H

#include "aggregator/keyring.h"
#include "aggregator/task.h"
#include "dap/report_check.h"

/*
 * From a report share to the input that the VDAF takes (DAP, "Input Share
 * Decryption" and "Input Share Validation"), for a batch, by either role.
 */
struct prepare_item {
    const struct report_metadata *metadata;
    struct span public_share;
    const struct hpke_ciphertext *ciphertext; /* this aggregator's */
    /* out: REPORT_VALID if all is well, else why not. An item
     * whose error is set on entry is skipped. */
    enum report_error error;
    struct span payload; /* out, secret: the encoded input share */
};

enum prepare_mode {
    PREPARE_NEW,     /* all checks */
    PREPARE_REBUILD, /* the same reports again, for a retry: without the clock, so
                      * that what passed once passes again */
};

/* Opens and validates; secrets live in the arena. `now_s` is POSIX seconds and
 * `skew_s` how far ahead of it a report may be. `watermark` is the oldest epoch
 * that can still be checked for replay: reports before it are report_dropped
 * (0: none). Fails only for want of memory. Workers only. */
struct prepare_context {
    const struct moiety_provider *provider;
    const struct keyring *keyring;
    const struct served_task *task;
    enum prepare_mode mode;
    uint64_t now_s;
    uint32_t skew_s;
    uint64_t watermark;
};
struct status prepare_items(const struct prepare_context *context, struct prepare_item items[],
                            size_t count, struct arena *arena);

#endif
