/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BASE_METRICS_H
#define MOIETY_BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * Counters, gauges and histograms, and their exposition in Prometheus' text
 * format (version 0.0.4).
 *
 * A registry holds families; a family has one name, one kind, a fixed list of
 * label names, and one series for each combination of label values that was
 * asked for. Counting is a few atomic operations and never allocates; asking
 * for a series takes a lock, so hot code asks once and keeps the pointer,
 * which lives as long as the registry. Everything is thread-safe.
 *
 * Every function takes NULL where a family or a series is expected and then
 * does nothing, so that code can count without knowing whether anyone looks.
 * A series that could not be made for want of memory is NULL as well.
 */
struct metrics;
struct metric_family;
struct metric;

enum { METRIC_LABELS_MAX = 4, METRIC_BUCKETS_MAX = 24 };

/* What a family is. The registry copies all of it. */
struct metric_description {
    const char *name; /* [a-zA-Z_][a-zA-Z0-9_]*; counters end in _total */
    const char *help;
    enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM } kind;
    const char *labels[METRIC_LABELS_MAX]; /* names; NULL after the last */
    /* Histograms alone: upper bounds in rising order, without +Inf. */
    const double *buckets;
    size_t bucket_count;
    /* The most series that the family may hold; 0 means 1000. Label values
     * may come from outside (a task's id), and what is beyond the bound is
     * counted in one series whose label values are all "other". */
    size_t series_max;
};

/* Upper bounds in seconds, for latencies from 1 ms to 60 s. */
extern const double metric_buckets_seconds[];
extern const size_t metric_buckets_seconds_count;

struct status metrics_new(struct metrics **out);
void metrics_free(struct metrics *metrics);

/* Makes a family, or finds the one of that name: its kind and labels must
 * then be the same (INVALID_ARGUMENT). A NULL registry gives a NULL family. */
struct status metrics_family(struct metrics *metrics, const struct metric_description *description,
                             struct metric_family **out);

/* A gauge without labels whose value is asked for when it is exposed; readers
 * of one name, such as one for each listener, are added up. `read` runs on the
 * thread that exposes; `argument` must outlive the registry or be taken back
 * with metrics_forget_reader(). */
struct status metrics_gauge_reader(struct metrics *metrics, const char *name, const char *help,
                                   double (*read)(void *argument), void *argument);
/* Removes the readers that were given this argument. When it returns, none of
 * them is running. */
void metrics_forget_reader(struct metrics *metrics, void *argument);

/* The series with these label values, one for each label of the family (an
 * unlabelled family takes NULL). The values are copied. */
struct metric *metric_series(struct metric_family *family, const char *const values[]);

/* Counters only go up; gauges go both ways. */
void metric_add(struct metric *metric, int64_t amount);
void metric_set(struct metric *metric, int64_t value);
void metric_observe(struct metric *metric, double value);
/* What a counter or a gauge stands at; a histogram's number of observations. */
int64_t metric_value(const struct metric *metric);

/* Appends the exposition of all families, in the order they were made. */
struct status metrics_write(struct metrics *metrics, struct buffer *out);

#endif
