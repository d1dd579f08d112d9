/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERIES_MAX_DEFAULT = 1000, HASH_SLOTS = 256 };

static const char *const overflow_values[METRIC_LABELS_MAX] = {"other", "other", "other", "other"};

const double metric_buckets_seconds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                         0.5,   1,      2.5,   5,    10,    30,   60};
const size_t metric_buckets_seconds_count =
    sizeof(metric_buckets_seconds) / sizeof(metric_buckets_seconds[0]);

struct metric {
    struct metric *next;      /* in order of making */
    struct metric *same_slot; /* of the hash table */
    struct metric_family *family;
    char *values[METRIC_LABELS_MAX];
    _Atomic int64_t value;
    /* Histograms: `value` counts the observations, `sum` holds the bits of a
     * double, and each bucket counts what no lower one holds. */
    _Atomic uint64_t sum;
    _Atomic uint64_t buckets[];
};

struct metric_family {
    struct metric_family *next;
    char *name;
    char *help;
    enum metric_kind kind;
    char *labels[METRIC_LABELS_MAX];
    size_t label_count;
    double bounds[METRIC_BUCKETS_MAX];
    size_t bucket_count;
    size_t series_max;

    pthread_mutex_t mutex; /* over what follows; series are never taken away */
    struct metric *first;
    struct metric **last;
    size_t series;
    struct metric *slots[HASH_SLOTS];
};

struct reader {
    struct reader *next;
    char *name;
    char *help;
    double (*read)(void *argument);
    void *argument;
};

struct metrics {
    pthread_mutex_t mutex;
    struct metric_family *first;
    struct metric_family **last;
    struct reader *readers;
};

struct status metrics_new(struct metrics **out) {
    struct metrics *metrics = calloc(1, sizeof(*metrics));
    if (metrics == NULL) {
        return FAIL(NO_MEMORY);
    }
    pthread_mutex_init(&metrics->mutex, NULL);
    metrics->last = &metrics->first;
    *out = metrics;
    return OK;
}

static void metric_free(struct metric *metric) {
    for (size_t i = 0; i < METRIC_LABELS_MAX; i++) {
        free(metric->values[i]);
    }
    free(metric);
}

static void family_free(struct metric_family *family) {
    for (struct metric *metric = family->first; metric != NULL;) {
        struct metric *next = metric->next;
        metric_free(metric);
        metric = next;
    }
    for (size_t i = 0; i < METRIC_LABELS_MAX; i++) {
        free(family->labels[i]);
    }
    free(family->name);
    free(family->help);
    pthread_mutex_destroy(&family->mutex);
    free(family);
}

static void reader_free(struct reader *reader) {
    free(reader->name);
    free(reader->help);
    free(reader);
}

void metrics_free(struct metrics *metrics) {
    if (metrics == NULL) {
        return;
    }
    for (struct metric_family *family = metrics->first; family != NULL;) {
        struct metric_family *next = family->next;
        family_free(family);
        family = next;
    }
    for (struct reader *reader = metrics->readers; reader != NULL;) {
        struct reader *next = reader->next;
        reader_free(reader);
        reader = next;
    }
    pthread_mutex_destroy(&metrics->mutex);
    free(metrics);
}

static bool description_is_valid(const struct metric_description *description) {
    if (description->bucket_count > METRIC_BUCKETS_MAX ||
        (description->kind == METRIC_HISTOGRAM) != (description->bucket_count > 0)) {
        return false;
    }
    for (size_t i = 1; i < description->bucket_count; i++) {
        if (!(description->buckets[i - 1] < description->buckets[i])) {
            return false;
        }
    }
    return true;
}

static bool family_matches(const struct metric_family *family,
                           const struct metric_description *description) {
    for (size_t i = 0; i < METRIC_LABELS_MAX; i++) {
        const char *label = description->labels[i];
        if ((label == NULL) != (family->labels[i] == NULL) ||
            (label != NULL && strcmp(label, family->labels[i]) != 0)) {
            return false;
        }
    }
    return family->kind == description->kind;
}

