/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/leader_pace.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/peer_request.h"
#include "base/clock.h"

void pace_init(struct pace *pace) {
    *pace = (struct pace){0};
    pthread_mutex_init(&pace->lock, NULL);
}

void pace_release(struct pace *pace) {
    free(pace->entries);
    pthread_mutex_destroy(&pace->lock);
}

/* With the lock held; NULL if the task has none. */
static struct pace_entry *entry_find(struct pace *pace, const uint8_t *task_id) {
    for (size_t i = 0; i < pace->count; i++) {
        if (memcmp(pace->entries[i].task_id, task_id, STORE_TASK_ID_SIZE) == 0) {
            return &pace->entries[i];
        }
    }
    return NULL;
}

static struct pace_entry *entry_make(struct pace *pace, const uint8_t *task_id) {
    struct pace_entry *entry = entry_find(pace, task_id);
    if (entry != NULL) {
        return entry;
    }
    struct pace_entry *grown = realloc(pace->entries, (pace->count + 1) * sizeof *pace->entries);
    if (grown == NULL) {
        return NULL;
    }
    pace->entries = grown;
    entry = &grown[pace->count++];
    *entry = (struct pace_entry){0};
    memcpy(entry->task_id, task_id, STORE_TASK_ID_SIZE);
    return entry;
}

static unsigned entry_window(const struct pace_entry *entry) {
    return entry->window == 0 ? PACE_JOBS_PER_TASK : entry->window;
}

bool pace_has_room(struct pace *pace, bool retries) {
    pthread_mutex_lock(&pace->lock);
    bool room = pace->running < (retries ? PACE_RETRIES_MAX : PACE_JOBS_MAX);
    pthread_mutex_unlock(&pace->lock);
    return room;
}

bool pace_task_may_start(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]) {
    pthread_mutex_lock(&pace->lock);
    const struct pace_entry *entry = entry_find(pace, task_id);
    bool may = entry == NULL || (entry->running < entry_window(entry) &&
                                 entry->rest_until_ns <= clock_monotonic_ns());
    pthread_mutex_unlock(&pace->lock);
    return may;
}

struct status pace_begin(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]) {
    pthread_mutex_lock(&pace->lock);
    struct pace_entry *entry = entry_make(pace, task_id);
    if (entry != NULL) {
        entry->running++;
        pace->running++;
    }
    pthread_mutex_unlock(&pace->lock);
    return entry != NULL ? OK : FAIL(NO_MEMORY);
}

void pace_end(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]) {
    pthread_mutex_lock(&pace->lock);
    entry_find(pace, task_id)->running--;
    pace->running--;
    pthread_mutex_unlock(&pace->lock);
}

/* What jobs may grow to. */
static size_t entry_ceiling(const struct pace_entry *entry) {
    bool known = entry->ceiling != 0 && clock_monotonic_ns() < entry->ceiling_until_ns;
    return known ? entry->ceiling - entry->ceiling / 8 : SIZE_MAX;
}

/* Jobs grow when one of the size allowed went well; past what any task is
 * allowed by its settings there is no bound to keep. */
static void entry_grow(struct pace_entry *entry, size_t reports) {
    enum { ANY_SIZE = 100000 };
    if (entry->max_reports == 0 || reports < entry->max_reports) {
        return;
    }
    size_t ceiling = entry_ceiling(entry);
    size_t grown = 2 * entry->max_reports;
    entry->max_reports = grown < ceiling ? grown
                         : ceiling > entry->max_reports ? ceiling
                                                        : entry->max_reports;
    if (entry->max_reports > ANY_SIZE) {
        entry->max_reports = 0;
    }
}

void pace_succeeded(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE], size_t reports) {
    pthread_mutex_lock(&pace->lock);
    struct pace_entry *entry = entry_find(pace, task_id);
    if (entry != NULL) {
        entry->failures = 0;
        entry->succeeded = true;
        entry->window = entry->window + 1 < PACE_JOBS_PER_TASK && entry->window != 0
                            ? entry->window + 1
                            : 0;
        entry_grow(entry, reports);
    }
    pthread_mutex_unlock(&pace->lock);
}

bool pace_has_succeeded(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]) {
    pthread_mutex_lock(&pace->lock);
    const struct pace_entry *entry = entry_find(pace, task_id);
    bool succeeded = entry != NULL && entry->succeeded;
    pthread_mutex_unlock(&pace->lock);
    return succeeded;
}

/* Several jobs may hear at about the same time that the helper is busy: while
 * the task rests, that was one time. */
void pace_busy(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE],
               int64_t retry_after_ms) {
    enum { REST_MS = 1000 };
    pthread_mutex_lock(&pace->lock);
    struct pace_entry *entry = entry_find(pace, task_id);
    if (entry != NULL) {
        int64_t now = clock_monotonic_ns();
        int64_t until = now + (retry_after_ms > REST_MS ? retry_after_ms : REST_MS) * 1000000;
        if (entry->rest_until_ns <= now) {
            entry->window = (entry_window(entry) + 1) / 2;
        }
        entry->rest_until_ns = until > entry->rest_until_ns ? until : entry->rest_until_ns;
    }
    pthread_mutex_unlock(&pace->lock);
}

void pace_failed(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]) {
    pthread_mutex_lock(&pace->lock);
    struct pace_entry *entry = entry_find(pace, task_id);
    if (entry != NULL) {
        entry->failures++;
        entry->rest_until_ns = clock_monotonic_ns() + peer_backoff_ms(entry->failures, 0) * 1000000;
    }
    pthread_mutex_unlock(&pace->lock);
}

void pace_set_report_bytes(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE],
                           size_t bytes) {
    pthread_mutex_lock(&pace->lock);
    struct pace_entry *entry = entry_find(pace, task_id);
    if (entry != NULL) {
        entry->report_bytes = bytes;
    }
    pthread_mutex_unlock(&pace->lock);
}

size_t pace_report_bytes(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]) {
    pthread_mutex_lock(&pace->lock);
    const struct pace_entry *entry = entry_find(pace, task_id);
    size_t bytes = entry == NULL ? 0 : entry->report_bytes;
    pthread_mutex_unlock(&pace->lock);
    return bytes;
}

static void entry_halve(struct pace_entry *entry, size_t reports) {
    size_t half = reports > 1 ? reports / 2 : 1;
    if (entry->max_reports == 0 || half < entry->max_reports) {
        entry->max_reports = half;
    }
}

void pace_too_much(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE], size_t reports) {
    pthread_mutex_lock(&pace->lock);
    struct pace_entry *entry = entry_find(pace, task_id);
    if (entry != NULL) {
        entry_halve(entry, reports);
        entry->ceiling = reports;
        entry->ceiling_until_ns = clock_monotonic_ns() + (int64_t)PACE_CEILING_S * 1000000000;
    }
    pthread_mutex_unlock(&pace->lock);
}

void pace_split(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE], size_t reports) {
    pthread_mutex_lock(&pace->lock);
    struct pace_entry *entry = entry_find(pace, task_id);
    if (entry != NULL) {
        entry_halve(entry, reports);
    }
    pthread_mutex_unlock(&pace->lock);
}

size_t pace_max_reports(struct pace *pace, const uint8_t task_id[STORE_TASK_ID_SIZE]) {
    pthread_mutex_lock(&pace->lock);
    const struct pace_entry *entry = entry_find(pace, task_id);
    size_t max = entry == NULL || entry->max_reports == 0 ? SIZE_MAX : entry->max_reports;
    pthread_mutex_unlock(&pace->lock);
    return max;
}
