/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/ari.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { POLL_MIN_S = 60, POLL_MAX_S = 24 * 3600, POLL_DEFAULT_S = 6 * 3600 };

/* "Z", or "+hh:mm"; the end of the text must follow. */
static bool read_offset(const char *text, int *seconds) {
    int hours, minutes, used = 0;
    char sign;
    if ((text[0] == 'Z' || text[0] == 'z') && text[1] == '\0') {
        *seconds = 0;
        return true;
    }
    if (sscanf(text, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) != 3 || used != 6 ||
        text[used] != '\0' || (sign != '+' && sign != '-') || hours < 0 || hours > 23 ||
        minutes < 0 || minutes > 59) {
        return false;
    }
    *seconds = (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

struct status rfc3339_parse(const char *text, int64_t *out) {
    struct tm tm = {0};
    int used = 0;
    int offset;
    char separator;
    if (strspn(text, "0123456789") != 4 ||
        sscanf(text, "%4d-%2d-%2d%c%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
               &separator, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 7 ||
        used != 19 || strchr("Tt ", separator) == NULL || tm.tm_mon < 1 || tm.tm_mon > 12 ||
        tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 ||
        tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60) {
        return FAIL(INVALID_MESSAGE);
    }
    const char *rest = text + used;
    if (*rest == '.') {
        const size_t digits = strspn(rest + 1, "0123456789");
        if (digits == 0) {
            return FAIL(INVALID_MESSAGE);
        }
        rest += 1 + digits;
    }
    if (!read_offset(rest, &offset)) {
        return FAIL(INVALID_MESSAGE);
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *out = timegm(&tm) - offset;
    return OK;
}

static struct status read_window(struct session *session, const json_t *body,
                                 struct schedule_window *out) {
    const json_t *window = json_object_get(body, "suggestedWindow");
    const char *start = json_text(window, "start");
    const char *end = json_text(window, "end");
    struct schedule_window read;
    if (start == NULL || end == NULL || !status_ok(rfc3339_parse(start, &read.start)) ||
        !status_ok(rfc3339_parse(end, &read.end)) || read.end <= read.start) {
        return session_fail(session, STATUS_INVALID_MESSAGE,
                            "the suggested window is malformed or empty");
    }
    *out = read;
    return OK;
}

static uint64_t poll_after(const struct session_answer *answer) {
    const uint64_t asked = answer->has_retry_after ? answer->retry_after_s : POLL_DEFAULT_S;
    return asked < POLL_MIN_S ? POLL_MIN_S : asked > POLL_MAX_S ? POLL_MAX_S : asked;
}

struct status ari_fetch(struct session *session, const char *id, struct arena *arena,
                        struct ari *out) {
    struct session_answer answer;
    struct ari ari = {0};
    const char *base = session_url(session, "renewalInfo");
    if (base == NULL) {
        return session_fail(session, STATUS_NOT_FOUND, "the CA has no renewal information");
    }
    const char *slash = base[0] != '\0' && base[strlen(base) - 1] == '/' ? "" : "/";
    const char *url = arena_printf(arena, "%s%s%s", base, slash, id);
    if (url == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(session_get(session, url, &answer));
    ari.poll_after_s = poll_after(&answer);
    struct status status = read_window(session, answer.body, &ari.window);
    if (status_ok(status)) {
        status = json_text_copy(answer.body, "explanationURL", arena, &ari.explanation);
    }
    session_answer_release(&answer);
    TRY(status);
    *out = ari;
    return OK;
}
