/* SPDX-License-Identifier: Apache-2.0 */
#include "base/date.h"

#include "base/num.h"

#include <stdio.h>
#include <string.h>

struct civil {
    int year, month, day, hour, minute, second, milli, weekday;
};

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char weekdays[] = "SunMonTueWedThuFriSat";
#define MS_PER_DAY 86400000LL
#define MS_MAX 253402300799999LL /* 9999-12-31T23:59:59.999Z */

/* Days since 1970-01-01 of a civil date; the year begins in March so that the leap day comes last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year, era = y / 400, yoe = y - era * 400;
    int64_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static struct civil civil_of(int64_t ms)
{
    int64_t days, rest, z, era, doe, yoe, doy, mp;
    struct civil c = {0};

    ms = ms < 0 ? 0 : ms > MS_MAX ? MS_MAX : ms;
    days = ms / MS_PER_DAY;
    rest = ms % MS_PER_DAY;
    z = days + 719468;
    era = z / 146097;
    doe = z - era * 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    c.day = (int)(doy - (153 * mp + 2) / 5 + 1);
    c.month = (int)(mp < 10 ? mp + 3 : mp - 9);
    c.year = (int)(yoe + era * 400 + (c.month <= 2));
    c.weekday = (int)((days + 4) % 7);
    c.hour = (int)(rest / 3600000);
    c.minute = (int)(rest / 60000 % 60);
    c.second = (int)(rest / 1000 % 60);
    c.milli = (int)(rest % 1000);
    return c;
}

/* Digits where a picture has place for them: printf costs ten times as much, and several dates are made for each request. */
static void put2(char *at, int n)
{
    at[0] = (char)('0' + n / 10 % 10);
    at[1] = (char)('0' + n % 10);
}

static void put4(char *at, int n)
{
    put2(at, n / 100);
    put2(at + 2, n % 100);
}

static void put_iso(const struct civil *c, char *out)
{
    memcpy(out, "0000-00-00T00:00:00Z", 21);
    put4(out, c->year);
    put2(out + 5, c->month);
    put2(out + 8, c->day);
    put2(out + 11, c->hour);
    put2(out + 14, c->minute);
    put2(out + 17, c->second);
}

void cof_date_iso(int64_t ms, char out[static COF_DATE_MAX])
{
    struct civil c = civil_of(ms);

    put_iso(&c, out);
    memcpy(out + 19, ".000Z", 6);
    out[20] = (char)('0' + c.milli / 100);
    put2(out + 21, c.milli % 100);
}

void cof_date_iso_seconds(int64_t ms, char out[static COF_DATE_MAX])
{
    struct civil c = civil_of(ms);

    put_iso(&c, out);
}

void cof_date_amz(int64_t ms, char out[static COF_DATE_MAX])
{
    struct civil c = civil_of(ms);

    memcpy(out, "00000000T000000Z", 17);
    put4(out, c.year);
    put2(out + 4, c.month);
    put2(out + 6, c.day);
    put2(out + 9, c.hour);
    put2(out + 11, c.minute);
    put2(out + 13, c.second);
}

void cof_date_http(int64_t ms, char out[static COF_DATE_MAX])
{
    struct civil c = civil_of(ms);

    memcpy(out, "___, 00 ___ 0000 00:00:00 GMT", 30);
    memcpy(out, weekdays + (ptrdiff_t)3 * c.weekday, 3);
    put2(out + 5, c.day);
    memcpy(out + 8, months + (ptrdiff_t)3 * (c.month - 1), 3);
    put4(out + 12, c.year);
    put2(out + 17, c.hour);
    put2(out + 20, c.minute);
    put2(out + 23, c.second);
}

/* Takes n digits as a number. */
static bool digits(struct cof_view *v, size_t n, int *out)
{
    struct cof_view copy = *v, d;
    uint64_t value;

    if (cof_take(&copy, n, &d) != COF_OK || cof_parse_u64_padded(d, 9999, &value) != COF_OK)
        return false;
    *v = copy;
    *out = (int)value;
    return true;
}

