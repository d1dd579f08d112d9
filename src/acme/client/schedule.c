/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/schedule.h"

enum { MINUTE_S = 60, QUARTER_S = 15 * 60, DAY_S = 24 * 3600 };

/* `span` times a fraction in [0, 1). */
static int64_t part_of(int64_t span, uint32_t random) {
    return (int64_t)((__int128)span * random >> 32);
}

int64_t schedule_in_window(const struct schedule_window *window, uint32_t random) {
    return window->start + part_of(window->end - window->start, random);
}

int64_t schedule_by_lifetime(const struct certificate_times *times, uint32_t random) {
    const int64_t lifetime = times->not_after - times->not_before + 1;
    const int64_t age = lifetime < 10 * DAY_S ? lifetime / 2 : lifetime * 2 / 3;
    return times->not_before + age + part_of(lifetime / 20, random);
}

/* The longest wait that the certificate's age leaves. */
static int64_t longest_wait(int64_t remaining_s, int64_t lifetime_s) {
    const int64_t hundredth = lifetime_s / 100;
    const int64_t pace = lifetime_s > 0 && hundredth < QUARTER_S ? hundredth : QUARTER_S;
    return remaining_s / 10 > pace ? remaining_s / 10 : pace;
}

uint64_t schedule_retry(unsigned failures, int64_t remaining_s, int64_t lifetime_s,
                        uint64_t retry_after_s, uint32_t random) {
    const int64_t most = longest_wait(remaining_s, lifetime_s);
    int64_t wait = MINUTE_S;
    for (unsigned i = 1; i < failures && wait < DAY_S; i++) {
        wait *= 2;
    }
    wait = wait < DAY_S ? wait : DAY_S;
    wait = wait * 4 / 5 + part_of(wait * 2 / 5, random);
    wait = wait < most ? wait : most;
    wait = wait > 1 ? wait : 1;
    return (uint64_t)wait > retry_after_s ? (uint64_t)wait : retry_after_s;
}
