/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_CLIENT_DESCRIPTION_H
#define MOIETY_CLIENT_DESCRIPTION_H

#include "dap/task.h"
#include "moiety/task.h"
#include "vdaf/vdaf.h"

/*
 * What the client and collector libraries share behind their public faces.
 */

/* Opens the task that an app describes, and its VDAF (two shares), which the
 * caller frees. The rest lives in the arena. INVALID_ARGUMENT, and the errors of
 * task_open() and vdaf_from_config(). Thread-safe. */
struct status description_open(const struct moiety_task *description, struct arena *arena,
                               struct task *task, struct vdaf **vdaf);

/* Statuses as apps see them. */
enum moiety_result result_of(struct status status);
/* The same for description_open(), where bad bytes are the caller's argument
 * and not a peer's message. */
enum moiety_result result_of_opening(struct status status);

/* How a server's HTTP status answers a request: OK, RETRY_LATER (no answer at
 * all, or one that says that it is for now) or REFUSED (draft 18, section 3.4:
 * classes alone count). */
enum moiety_result result_of_http(int http_status);

#endif