static bool literal(struct cof_view *v, const char *s)
{
    struct cof_view lit = cof_view_str(s), got;
    struct cof_view copy = *v;

    if (cof_take(&copy, lit.len, &got) != COF_OK || !cof_view_eq(got, lit))
        return false;
    *v = copy;
    return true;
}

static enum cof_err to_ms(const struct civil *c, int64_t *ms)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;

    if (c->year < 1970 || c->month < 1 || c->month > 12 || c->day < 1 ||
        c->day > month_days[c->month - 1] + (c->month == 2 && leap) || c->hour > 23 || c->minute > 59 || c->second > 59)
        return COF_E_FORMAT;
    *ms = days_of(c->year, c->month, c->day) * MS_PER_DAY + c->hour * 3600000LL + c->minute * 60000LL +
          c->second * 1000LL + c->milli;
    return COF_OK;
}

enum cof_err cof_date_parse_iso(struct cof_view v, int64_t *ms)
{
    struct civil c = {0};
    int zone_h = 0, zone_m = 0, sign = 0;
    enum cof_err err;

    if (!digits(&v, 4, &c.year) || !literal(&v, "-") || !digits(&v, 2, &c.month) || !literal(&v, "-") ||
        !digits(&v, 2, &c.day) || !literal(&v, "T") || !digits(&v, 2, &c.hour) || !literal(&v, ":") ||
        !digits(&v, 2, &c.minute) || !literal(&v, ":") || !digits(&v, 2, &c.second))
        return COF_E_FORMAT;
    if (literal(&v, ".")) {
        int scale = 100, n = 0, d;
        while (n < 9 && v.len > 0 && digits(&v, 1, &d)) {
            c.milli += d * scale;
            scale /= 10;
            n++;
        }
        if (n == 0)
            return COF_E_FORMAT;
    }
    if (!literal(&v, "Z")) {
        sign = literal(&v, "+") ? 1 : literal(&v, "-") ? -1 : 0;
        if (sign == 0 || !digits(&v, 2, &zone_h) || !literal(&v, ":") || !digits(&v, 2, &zone_m) || zone_h > 14 ||
            zone_m > 59)
            return COF_E_FORMAT;
    }
    if (v.len != 0)
        return COF_E_FORMAT;
    err = to_ms(&c, ms);
    if (err == COF_OK)
        *ms -= sign * (zone_h * 3600000LL + zone_m * 60000LL);
    return err;
}

enum cof_err cof_date_parse_amz(struct cof_view v, int64_t *ms)
{
    struct civil c = {0};

    if (!digits(&v, 4, &c.year) || !digits(&v, 2, &c.month) || !digits(&v, 2, &c.day) || !literal(&v, "T") ||
        !digits(&v, 2, &c.hour) || !digits(&v, 2, &c.minute) || !digits(&v, 2, &c.second) || !literal(&v, "Z") ||
        v.len != 0)
        return COF_E_FORMAT;
    return to_ms(&c, ms);
}

enum cof_err cof_date_parse_http(struct cof_view v, int64_t *ms)
{
    struct civil c = {0};
    struct cof_view name;

    if (cof_take(&v, 3, &name) != COF_OK || !literal(&v, ", ") || !digits(&v, 2, &c.day) || !literal(&v, " ") ||
        cof_take(&v, 3, &name) != COF_OK || !literal(&v, " ") || !digits(&v, 4, &c.year) || !literal(&v, " ") ||
        !digits(&v, 2, &c.hour) || !literal(&v, ":") || !digits(&v, 2, &c.minute) || !literal(&v, ":") ||
        !digits(&v, 2, &c.second) || !literal(&v, " GMT") || v.len != 0)
        return COF_E_FORMAT;
    for (int m = 0; m < 12; m++)
        if (memcmp(name.data, months + 3 * m, 3) == 0)
            c.month = m + 1;
    return to_ms(&c, ms);
}
