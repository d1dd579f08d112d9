/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/report_check.h"

#include "dap/interval.h"

/* Compared in units of the task, where no multiplication can overflow. */
static bool too_early(const struct task *task, uint64_t time, uint64_t now_s, uint64_t skew_s) {
    uint64_t latest = now_s > UINT64_MAX - skew_s ? UINT64_MAX : now_s + skew_s;
    return time > time_of_seconds(latest, task->configuration.time_precision);
}

enum report_error report_check_time(const struct task *task, uint64_t time, uint64_t now_s,
                                    uint64_t skew_s) {
    if (task->has_task_interval) {
        if (time < task->task_interval.start) {
            return REPORT_ERROR_TASK_NOT_STARTED;
        }
        if (time >= interval_end(&task->task_interval)) {
            return REPORT_ERROR_TASK_EXPIRED;
        }
    }
    return too_early(task, time, now_s, skew_s) ? REPORT_ERROR_REPORT_TOO_EARLY : REPORT_VALID;
}

enum report_error report_check_upload_time(const struct task *task, uint64_t time, uint64_t now_s,
                                           uint64_t skew_s) {
    if (task->has_task_interval && !interval_contains(&task->task_interval, time)) {
        return REPORT_ERROR_REPORT_DROPPED;
    }
    return too_early(task, time, now_s, skew_s) ? REPORT_ERROR_REPORT_TOO_EARLY : REPORT_VALID;
}

/* Report extensions that this implementation supports would be named here. */
static bool supported(enum extension_type type) {
    (void)type;
    return false;
}

static bool increasing(const struct extension_list *list) {
    for (size_t i = 1; i < list->count; i++) {
        if (list->items[i].extension_type <= list->items[i - 1].extension_type) {
            return false;
        }
    }
    return true;
}

/* Both lists are increasing, so one walk along both finds a common type. */
static bool share_a_type(const struct extension_list *a, const struct extension_list *b) {
    for (size_t i = 0, j = 0; i < a->count && j < b->count;) {
        enum extension_type left = a->items[i].extension_type;
        enum extension_type right = b->items[j].extension_type;
        if (left == right) {
            return true;
        }
        i += left < right;
        j += right < left;
    }
    return false;
}

static bool all_supported(const struct extension_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        if (!supported(list->items[i].extension_type)) {
            return false;
        }
    }
    return true;
}

bool report_extensions_ordered(const struct extension_list *public_extensions,
                               const struct extension_list *private_extensions) {
    return increasing(public_extensions) && increasing(private_extensions) &&
           !share_a_type(public_extensions, private_extensions);
}

enum report_error report_check_extensions(const struct extension_list *public_extensions,
                                          const struct extension_list *private_extensions) {
    bool good = report_extensions_ordered(public_extensions, private_extensions) &&
                all_supported(public_extensions) && all_supported(private_extensions);
    return good ? REPORT_VALID : REPORT_ERROR_INVALID_MESSAGE;
}

struct status report_unsupported_extensions(const struct extension_list *extensions,
                                            struct arena *arena, const uint16_t **types,
                                            size_t *count) {
    uint16_t *found = ARENA_ARRAY(arena, uint16_t, extensions->count);
    if (found == NULL && extensions->count > 0) {
        return FAIL(NO_MEMORY);
    }
    size_t used = 0;
    for (size_t i = 0; i < extensions->count; i++) {
        if (!supported(extensions->items[i].extension_type)) {
            found[used++] = (uint16_t)extensions->items[i].extension_type;
        }
    }
    *types = found;
    *count = used;
    return OK;
}