static struct metric_family *family_new(const struct metric_description *description) {
    struct metric_family *family = calloc(1, sizeof(*family));
    if (family == NULL) {
        return NULL;
    }
    pthread_mutex_init(&family->mutex, NULL);
    family->last = &family->first;
    family->kind = description->kind;
    family->series_max =
        description->series_max == 0 ? SERIES_MAX_DEFAULT : description->series_max;
    family->bucket_count = description->bucket_count;
    for (size_t i = 0; i < description->bucket_count; i++) {
        family->bounds[i] = description->buckets[i];
    }
    family->name = strdup(description->name);
    family->help = strdup(description->help);
    bool complete = family->name != NULL && family->help != NULL;
    for (; family->label_count < METRIC_LABELS_MAX &&
           description->labels[family->label_count] != NULL;
         family->label_count++) {
        char *label = strdup(description->labels[family->label_count]);
        complete = complete && label != NULL;
        family->labels[family->label_count] = label;
    }
    if (!complete) {
        family_free(family);
        return NULL;
    }
    return family;
}

static struct status family_find_or_add(struct metrics *metrics,
                                        const struct metric_description *description,
                                        struct metric_family **out) {
    for (struct metric_family *family = metrics->first; family != NULL; family = family->next) {
        if (strcmp(family->name, description->name) == 0) {
            if (!family_matches(family, description)) {
                return FAIL(INVALID_ARGUMENT);
            }
            *out = family;
            return OK;
        }
    }
    struct metric_family *family = family_new(description);
    if (family == NULL) {
        return FAIL(NO_MEMORY);
    }
    *metrics->last = family;
    metrics->last = &family->next;
    *out = family;
    return OK;
}

struct status metrics_family(struct metrics *metrics, const struct metric_description *description,
                             struct metric_family **out) {
    if (metrics == NULL) {
        *out = NULL;
        return OK;
    }
    if (!description_is_valid(description)) {
        return FAIL(INVALID_ARGUMENT);
    }
    pthread_mutex_lock(&metrics->mutex);
    struct status status = family_find_or_add(metrics, description, out);
    pthread_mutex_unlock(&metrics->mutex);
    return status;
}

struct status metrics_gauge_reader(struct metrics *metrics, const char *name, const char *help,
                                   double (*read)(void *argument), void *argument) {
    if (metrics == NULL) {
        return OK;
    }
    struct reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL) {
        return FAIL(NO_MEMORY);
    }
    *reader = (struct reader){NULL, strdup(name), strdup(help), read, argument};
    if (reader->name == NULL || reader->help == NULL) {
        reader_free(reader);
        return FAIL(NO_MEMORY);
    }
    pthread_mutex_lock(&metrics->mutex);
    struct reader **last = &metrics->readers;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = reader;
    pthread_mutex_unlock(&metrics->mutex);
    return OK;
}

void metrics_forget_reader(struct metrics *metrics, void *argument) {
    if (metrics == NULL) {
        return;
    }
    pthread_mutex_lock(&metrics->mutex);
    for (struct reader **link = &metrics->readers; *link != NULL;) {
        struct reader *reader = *link;
        if (reader->argument == argument) {
            *link = reader->next;
            reader_free(reader);
        } else {
            link = &reader->next;
        }
    }
    pthread_mutex_unlock(&metrics->mutex);
}

/* FNV-1a, over each value and its terminator. */
static size_t hash_values(const char *const values[], size_t count) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < count; i++) {
        for (const char *c = values[i];; c++) {
            hash = (hash ^ (uint8_t)*c) * 16777619u;
            if (*c == '\0') {
                break;
            }
        }
    }
    return hash % HASH_SLOTS;
}

