/* SPDX-License-Identifier: Apache-2.0 */
#include "producer.h"

#include "format/json.h"

#include <stdio.h>

#define BUSY_S 5 /* of a service behind: when to ask again */

static void reply(struct cof_xchg *x, int status, int64_t retry_after_s, struct cof_view json)
{
    struct cof_headers headers;
    char seconds[24];

    cof_headers_init(&headers);
    cof_headers_add_str(&headers, "Content-Type", "application/json");
    cof_headers_add_str(&headers, "Cache-Control", "no-store");
    if (retry_after_s > 0) {
        (void)snprintf(seconds, sizeof seconds, "%lld", (long long)retry_after_s);
        cof_headers_add_str(&headers, "Retry-After", seconds);
    }
    cof_xchg_reply(x, status, &headers, json);
    cof_headers_done(&headers);
}

static void reply_words(struct cof_xchg *x, int status, int64_t retry_after_s, const char *code, const char *text)
{
    struct cof_buf json;

    cof_buf_init(&json, 4096);
    cof_buf_add_str(&json, "{");
    cof_json_add_member(&json, "error", cof_view_str(code));
    cof_json_add_member(&json, "message", cof_view_str(text));
    cof_buf_add_str(&json, "}\n");
    reply(x, status, retry_after_s, cof_buf_view(&json));
    cof_buf_done(&json);
}

void reply_json(struct cof_xchg *x, int status, struct cof_view json)
{
    reply(x, status, status == 503 ? BUSY_S : 0, json);
}

void reply_error(struct cof_xchg *x, int status, const char *code, const char *text)
{
    reply_words(x, status, status == 503 ? BUSY_S : 0, code, text);
}

void reply_too_many(struct cof_xchg *x, int64_t wait_ms)
{
    reply_words(x, 429, wait_ms / 1000 + (wait_ms % 1000 != 0), "too-many", "too many submissions; wait a little");
}
