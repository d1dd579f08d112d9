/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "aggregator/task_settings.h"

static void refuse(const char *json, const char *said) {
    struct task_settings settings = {.max_job_size = 77};
    char error[TASK_SETTINGS_ERROR_MAX] = "";
    struct status status = task_settings_parse(span_of_string(json), &settings, error);
    cr_assert_eq(status.code, STATUS_INVALID_CONFIG, "%s", json);
    cr_assert_not_null(strstr(error, said), "%s: %s", json, error);
    cr_assert_eq(settings.max_job_size, 77, "touched on failure");
    cr_assert_eq(task_settings_parse(span_of_string(json), &settings, NULL).code,
                 STATUS_INVALID_CONFIG);
}

Test(settings, has_defaults) {
    struct task_settings settings, defaults = TASK_SETTINGS_DEFAULT;
    cr_assert(status_ok(task_settings_parse(SPAN_EMPTY, &settings, NULL)));
    cr_assert_eq(settings.max_job_size, defaults.max_job_size);
    cr_assert_eq(settings.max_unaggregated_bytes, defaults.max_unaggregated_bytes);
    cr_assert(status_ok(task_settings_parse(SPAN_OF_LITERAL("{}"), &settings, NULL)));
    cr_assert_eq(settings.max_unaggregated_reports, 10000000);
    cr_assert_not(settings.helper_async);
}

Test(settings, prints_what_it_reads) {
    static const char json[] =
        "{\"max_job_size\": 7, \"job_linger_ms\": 0, \"batch_target_size\": 12345678901,"
        " \"batch_deadline_s\": 60, \"report_expiry_s\": 86400,"
        " \"max_unaggregated_reports\": 5, \"max_unaggregated_bytes\": 0,"
        " \"helper_async\": true, \"allow_small_batches\": true}";
    struct task_settings settings;
    struct buffer printed = BUFFER_INIT;
    cr_assert(status_ok(task_settings_parse(SPAN_OF_LITERAL(json), &settings, NULL)));
    cr_assert_eq(settings.max_job_size, 7);
    cr_assert_eq(settings.batch_target_size, 12345678901);
    cr_assert_eq(settings.batch_deadline_s, 60);
    cr_assert_eq(settings.report_expiry_s, 86400);
    cr_assert_eq(settings.max_unaggregated_reports, 5);
    cr_assert_eq(settings.max_unaggregated_bytes, 0);
    cr_assert(settings.helper_async && settings.allow_small_batches);
    cr_assert(status_ok(task_settings_print(&settings, &printed)));
    cr_assert(span_equal_vartime(buffer_span(&printed), SPAN_OF_LITERAL(json)));
    buffer_release(&printed);
}

Test(settings, says_what_is_wrong) {
    refuse("{", "task settings");
    refuse("[]", "object");
    refuse("7", "task settings");
    refuse("{\"max_job_siez\": 1}", "max_job_siez");
    refuse("{\"max_job_size\": 0}", "max_job_size must be an integer from 1 to 100000");
    refuse("{\"max_job_size\": 100001}", "max_job_size");
    refuse("{\"max_job_size\": \"9\"}", "max_job_size");
    refuse("{\"max_job_size\": 1.5}", "max_job_size");
    refuse("{\"report_expiry_s\": -1}", "report_expiry_s");
    refuse("{\"helper_async\": 1}", "helper_async must be true or false");
    refuse("{\"helper_async\": true, \"helper_async\": false}", "task settings");
}