static struct metric *series_find(const struct metric_family *family, const char *const values[]) {
    struct metric *metric = family->slots[hash_values(values, family->label_count)];
    for (; metric != NULL; metric = metric->same_slot) {
        size_t same = 0;
        while (same < family->label_count && strcmp(metric->values[same], values[same]) == 0) {
            same++;
        }
        if (same == family->label_count) {
            return metric;
        }
    }
    return NULL;
}

static struct metric *series_add(struct metric_family *family, const char *const values[]) {
    /* One more bucket than bounds, for +Inf. */
    const size_t buckets = family->kind == METRIC_HISTOGRAM ? family->bucket_count + 1 : 0;
    struct metric *metric = calloc(1, sizeof(*metric) + buckets * sizeof(metric->buckets[0]));
    if (metric == NULL) {
        return NULL;
    }
    metric->family = family;
    for (size_t i = 0; i < family->label_count; i++) {
        metric->values[i] = strdup(values[i]);
        if (metric->values[i] == NULL) {
            metric_free(metric);
            return NULL;
        }
    }
    struct metric **slot = &family->slots[hash_values(values, family->label_count)];
    metric->same_slot = *slot;
    *slot = metric;
    *family->last = metric;
    family->last = &metric->next;
    family->series++;
    return metric;
}

struct metric *metric_series(struct metric_family *family, const char *const values[]) {
    if (family == NULL) {
        return NULL;
    }
    pthread_mutex_lock(&family->mutex);
    struct metric *metric = series_find(family, values);
    if (metric == NULL && family->series >= family->series_max) {
        values = overflow_values;
        metric = series_find(family, values);
    }
    if (metric == NULL) {
        metric = series_add(family, values);
    }
    pthread_mutex_unlock(&family->mutex);
    return metric;
}

void metric_add(struct metric *metric, int64_t amount) {
    if (metric != NULL) {
        atomic_fetch_add_explicit(&metric->value, amount, memory_order_relaxed);
    }
}

void metric_set(struct metric *metric, int64_t value) {
    if (metric != NULL) {
        atomic_store_explicit(&metric->value, value, memory_order_relaxed);
    }
}

static double double_of(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

void metric_observe(struct metric *metric, double value) {
    if (metric == NULL || metric->family->kind != METRIC_HISTOGRAM) {
        return;
    }
    size_t bucket = 0;
    while (bucket < metric->family->bucket_count && value > metric->family->bounds[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&metric->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->value, 1, memory_order_relaxed);
    uint64_t before = atomic_load_explicit(&metric->sum, memory_order_relaxed);
    uint64_t after;
    do {
        const double sum = double_of(before) + value;
        memcpy(&after, &sum, sizeof(after));
    } while (!atomic_compare_exchange_weak_explicit(&metric->sum, &before, after,
                                                    memory_order_relaxed, memory_order_relaxed));
}

int64_t metric_value(const struct metric *metric) {
    return metric == NULL ? 0 : atomic_load_explicit(&metric->value, memory_order_relaxed);
}

/* Backslash and line feed, and in label values the quote, are escaped. */
static struct status write_escaped(struct buffer *out, const char *text, bool quoted) {
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            TRY(buffer_append_string(out, "\\n"));
            continue;
        }
        if (*text == '\\' || (quoted && *text == '"')) {
            TRY(buffer_append_u8(out, '\\'));
        }
        TRY(buffer_append_u8(out, (uint8_t)*text));
    }
    return OK;
}

static struct status write_heading(struct buffer *out, const char *name, const char *help,
                                   const char *kind) {
    TRY(buffer_printf(out, "# HELP %s ", name));
    TRY(write_escaped(out, help, false));
    return buffer_printf(out, "\n# TYPE %s %s\n", name, kind);
}

