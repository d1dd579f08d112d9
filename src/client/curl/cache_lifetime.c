/* SPDX-License-Identifier: Apache-2.0 */
#include "client/curl/cache_lifetime.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

static const uint64_t longest_s = UINT64_C(30) * 24 * 3600;

/* delta-seconds (RFC 9111, section 1.2.2), which may be quoted; what is too
 * large counts as the longest. False if it isn't one. */
static bool parse_seconds(const char *text, size_t len, uint64_t *out) {
    if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
        text++;
        len -= 2;
    }
    uint64_t seconds = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        seconds = seconds * 10 + (uint64_t)(text[i] - '0');
        seconds = seconds > longest_s ? longest_s : seconds;
    }
    *out = seconds;
    return len > 0;
}

static bool is(const char *text, size_t len, const char *name) {
    return len == strlen(name) && strncasecmp(text, name, len) == 0;
}

uint64_t cache_lifetime(const char *cache_control, const char *age) {
    uint64_t lifetime = 0;
    const char *at = cache_control == NULL ? "" : cache_control;
    while (*at != '\0') {
        at += strspn(at, " \t,");
        size_t len = strcspn(at, ",");
        size_t trimmed = len;
        while (trimmed > 0 && (at[trimmed - 1] == ' ' || at[trimmed - 1] == '\t')) {
            trimmed--;
        }
        const char *equals = memchr(at, '=', trimmed);
        size_t name_len = equals == NULL ? trimmed : (size_t)(equals - at);
        if (is(at, name_len, "no-store") || is(at, name_len, "no-cache")) {
            return 0;
        }
        if (equals != NULL && is(at, name_len, "max-age") &&
            !parse_seconds(equals + 1, trimmed - name_len - 1, &lifetime)) {
            return 0;
        }
        at += len;
    }
    uint64_t aged = 0;
    if (age != NULL && !parse_seconds(age, strlen(age), &aged)) {
        return 0;
    }
    return aged < lifetime ? lifetime - aged : 0;
}
