/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/retry_after.h"

#include <stdio.h>

/* Days since 1970-01-01 of a date of the Gregorian calendar, counting from
 * March so that the leap day ends the year (Hinnant's days_from_civil). */
static int64_t days_of(int64_t year, int month, int day) {
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static bool month_of(const char name[4], int *out) {
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++) {
        if (memcmp(names + i * 3, name, 3) == 0) {
            *out = i + 1;
            return true;
        }
    }
    return false;
}

/* A two-digit year that seems more than 50 years ahead is in the past (RFC
 * 9110, section 5.6.7). */
static int full_year(int two_digits, uint64_t now_s) {
    int now = (int)(1970 + now_s / 31556952);
    int year = now - now % 100 + two_digits;
    return year > now + 50 ? year - 100 : year;
}

struct date {
    int year, month, day, hour, minute, second;
};

static bool scan_date(const char *text, uint64_t now_s, struct date *date) {
    char month[4] = "";
    int end = 0;
    if (sscanf(text, "%*3[A-Za-z], %2d %3s %4d %2d:%2d:%2d GMT%n", &date->day, month, &date->year,
               &date->hour, &date->minute, &date->second, &end) == 6 &&
        end > 0) {
        return text[end] == '\0' && month_of(month, &date->month);
    }
    if (sscanf(text, "%*9[A-Za-z], %2d-%3s-%2d %2d:%2d:%2d GMT%n", &date->day, month, &date->year,
               &date->hour, &date->minute, &date->second, &end) == 6 &&
        end > 0) {
        date->year = full_year(date->year, now_s);
        return text[end] == '\0' && month_of(month, &date->month);
    }
    if (sscanf(text, "%*3[A-Za-z] %3s %2d %2d:%2d:%2d %4d%n", month, &date->day, &date->hour,
               &date->minute, &date->second, &date->year, &end) == 6 &&
        end > 0) {
        return text[end] == '\0' && month_of(month, &date->month);
    }
    return false;
}

static bool parse_date(const char *text, uint64_t now_s, uint64_t *out) {
    struct date date = {0};
    if (!scan_date(text, now_s, &date) || date.year < 1970 || date.day < 1 || date.day > 31 ||
        date.hour < 0 || date.hour > 23 || date.minute < 0 || date.minute > 59 ||
        date.second < 0 || date.second > 60) {
        return false;
    }
    int64_t days = days_of(date.year, date.month, date.day);
    *out = (uint64_t)(days * 86400 + date.hour * 3600 + date.minute * 60 + date.second);
    return true;
}

/* Saturates, since whatever is long gets capped anyway. */
static bool parse_seconds(const char *text, uint64_t *out) {
    uint64_t seconds = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        seconds = seconds > (UINT64_MAX - digit) / 10 ? UINT64_MAX : seconds * 10 + digit;
    }
    *out = seconds;
    return at > text && *at == '\0';
}

struct status retry_after_parse(struct span header, uint64_t now_s, uint64_t cap_s,
                                uint64_t *wait_s) {
    char text[64];
    uint64_t value;
    if (header.len >= sizeof(text) || (header.len > 0 && memchr(header.data, 0, header.len))) {
        return FAIL(INVALID_MESSAGE);
    }
    memcpy(text, header.data != NULL ? header.data : (const uint8_t *)"", header.len);
    text[header.len] = '\0';
    if (!parse_seconds(text, &value)) {
        if (!parse_date(text, now_s, &value)) {
            return FAIL(INVALID_MESSAGE);
        }
        value = value > now_s ? value - now_s : 0;
    }
    *wait_s = value < cap_s ? value : cap_s;
    return OK;
}