/* `name_suffix{labels,le="bound"} `, the last label if `bound` is not NULL. */
static struct status write_series_name(struct buffer *out, const struct metric *metric,
                                       const char *suffix, const char *bound) {
    const struct metric_family *family = metric->family;
    TRY(buffer_printf(out, "%s%s", family->name, suffix));
    if (family->label_count == 0 && bound == NULL) {
        return buffer_append_u8(out, ' ');
    }
    const char *separator = "{";
    for (size_t i = 0; i < family->label_count; i++) {
        TRY(buffer_printf(out, "%s%s=\"", separator, family->labels[i]));
        TRY(write_escaped(out, metric->values[i], true));
        TRY(buffer_append_u8(out, '"'));
        separator = ",";
    }
    if (bound != NULL) {
        TRY(buffer_printf(out, "%sle=\"%s\"", separator, bound));
    }
    return buffer_append_string(out, "} ");
}

static struct status write_histogram(struct buffer *out, const struct metric *metric) {
    const struct metric_family *family = metric->family;
    uint64_t total = 0; /* of what is written, so that +Inf equals _count */
    for (size_t i = 0; i <= family->bucket_count; i++) {
        char bound[32] = "+Inf";
        if (i < family->bucket_count) {
            snprintf(bound, sizeof(bound), "%.15g", family->bounds[i]);
        }
        total += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
        TRY(write_series_name(out, metric, "_bucket", bound));
        TRY(buffer_printf(out, "%llu\n", (unsigned long long)total));
    }
    TRY(write_series_name(out, metric, "_sum", NULL));
    const uint64_t sum = atomic_load_explicit(&metric->sum, memory_order_relaxed);
    TRY(buffer_printf(out, "%.15g\n", double_of(sum)));
    TRY(write_series_name(out, metric, "_count", NULL));
    return buffer_printf(out, "%llu\n", (unsigned long long)total);
}

static struct status write_family(struct buffer *out, struct metric_family *family) {
    static const char *const kinds[] = {
        [METRIC_COUNTER] = "counter",
        [METRIC_GAUGE] = "gauge",
        [METRIC_HISTOGRAM] = "histogram",
    };
    TRY(write_heading(out, family->name, family->help, kinds[family->kind]));
    for (const struct metric *metric = family->first; metric != NULL; metric = metric->next) {
        if (family->kind == METRIC_HISTOGRAM) {
            TRY(write_histogram(out, metric));
            continue;
        }
        TRY(write_series_name(out, metric, "", NULL));
        TRY(buffer_printf(out, "%lld\n", (long long)metric_value(metric)));
    }
    return OK;
}

/* A name is exposed once: by the first reader that has it, for all of them. */
static bool is_first_of_name(const struct metrics *metrics, const struct reader *reader) {
    const struct reader *first = metrics->readers;
    while (strcmp(first->name, reader->name) != 0) {
        first = first->next;
    }
    return first == reader;
}

static double sum_of_name(const struct reader *first) {
    double sum = 0;
    for (const struct reader *reader = first; reader != NULL; reader = reader->next) {
        if (strcmp(reader->name, first->name) == 0) {
            sum += reader->read(reader->argument);
        }
    }
    return sum;
}

static struct status write_all(struct metrics *metrics, struct buffer *out) {
    for (struct metric_family *family = metrics->first; family != NULL; family = family->next) {
        pthread_mutex_lock(&family->mutex);
        struct status status = write_family(out, family);
        pthread_mutex_unlock(&family->mutex);
        TRY(status);
    }
    for (const struct reader *reader = metrics->readers; reader != NULL; reader = reader->next) {
        if (is_first_of_name(metrics, reader)) {
            TRY(write_heading(out, reader->name, reader->help, "gauge"));
            TRY(buffer_printf(out, "%s %.15g\n", reader->name, sum_of_name(reader)));
        }
    }
    return OK;
}

struct status metrics_write(struct metrics *metrics, struct buffer *out) {
    pthread_mutex_lock(&metrics->mutex);
    struct status status = write_all(metrics, out);
    pthread_mutex_unlock(&metrics->mutex);
    return status;
}
