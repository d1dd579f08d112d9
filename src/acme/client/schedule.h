/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_SCHEDULE_H
#define MOIETY_ACME_CLIENT_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "acme/certificate.h"

/* When to renew and when to try again; all of it pure. Times are seconds since
 * 1970, `random` is any 32 bits. */

/* What the CA suggests (RFC 9773): start inclusive, end exclusive. */
struct schedule_window {
    int64_t start, end;
};

/* A moment in the window, each as likely (RFC 9773 section 4.2): keep it as long
 * as the window stays the same. */
int64_t schedule_in_window(const struct schedule_window *window, uint32_t random);

/* Without a window: two thirds into its life, or half if it lives less than ten
 * days, up to a twentieth of its life later by chance, so that what was issued together
 * isn't renewed together. */
int64_t schedule_by_lifetime(const struct certificate_times *times, uint32_t random);

/* How long to wait, in seconds, after the `failures`th failure in a row (from 1): a minute,
 * doubled each time up to a day, a fifth more or less by chance. But at most a tenth of
 * what the certificate has left, or, when that is less, a quarter of an hour, which is a
 * pace that CAs put up with; a hundredth of its life if it lives so shortly. `lifetime_s` is 0
 * if there is no certificate. Never below what the server asked for by Retry-After, nor a second. */
uint64_t schedule_retry(unsigned failures, int64_t remaining_s, int64_t lifetime_s,
                        uint64_t retry_after_s, uint32_t random);

#endif
