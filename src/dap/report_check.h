/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_DAP_REPORT_CHECK_H
#define MOIETY_DAP_REPORT_CHECK_H

#include "dap/task.h"

/*
 * What can be said about a report without its VDAF or a database (draft 18,
 * section 4.5.3.4, and section 4.4.2.2 for uploads). The functions give the
 * error that the draft names for the report, or REPORT_VALID. Pure.
 */
#define REPORT_VALID REPORT_ERROR_RESERVED

/* report_too_early if the report's time begins more than `skew_s` seconds after
 * `now_s`; task_not_started and task_expired outside of the task_interval. */
enum report_error report_check_time(const struct task *task, uint64_t time, uint64_t now_s,
                                    uint64_t skew_s);

/* The same for uploads, where the draft has report_dropped for whatever is
 * outside of the task_interval. */
enum report_error report_check_upload_time(const struct task *task, uint64_t time, uint64_t now_s,
                                           uint64_t skew_s);

/* Whether each list is strictly increasing by type and no type is in both. */
bool report_extensions_ordered(const struct extension_list *public_extensions,
                               const struct extension_list *private_extensions);

/* invalid_message for an extension that we don't know (there is none yet that
 * we do), and for lists that are not ordered as above. */
enum report_error report_check_extensions(const struct extension_list *public_extensions,
                                          const struct extension_list *private_extensions);

/* The types in `extensions` that we don't know, for a problem document. Both
 * outputs are untouched on NO_MEMORY. */
struct status report_unsupported_extensions(const struct extension_list *extensions,
                                            struct arena *arena, const uint16_t **types,
                                            size_t *count);

#endif
