/* gateway/date.c: the civil calendar by arithmetic, so that no time zone of the machine matters.
 * Source of days_from_civil and its inverse: http://howardhinnant.github.io/date_algorithms.html */
#include "gateway/date.h"

#include <stdio.h>

#define DAY_MS INT64_C(86400000)

struct scanner {
    const char *at;
    const char *end;
};

static bool take_digits(struct scanner *scanner, unsigned count, int64_t *ret_value) {
    int64_t value = 0;
    if ((size_t)(scanner->end - scanner->at) < count) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        char digit = scanner->at[i];
        if (digit < '0' || digit > '9') {
            return false;
        }
        value = value * 10 + (digit - '0');
    }
    scanner->at += count;
    *ret_value = value;
    return true;
}

static bool take_byte(struct scanner *scanner, char byte) {
    if (scanner->at == scanner->end || *scanner->at != byte) {
        return false;
    }
    scanner->at++;
    return true;
}

static bool at_end(const struct scanner *scanner) {
    return scanner->at == scanner->end;
}

static int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int64_t *ret_year, int64_t *ret_month, int64_t *ret_day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *ret_day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *ret_month = shifted < 10 ? shifted + 3 : shifted - 9;
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

static int64_t days_in_month(int64_t year, int64_t month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* The day, as milliseconds. */
static bool take_day(struct scanner *scanner, int64_t *ret_ms) {
    int64_t year;
    int64_t month = 1;
    int64_t day = 1;
    bool minus = take_byte(scanner, '-');
    bool expanded = minus || take_byte(scanner, '+');
    if (!take_digits(scanner, expanded ? 6 : 4, &year) || (minus && year == 0)) {
        return false;
    }
    year = minus ? -year : year;
    if (take_byte(scanner, '-')) {
        if (!take_digits(scanner, 2, &month) || month < 1 || month > 12) {
            return false;
        }
        if (take_byte(scanner, '-') && !take_digits(scanner, 2, &day)) {
            return false;
        }
    }
    if (day < 1 || day > days_in_month(year, month)) {
        return false;
    }
    *ret_ms = days_from_civil(year, month, day) * DAY_MS;
    return true;
}

/* ":SS" and ".fff" of any length, of which milliseconds count. */
static bool take_seconds(struct scanner *scanner, int64_t *ret_seconds, int64_t *ret_milliseconds) {
    *ret_seconds = 0;
    *ret_milliseconds = 0;
    if (!take_byte(scanner, ':')) {
        return true;
    }
    if (!take_digits(scanner, 2, ret_seconds)) {
        return false;
    }
    if (take_byte(scanner, '.') || take_byte(scanner, ',')) {
        int64_t digit;
        int64_t weight = 100;
        if (!take_digits(scanner, 1, &digit)) {
            return false;
        }
        do {
            *ret_milliseconds += digit * weight;
            weight /= 10;
        } while (take_digits(scanner, 1, &digit));
    }
    return true;
}

static bool take_offset(struct scanner *scanner, int64_t *ret_minutes) {
    int64_t hours;
    int64_t minutes;
    *ret_minutes = 0;
    if (at_end(scanner) || take_byte(scanner, 'Z') || take_byte(scanner, 'z')) {
        return true;
    }
    bool west = take_byte(scanner, '-');
    if (!west && !take_byte(scanner, '+')) {
        return false;
    }
    if (!take_digits(scanner, 2, &hours)) {
        return false;
    }
    (void)take_byte(scanner, ':');
    if (!take_digits(scanner, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *ret_minutes = (hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

/* The time within the day with its offset, as milliseconds. */
static bool take_time(struct scanner *scanner, int64_t *ret_ms) {
    int64_t hours;
    int64_t minutes;
    int64_t seconds;
    int64_t milliseconds;
    int64_t offset_minutes;
    if (!take_digits(scanner, 2, &hours) || !take_byte(scanner, ':') ||
        !take_digits(scanner, 2, &minutes) || !take_seconds(scanner, &seconds, &milliseconds) ||
        !take_offset(scanner, &offset_minutes)) {
        return false;
    }
    bool midnight = hours == 24 && minutes == 0 && seconds == 0 && milliseconds == 0;
    if ((hours > 23 && !midnight) || minutes > 59 || seconds > 59) {
        return false;
    }
    *ret_ms = (hours * 60 + minutes - offset_minutes) * 60000 + seconds * 1000 + milliseconds;
    return true;
}

int edda_date_parse(struct edda_text text, int64_t *ret_wall_ms) {
    struct scanner scanner = {text.data, text.data + text.size};
    int64_t day_ms;
    int64_t time_ms = 0;
    if (text.size == 0 || !take_day(&scanner, &day_ms)) {
        return EDDA_E_INVALID;
    }
    if (!at_end(&scanner)) {
        char separator = *scanner.at++;
        if ((separator != 'T' && separator != 't' && separator != ' ') ||
            !take_time(&scanner, &time_ms)) {
            return EDDA_E_INVALID;
        }
    }
    int64_t wall_ms = day_ms + time_ms;
    if (!at_end(&scanner) || wall_ms > EDDA_DATE_MAX_MS || wall_ms < -EDDA_DATE_MAX_MS) {
        return EDDA_E_INVALID;
    }
    *ret_wall_ms = wall_ms;
    return 0;
}

static char *put_digits(char *at, int64_t value, unsigned count) {
    for (unsigned i = count; i > 0; i--) {
        at[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + count;
}

struct edda_text edda_date_format(int64_t wall_ms, char ret_text[EDDA_DATE_TEXT]) {
    int64_t year;
    int64_t month;
    int64_t day;
    char *at = ret_text;
    wall_ms = wall_ms > EDDA_DATE_MAX_MS ? EDDA_DATE_MAX_MS : wall_ms;
    wall_ms = wall_ms < -EDDA_DATE_MAX_MS ? -EDDA_DATE_MAX_MS : wall_ms;
    int64_t days = wall_ms >= 0 ? wall_ms / DAY_MS : -((-wall_ms + DAY_MS - 1) / DAY_MS);
    int64_t rest = wall_ms - days * DAY_MS;
    civil_from_days(days, &year, &month, &day);
    if (year < 0 || year > 9999) {
        *at++ = year < 0 ? '-' : '+';
        at = put_digits(at, year < 0 ? -year : year, 6);
    } else {
        at = put_digits(at, year, 4);
    }
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    *at++ = 'T';
    at = put_digits(at, rest / 3600000, 2);
    *at++ = ':';
    at = put_digits(at, rest / 60000 % 60, 2);
    *at++ = ':';
    at = put_digits(at, rest / 1000 % 60, 2);
    *at++ = '.';
    at = put_digits(at, rest % 1000, 3);
    *at++ = 'Z';
    *at = '\0';
    return (struct edda_text){ret_text, (size_t)(at - ret_text)};
}
