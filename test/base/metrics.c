/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include <criterion/criterion.h>
#include <pthread.h>

static struct metrics *metrics;

static void start(void) { cr_assert(status_ok(metrics_new(&metrics))); }
static void stop(void) { metrics_free(metrics); }

TestSuite(metrics, .init = start, .fini = stop);

static struct metric_family *family(const struct metric_description *description) {
    struct metric_family *made = NULL;
    cr_assert(status_ok(metrics_family(metrics, description, &made)));
    return made;
}

static void expect_exposed(const char *expected) {
    struct buffer text = BUFFER_INIT;
    cr_assert(status_ok(metrics_write(metrics, &text)));
    cr_assert(status_ok(buffer_append_u8(&text, '\0')));
    cr_assert_str_eq((const char *)text.data, expected);
    buffer_release(&text);
}

static double read_seven(void *argument) {
    (void)argument;
    return 7.5;
}

Test(metrics, exposes_what_was_counted) {
    const struct metric_description counter = {
        .name = "uploads_total",
        .help = "Uploads, by\noutcome \\ task.",
        .kind = METRIC_COUNTER,
        .labels = {"task", "outcome"},
    };
    struct metric_family *uploads = family(&counter);
    metric_add(metric_series(uploads, (const char *[]){"a\"b\\c\nd", "ok"}), 2);
    metric_add(metric_series(uploads, (const char *[]){"a\"b\\c\nd", "late"}), 1);
    metric_add(metric_series(uploads, (const char *[]){"a\"b\\c\nd", "ok"}), 3);
    const struct metric_description gauge = {.name = "jobs", .help = "Jobs.", .kind = METRIC_GAUGE};
    struct metric *jobs = metric_series(family(&gauge), NULL);
    metric_set(jobs, 5);
    metric_add(jobs, -7);
    cr_assert_eq(metric_value(jobs), -2);
    cr_assert(status_ok(metrics_gauge_reader(metrics, "depth", "Depth.", read_seven, &metrics)));
    expect_exposed("# HELP uploads_total Uploads, by\\noutcome \\\\ task.\n"
                   "# TYPE uploads_total counter\n"
                   "uploads_total{task=\"a\\\"b\\\\c\\nd\",outcome=\"ok\"} 5\n"
                   "uploads_total{task=\"a\\\"b\\\\c\\nd\",outcome=\"late\"} 1\n"
                   "# HELP jobs Jobs.\n"
                   "# TYPE jobs gauge\n"
                   "jobs -2\n"
                   "# HELP depth Depth.\n"
                   "# TYPE depth gauge\n"
                   "depth 7.5\n");
}

Test(metrics, exposes_histograms_cumulatively) {
    static const double bounds[] = {0.5, 1, 2};
    const struct metric_description description = {
        .name = "seconds",
        .help = "Seconds.",
        .kind = METRIC_HISTOGRAM,
        .labels = {"route"},
        .buckets = bounds,
        .bucket_count = 3,
    };
    struct metric *seconds = metric_series(family(&description), (const char *[]){"/x"});
    metric_observe(seconds, 0.25);
    metric_observe(seconds, 1); /* a bound belongs to its bucket */
    metric_observe(seconds, 1.5);
    metric_observe(seconds, 9);
    cr_assert_eq(metric_value(seconds), 4);
    expect_exposed("# HELP seconds Seconds.\n"
                   "# TYPE seconds histogram\n"
                   "seconds_bucket{route=\"/x\",le=\"0.5\"} 1\n"
                   "seconds_bucket{route=\"/x\",le=\"1\"} 2\n"
                   "seconds_bucket{route=\"/x\",le=\"2\"} 3\n"
                   "seconds_bucket{route=\"/x\",le=\"+Inf\"} 4\n"
                   "seconds_sum{route=\"/x\"} 11.75\n"
                   "seconds_count{route=\"/x\"} 4\n");
}

Test(metrics, bounds_the_series) {
    const struct metric_description description = {
        .name = "n_total", .help = "N.", .kind = METRIC_COUNTER, .labels = {"task"},
        .series_max = 2};
    struct metric_family *counted = family(&description);
    static const char *const tasks[] = {"a", "b", "c", "d", "a"};
    for (size_t i = 0; i < 5; i++) {
        metric_add(metric_series(counted, &tasks[i]), 1);
    }
    expect_exposed("# HELP n_total N.\n# TYPE n_total counter\n"
                   "n_total{task=\"a\"} 2\nn_total{task=\"b\"} 1\nn_total{task=\"other\"} 2\n");
}

