/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_ARI_H
#define MOIETY_ACME_CLIENT_ARI_H

#include "acme/client/schedule.h"
#include "acme/client/session.h"

/* When the CA wants a certificate renewed (RFC 9773 section 4). */
struct ari {
    struct schedule_window window;
    uint64_t poll_after_s; /* when to ask again: a minute to a day */
    const char *explanation; /* a URL, of the arena; NULL: none */
};

/* `id` is certificate_ari_id()'s. NOT_FOUND if the server has no such thing to say; other
 * failures as session_get() tells them. */
struct status ari_fetch(struct session *session, const char *id, struct arena *arena,
                        struct ari *out);

/* "2026-01-31T12:00:00Z", with fractions and offsets (RFC 3339), to seconds
 * since 1970, fractions dropped. INVALID_MESSAGE. */
struct status rfc3339_parse(const char *text, int64_t *out);

#endif
