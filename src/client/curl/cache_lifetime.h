/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_CLIENT_CURL_CACHE_LIFETIME_H
#define MOIETY_CLIENT_CURL_CACHE_LIFETIME_H

#include <stdint.h>

/* How many seconds an answer stays fresh (RFC 9111, section 4.2), from its
 * Cache-Control and Age headers, either of which may be NULL: max-age less
 * Age. 0 without max-age, for no-store and no-cache, and for what doesn't
 * parse. At most 30 days. Pure. */
uint64_t cache_lifetime(const char *cache_control, const char *age);

#endif