Test(metrics, finds_a_family_again) {
    const struct metric_description first = {
        .name = "n_total", .help = "N.", .kind = METRIC_COUNTER, .labels = {"task"}};
    struct metric_description other = first;
    struct metric_family *made = family(&first);
    cr_assert_eq(family(&other), made);
    other.kind = METRIC_GAUGE;
    cr_assert_eq(metrics_family(metrics, &other, &made).code, STATUS_INVALID_ARGUMENT);
    other = first;
    other.labels[1] = "more";
    cr_assert_eq(metrics_family(metrics, &other, &made).code, STATUS_INVALID_ARGUMENT);
    other = first;
    other.labels[0] = "tusk";
    cr_assert_eq(metrics_family(metrics, &other, &made).code, STATUS_INVALID_ARGUMENT);
    const struct metric_description boundless = {
        .name = "h", .help = "H.", .kind = METRIC_HISTOGRAM};
    cr_assert_eq(metrics_family(metrics, &boundless, &made).code, STATUS_INVALID_ARGUMENT);
}

Test(metrics, forgets_readers) {
    int mine;
    cr_assert(status_ok(metrics_gauge_reader(metrics, "a", "A.", read_seven, &mine)));
    cr_assert(status_ok(metrics_gauge_reader(metrics, "b", "B.", read_seven, NULL)));
    cr_assert(status_ok(metrics_gauge_reader(metrics, "c", "C.", read_seven, &mine)));
    metrics_forget_reader(metrics, &mine);
    expect_exposed("# HELP b B.\n# TYPE b gauge\nb 7.5\n");
}

Test(metrics, adds_up_readers_of_one_name) {
    cr_assert(status_ok(metrics_gauge_reader(metrics, "a", "A.", read_seven, NULL)));
    cr_assert(status_ok(metrics_gauge_reader(metrics, "b", "B.", read_seven, NULL)));
    cr_assert(status_ok(metrics_gauge_reader(metrics, "a", "A.", read_seven, NULL)));
    expect_exposed("# HELP a A.\n# TYPE a gauge\na 15\n# HELP b B.\n# TYPE b gauge\nb 7.5\n");
}

Test(metrics, does_nothing_for_nobody) {
    struct metric_family *none = NULL;
    const struct metric_description description = {
        .name = "n_total", .help = "N.", .kind = METRIC_COUNTER};
    cr_assert(status_ok(metrics_family(NULL, &description, &none)));
    cr_assert_null(none);
    struct metric *series = metric_series(none, NULL);
    metric_add(series, 1);
    metric_set(series, 1);
    metric_observe(series, 1);
    cr_assert_eq(metric_value(series), 0);
    cr_assert(status_ok(metrics_gauge_reader(NULL, "a", "A.", read_seven, NULL)));
    metrics_forget_reader(NULL, NULL);
}

enum { THREADS = 4, ROUNDS = 20000 };

static void *count_main(void *argument) {
    static const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < ROUNDS; i++) {
        metric_add(metric_series(argument, &names[i % 3]), 1);
    }
    return NULL;
}

static void *observe_main(void *argument) {
    for (int i = 0; i < ROUNDS; i++) {
        metric_observe(argument, 1.5);
    }
    return NULL;
}

Test(metrics, counts_from_many_threads) {
    const struct metric_description counter = {
        .name = "n_total", .help = "N.", .kind = METRIC_COUNTER, .labels = {"x"}};
    static const double bounds[] = {1};
    const struct metric_description histogram = {
        .name = "h", .help = "H.", .kind = METRIC_HISTOGRAM, .buckets = bounds, .bucket_count = 1};
    struct metric_family *counted = family(&counter);
    struct metric *observed = metric_series(family(&histogram), NULL);
    pthread_t threads[2 * THREADS];
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, count_main, counted);
        pthread_create(&threads[THREADS + i], NULL, observe_main, observed);
    }
    for (int i = 0; i < 2 * THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    int64_t total = 0;
    static const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        total += metric_value(metric_series(counted, &names[i]));
    }
    cr_assert_eq(total, THREADS * ROUNDS);
    struct buffer text = BUFFER_INIT;
    cr_assert(status_ok(metrics_write(metrics, &text)));
    cr_assert(status_ok(buffer_append_u8(&text, '\0')));
    cr_assert_not_null(strstr((const char *)text.data, "\nh_sum 120000\nh_count 80000\n"));
    buffer_release(&text);
}
