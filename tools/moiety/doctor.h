/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_DOCTOR_H
#define MOIETY_DOCTOR_H

#include "dap/problem.h"
#include "dap/url.h"
#include "net/http_client.h"
#include "task_file.h"

/* An examination: what was found so far, and what it takes to look. */
struct doctor {
    struct arena arena;
    struct http_client *client;
    struct http_client_tls tls;
    unsigned good, warnings, bad;
};

/* Findings, each a line: what was looked at, and in words what it means. */
void doctor_good(struct doctor *doctor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void doctor_warn(struct doctor *doctor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void doctor_bad(struct doctor *doctor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* One answer, with the parts that findings are made of. */
struct doctor_answer {
    int status;
    struct span body;
    struct span content_type;
    struct span location;
    struct span retry_after;
    const char *date; /* NULL if there was none */
    bool has_problem;
    struct problem problem; /* if has_problem */
};

/* Sends a request; false was found bad: no HTTP answer came. `token` may be
 * empty, `media` NULL. */
bool doctor_ask(struct doctor *doctor, const char *method, const char *url, struct span token,
                const char *media, struct span body, struct doctor_answer *out);

/* An aggregator by itself: reachable, in step with our clock, with a key that
 * we can use (in *config, if not NULL). False if nothing more can be asked. */
bool doctor_check_endpoint(struct doctor *doctor, const char *role, struct span endpoint,
                           struct hpke_config *config);
/* What a party may do there with its file. */
void doctor_check_client(struct doctor *doctor, const struct task_file *file);
void doctor_check_collector(struct doctor *doctor, const struct task_file *file);
void doctor_check_leader(struct doctor *doctor, const struct task_file *file,
                         const struct hpke_config *helper_key);
/* Two files that should be of one task. */
void doctor_compare(struct doctor *doctor, const struct task_file *a, const struct task_file *b);

/* What two aggregators wrote with `moiety batch dump`: which batches, reports and
 * jobs differ, and what to do. */
void doctor_compare_dumps(struct doctor *doctor, const char *const paths[2]);

#endif
