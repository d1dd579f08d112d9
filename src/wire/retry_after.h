/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_WIRE_RETRY_AFTER_H
#define MOIETY_WIRE_RETRY_AFTER_H

#include "base/bytes.h"

/*
 * How long a peer asks us to wait (RFC 9110, section 10.2.3): its Retry-After
 * header is a number of seconds or an HTTP date in one of the three forms of
 * section 5.6.7. The wait is at most `cap_s`, so that no peer can park us for
 * ever; a date in the past gives 0. INVALID_MESSAGE if it is neither. Pure.
 */
struct status retry_after_parse(struct span header, uint64_t now_s, uint64_t cap_s,
                                uint64_t *wait_s);

#endif
