/* SPDX-License-Identifier: Apache-2.0
 *
 * What DAP says in HTTP headers: media types and Retry-After.
 */
#include <criterion/criterion.h>

#include "dap/media_type.h"
#include "wire/retry_after.h"

Test(media_type, names_of_the_draft) {
    cr_expect_str_eq(media_type_string(MEDIA_HPKE_CONFIG_LIST),
                     "application/ppm-dap;message=hpke-config-list");
    cr_expect_str_eq(media_type_string(MEDIA_UPLOAD_REQ),
                     "application/ppm-dap;message=upload-req");
    cr_expect_str_eq(media_type_string(MEDIA_UPLOAD_ERRORS),
                     "application/ppm-dap;message=upload-errors");
    cr_expect_str_eq(media_type_string(MEDIA_AGGREGATION_JOB_INIT_REQ),
                     "application/ppm-dap;message=aggregation-job-init-req");
    cr_expect_str_eq(media_type_string(MEDIA_AGGREGATION_JOB_RESP),
                     "application/ppm-dap;message=aggregation-job-resp");
    cr_expect_str_eq(media_type_string(MEDIA_AGGREGATION_JOB_CONTINUE_REQ),
                     "application/ppm-dap;message=aggregation-job-continue-req");
    cr_expect_str_eq(media_type_string(MEDIA_AGGREGATE_SHARE_REQ),
                     "application/ppm-dap;message=aggregate-share-req");
    cr_expect_str_eq(media_type_string(MEDIA_AGGREGATE_SHARE),
                     "application/ppm-dap;message=aggregate-share");
    cr_expect_str_eq(media_type_string(MEDIA_COLLECTION_JOB_REQ),
                     "application/ppm-dap;message=collection-job-req");
    cr_expect_str_eq(media_type_string(MEDIA_COLLECTION_JOB_RESP),
                     "application/ppm-dap;message=collection-job-resp");
}

Test(media_type, matches_what_means_the_same) {
    static const char *const same[] = {
        "application/ppm-dap;message=upload-req",
        "application/ppm-dap; message=upload-req",
        "Application/PPM-DAP ; Message=Upload-Req",
        "application/ppm-dap;message=\"upload-req\"",
        "application/ppm-dap;message=upload-req;version=18",
        "application/ppm-dap;version=18;message=upload-req",
    };
    static const char *const other[] = {
        "",
        "application/ppm-dap",
        "application/ppm-dap;",
        "application/ppm-dap;message",
        "application/ppm-dap;message=",
        "application/ppm-dap;message=upload-reqs",
        "application/ppm-dap;message=upload-errors",
        "application/ppm-dap;amessage=upload-req",
        "application/ppm-dapx;message=upload-req",
        "application/octet-stream;message=upload-req",
        "application/ppm-dap;message=upload-req;message=upload-errors",
        "application/ppm-dap;message=upload-req;message=upload-req",
        "application/problem+json",
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        cr_expect(media_type_matches(span_of_string(same[i]), MEDIA_UPLOAD_REQ), "%s", same[i]);
    }
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        cr_expect_not(media_type_matches(span_of_string(other[i]), MEDIA_UPLOAD_REQ), "%s",
                      other[i]);
    }
    cr_expect(media_type_matches(SPAN_OF_LITERAL("application/problem+json; charset=utf-8"),
                                 MEDIA_PROBLEM));
}

enum { NOW = 784111777 }; /* Sun, 06 Nov 1994 08:49:37 GMT */

static uint64_t wait_of(const char *header) {
    uint64_t wait = 0;
    cr_assert(status_ok(retry_after_parse(span_of_string(header), NOW, 3600, &wait)), "%s",
              header);
    return wait;
}

Test(retry_after, seconds_are_capped) {
    cr_expect_eq(wait_of("0"), 0);
    cr_expect_eq(wait_of("120"), 120);
    cr_expect_eq(wait_of("3600"), 3600);
    cr_expect_eq(wait_of("3601"), 3600);
    cr_expect_eq(wait_of("99999999999999999999999999"), 3600);
}

Test(retry_after, dates_in_all_three_forms) {
    cr_expect_eq(wait_of("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
    cr_expect_eq(wait_of("Sun, 06 Nov 1994 08:50:37 GMT"), 60);
    cr_expect_eq(wait_of("Sunday, 06-Nov-94 08:50:38 GMT"), 61);
    cr_expect_eq(wait_of("Sun Nov  6 08:50:39 1994"), 62);
    cr_expect_eq(wait_of("Sat, 05 Nov 1994 08:50:37 GMT"), 0);
    cr_expect_eq(wait_of("Fri, 29 Feb 2036 00:00:00 GMT"), 3600);
}

Test(retry_after, other_text_is_refused) {
    static const char *const bad[] = {
        "",     "-1",       "1.5",      "10s",
        "soon", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT or later",
        "1111111111111111111111111111111111111111111111111111111111111111111111",
    };
    uint64_t wait = 7;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_eq(retry_after_parse(span_of_string(bad[i]), NOW, 3600, &wait).code,
                     STATUS_INVALID_MESSAGE, "%s", bad[i]);
    }
    cr_expect_eq(retry_after_parse(span_of("1\0002", 3), NOW, 3600, &wait).code,
                 STATUS_INVALID_MESSAGE);
    cr_expect_eq(wait, 7);
}

Test(retry_after, leap_days_and_centuries) {
    uint64_t wait;
    /* 2000-02-29 00:00:00 is 951782400. */
    cr_assert(status_ok(retry_after_parse(SPAN_OF_LITERAL("Wed, 01 Mar 2000 00:00:00 GMT"),
                                          951782400, 1000000, &wait)));
    cr_expect_eq(wait, 86400);
    cr_assert(status_ok(retry_after_parse(SPAN_OF_LITERAL("Tue, 29 Feb 2000 00:00:00 GMT"),
                                          951696000, 1000000, &wait)));
    cr_expect_eq(wait, 86400);
    cr_assert(status_ok(retry_after_parse(SPAN_OF_LITERAL("Sat, 01 Jan 2000 00:00:00 GMT"),
                                          946684700, 1000000, &wait)));
    cr_expect_eq(wait, 100);
}
