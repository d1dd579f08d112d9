/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_LINKS_H
#define MOIETY_ACME_CLIENT_LINKS_H

#include "base/arena.h"

/* The targets of one relation in a Link header (RFC 8288), such as the other
 * chains of a certificate (RFC 8555 section 7.4.2). */
enum { LINKS_MAX = 8 };

struct links {
    const char *urls[LINKS_MAX];
    size_t count;
};

/* Adds those of `relation` that `header` holds, absolute http(s) URLs alone, as
 * far as there is room; what isn't well-formed is passed over. NO_MEMORY. */
struct status links_add(struct links *links, struct span header, const char *relation,
                        struct arena *arena);

#endif
