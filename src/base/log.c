/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/date.h"
#include "base/eight.h"

#include <stdarg.h>
#include <string.h>

#define VALUE_MAX 512
#define LINE_MAX_BYTES 8192

static size_t utf8_len(struct cof_view v)
{
    for (size_t n = 1; n <= 4 && n <= v.len; n++)
        if (cof_view_is_utf8(cof_view_sub(v, 0, n)))
            return n;
    return 0;
}

/* Whether eight bytes stand for themselves: a byte's highest bit shows in x when it is over 0x7e, and in the differences when it is
 * under 0x20, '"' or '\\'. Among eight good bytes nothing is carried or borrowed, so none is taken for a bad one. */
static bool are_plain(uint64_t x)
{
    return ((x | (x + COF_EACH(1)) | (x - COF_EACH(0x20)) | ((x ^ COF_EACH('"')) - COF_EACH(1)) | ((x ^ COF_EACH('\\')) - COF_EACH(1))) &
               COF_EACH(0x80)) == 0;
}

size_t cof_json_plain_len(struct cof_view v)
{
    size_t n = 0;

    while (n < v.len && are_plain(cof_eight(v, n)))
        n += 8;
    while (n < v.len && v.data[n] >= 0x20 && v.data[n] < 0x7f && v.data[n] != '"' && v.data[n] != '\\')
        n++;
    return n < v.len ? n : v.len;
}

void cof_json_escape(struct cof_buf *out, struct cof_view v)
{
    while (v.len > 0) {
        uint8_t c = v.data[0];
        size_t n = cof_json_plain_len(v);

        if (n > 0) {
            cof_buf_add(out, cof_view_sub(v, 0, n));
            v = cof_view_sub(v, n, SIZE_MAX);
            continue;
        }
        n = 1;
        if (c == '"' || c == '\\') {
            cof_buf_add_u8(out, '\\');
            cof_buf_add_u8(out, c);
        } else if (c < 0x20 || c == 0x7f) {
            uint8_t u[6] = {'\\', 'u', '0', '0', (uint8_t)('0' + (c >> 4)), (uint8_t)"0123456789abcdef"[c & 15]};

            cof_buf_add_bytes(out, u, sizeof u); /* the first digit is 0, 1 or 7 */
        } else if ((n = utf8_len(v)) > 0) {
            cof_buf_add(out, cof_view_sub(v, 0, n));
        } else {
            cof_buf_add_str(out, "\\ufffd");
            n = 1;
        }
        v = cof_view_sub(v, n, SIZE_MAX);
    }
}

void cof_log_event(const struct cof_log *log, enum cof_log_level level, const char *event, ...)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    struct cof_buf line;
    const char *name;
    va_list ap;

    if (log == NULL || log->line == NULL || level < log->least)
        return;
    cof_buf_init(&line, LINE_MAX_BYTES);
    cof_buf_add_str(&line, "{");
    if (log->now_ms != NULL) {
        char date[COF_DATE_MAX];
        cof_date_iso(log->now_ms(log->ctx), date);
        cof_buf_printf(&line, "\"time\":\"%s\",", date);
    }
    cof_buf_printf(&line, "\"level\":\"%s\",\"component\":\"%s\",\"event\":\"%s\"", names[level],
                   log->component == NULL ? "coffer" : log->component, event);
    va_start(ap, event);
    while ((name = va_arg(ap, const char *)) != NULL) {
        struct cof_view value = cof_view_str(va_arg(ap, const char *));
        cof_buf_printf(&line, ",\"%s\":\"", name);
        cof_json_escape(&line, cof_view_sub(value, 0, VALUE_MAX));
        cof_buf_add_str(&line, "\"");
    }
    va_end(ap);
    cof_buf_add_str(&line, "}\n");
    if (cof_buf_err(&line) == COF_OK)
        log->line(log->ctx, level, cof_buf_view(&line));
    cof_buf_done(&line);
}
