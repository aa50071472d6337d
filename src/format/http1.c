/* SPDX-License-Identifier: Apache-2.0 */
#include "format/http1.h"

#include "base/eight.h"
#include "base/num.h"

#include <string.h>

#define CHUNK_LINE_MAX 256   /* a chunk-size line with its extensions */
#define TRAILERS_MAX 16384   /* bytes */

/* RFC 9112 section 2.2: lines end in CRLF; a bare CR or LF is refused. Takes one line without its CRLF. */
static enum cof_err take_line(struct cof_view *in, struct cof_view *line)
{
    size_t lf = cof_view_find(*in, '\n');

    if (lf == SIZE_MAX)
        return COF_E_SHORT;
    if (lf == 0 || in->data[lf - 1] != '\r')
        return COF_E_FORMAT;
    *line = cof_view_sub(*in, 0, lf - 1);
    *in = cof_view_sub(*in, lf + 1, SIZE_MAX);
    return cof_view_find(*line, '\r') == SIZE_MAX ? COF_OK : COF_E_FORMAT;
}

static bool has_control_but_tab(struct cof_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] < 0x20 && v.data[i] != '\t')
            return true;
    return false;
}

/* field-content: no controls but HTAB (RFC 9110 section 5.5). */
static bool is_field_value(struct cof_view v)
{
    for (size_t i = 0; i < v.len; i += 8) {
        uint64_t x = cof_eight(v, i);

        if (cof_eight_has(x, 0x7f) || (cof_eight_has_less(x, 0x20) && has_control_but_tab(cof_view_sub(v, i, 8))))
            return false;
    }
    return true;
}

static enum cof_err field_line(struct cof_view line, struct cof_view *name, struct cof_view *value)
{
    /* A folded line begins with white space, and so has no token for a name: refused with the rest. */
    if (!cof_view_split(line, ':', name, value) || !cof_is_token(*name))
        return COF_E_FORMAT;
    *value = cof_view_trim(*value);
    return is_field_value(*value) ? COF_OK : COF_E_FORMAT;
}

/* The lines between the first and the empty one; head_end has seen that each ends in CRLF and holds no other CR. */
static enum cof_err field_lines(struct cof_view in, struct cof_headers *headers)
{
    struct cof_view line, name, value;
    enum cof_err err = COF_OK;

    while (err == COF_OK && cof_view_split(in, '\n', &line, &in)) {
        err = field_line(cof_view_sub(line, 0, line.len - 1), &name, &value);
        if (err == COF_OK) {
            cof_headers_mark(headers, name, value);
            err = cof_headers_err(headers);
        }
    }
    return err;
}

/* The length of a head at the front of in: up to and with the empty line. */
static enum cof_err head_end(struct cof_view in, size_t max_bytes, size_t *len)
{
    struct cof_view rest = in, line;
    enum cof_err err;

    for (;;) {
        if ((err = take_line(&rest, &line)) != COF_OK)
            break;
        if (in.len - rest.len > max_bytes)
            return COF_E_LIMIT;
        if (line.len == 0) {
            *len = in.len - rest.len;
            return COF_OK;
        }
    }
    if (err == COF_E_SHORT && in.len >= max_bytes)
        return COF_E_LIMIT;
    return err;
}

/* Content-Length and Transfer-Encoding (RFC 9112 section 6): anything two readers could take differently is refused. */
static enum cof_err framing(struct cof_http_head *head)
{
    struct cof_view value;
    size_t lengths = cof_headers_count(&head->headers, "content-length");
    size_t codings = cof_headers_count(&head->headers, "transfer-encoding");

    if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0))
        return COF_E_FORMAT;
    if (codings == 1) {
        (void)cof_headers_get(&head->headers, "transfer-encoding", &value);
        if (!cof_view_eq_nocase(value, COF_LIT("chunked")) || head->minor == 0)
            return COF_E_FORMAT;
        head->chunked = true;
    }
    if (lengths == 1) {
        (void)cof_headers_get(&head->headers, "content-length", &value);
        if (cof_parse_u64_padded(value, INT64_MAX, &head->length) != COF_OK)
            return COF_E_FORMAT;
        head->has_length = true;
    }
    return COF_OK;
}

/* Connection options (RFC 9110 section 7.6.1). */
static bool has_option(const struct cof_headers *headers, const char *option)
{
    for (size_t i = 0; i < headers->n; i++) {
        struct cof_view list = cof_headers_value(headers, i), item;

        if (!cof_view_eq_nocase(cof_headers_name(headers, i), COF_LIT("connection")))
            continue;
        while (list.len > 0) {
            (void)cof_view_split(list, ',', &item, &list);
            if (cof_view_eq_nocase(cof_view_trim(item), cof_view_str(option)))
                return true;
        }
    }
    return false;
}

static enum cof_err version(struct cof_view v, int *minor)
{
    if (cof_view_eq(v, COF_LIT("HTTP/1.1")))
        *minor = 1;
    else if (cof_view_eq(v, COF_LIT("HTTP/1.0")))
        *minor = 0;
    else
        return COF_E_FORMAT;
    return COF_OK;
}

static void set_keep_alive(struct cof_http_head *head)
{
    head->keep_alive = head->minor == 1 ? !has_option(&head->headers, "close")
                                        : has_option(&head->headers, "keep-alive");
}

/* Copies the head's bytes, so that the views outlive the input, and parses its fields; *start is the first line. */
static enum cof_err common(struct cof_view in, size_t max_bytes, struct cof_http_head *head, size_t *used,
                           struct cof_view *start)
{
    struct cof_view rest;
    size_t len;
    enum cof_err err = head_end(in, max_bytes, &len);

    if (err != COF_OK)
        return err;
    cof_headers_init(&head->headers);
    cof_buf_init(&head->headers.bytes, max_bytes);
    cof_buf_add(&head->headers.bytes, cof_view_sub(in, 0, len));
    if ((err = cof_buf_err(&head->headers.bytes)) != COF_OK)
        return err;
    rest = cof_view_sub(cof_buf_view(&head->headers.bytes), 0, len - 2);
    if ((err = take_line(&rest, start)) != COF_OK)
        return COF_E_FORMAT;
    *used = len;
    return field_lines(rest, &head->headers);
}

/* Printable ASCII but '#', which no target holds. */
static bool is_target(struct cof_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] <= 0x20 || v.data[i] >= 0x7f || v.data[i] == '#')
            return false;
    return v.len > 0;
}

/* http://AUTHORITY/path: the path begins after the authority, which is left for the Host check. */
static bool absolute_form(struct cof_view target, struct cof_view *authority, struct cof_view *rest)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < 2; i++) {
        struct cof_view scheme = cof_view_str(schemes[i]);
        size_t end = scheme.len;

        if (!cof_view_eq_nocase(cof_view_sub(target, 0, scheme.len), scheme))
            continue;
        while (end < target.len && target.data[end] != '/' && target.data[end] != '?')
            end++;
        *authority = cof_view_sub(target, scheme.len, end - scheme.len);
        *rest = end < target.len ? cof_view_sub(target, end, SIZE_MAX) : COF_LIT("/");
        return authority->len > 0;
    }
    return false;
}

/* RFC 9112 section 3.2: the four forms, each where it belongs. */
static enum cof_err target_form(struct cof_http_head *head, struct cof_view *authority)
{
    struct cof_view rest = head->target;

    *authority = (struct cof_view){0};
    if (cof_view_eq(head->method, COF_LIT("CONNECT"))) {
        if (cof_view_find(rest, '/') != SIZE_MAX || cof_view_find(rest, '?') != SIZE_MAX ||
            cof_view_find(rest, '@') != SIZE_MAX || cof_view_find(rest, ':') == SIZE_MAX)
            return COF_E_FORMAT;
    } else if (rest.data[0] != '/' && !absolute_form(head->target, authority, &rest) &&
               !(cof_view_eq_str(rest, "*") && cof_view_eq(head->method, COF_LIT("OPTIONS")))) {
        return COF_E_FORMAT;
    }
    (void)cof_view_split(rest, '?', &head->path, &head->query);
    if (head->path.len == 0)
        head->path = COF_LIT("/"); /* http://host?query */
    return COF_OK;
}

static enum cof_err request_line(struct cof_view line, struct cof_http_head *head, struct cof_view *authority)
{
    struct cof_view rest, proto;

    if (!cof_view_split(line, ' ', &head->method, &rest) || !cof_view_split(rest, ' ', &head->target, &proto) ||
        !cof_is_token(head->method) || !is_target(head->target) || version(proto, &head->minor) != COF_OK)
        return COF_E_FORMAT;
    return target_form(head, authority);
}

/* RFC 9110 section 10.1.1: 100-continue is the only expectation there is. */
static enum cof_err expectation(struct cof_http_head *head)
{
    struct cof_view value;

    if (!cof_headers_get(&head->headers, "expect", &value))
        return COF_OK;
    if (!cof_view_eq_nocase(value, COF_LIT("100-continue")))
        return COF_E_FORMAT;
    head->expect_continue = head->minor == 1;
    return COF_OK;
}

/* One Host, of characters a host and port consist of, and not in contradiction to the target. */
static enum cof_err hosts(const struct cof_http_head *head, struct cof_view authority)
{
    struct cof_view host;
    size_t n = cof_headers_count(&head->headers, "host");

    if (n > 1 || (n == 0 && head->minor == 1))
        return COF_E_FORMAT;
    (void)cof_headers_get(&head->headers, "host", &host);
    for (size_t i = 0; i < host.len; i++)
        if (host.data[i] <= 0x20 || host.data[i] >= 0x7f || memchr(",/@?#\\\"<>{}|^`", host.data[i], 15) != NULL)
            return COF_E_FORMAT;
    return authority.len == 0 || cof_view_eq_nocase(host, authority) ? COF_OK : COF_E_FORMAT;
}

enum cof_err cof_http1_request(struct cof_view in, size_t max_bytes, struct cof_http_head *head, size_t *used)
{
    struct cof_view line, authority = {0};
    enum cof_err err;

    *head = (struct cof_http_head){0};
    *used = 0;
    err = common(in, max_bytes, head, used, &line);
    if (err == COF_OK)
        err = request_line(line, head, &authority);
    if (err == COF_OK)
        err = framing(head);
    if (err == COF_OK)
        err = hosts(head, authority);
    if (err == COF_OK)
        err = expectation(head);
    if (err == COF_OK)
        set_keep_alive(head);
    else
        cof_http1_head_done(head);
    return err;
}

static enum cof_err status_line(struct cof_view line, struct cof_http_head *head)
{
    struct cof_view proto, rest, code;
    uint64_t status;

    if (!cof_view_split(line, ' ', &proto, &rest) || version(proto, &head->minor) != COF_OK)
        return COF_E_FORMAT;
    (void)cof_view_split(rest, ' ', &code, &rest); /* the reason phrase may be missing with its space */
    if (code.len != 3 || cof_parse_u64(code, 599, &status) != COF_OK || status < 100 || !is_field_value(rest))
        return COF_E_FORMAT;
    head->status = (int)status;
    return COF_OK;
}

enum cof_err cof_http1_response(struct cof_view in, size_t max_bytes, bool to_head_request, struct cof_http_head *head,
                                size_t *used)
{
    struct cof_view line;
    enum cof_err err;

    *head = (struct cof_http_head){0};
    *used = 0;
    err = common(in, max_bytes, head, used, &line);
    if (err == COF_OK)
        err = status_line(line, head);
    if (err == COF_OK)
        err = framing(head);
    if (err == COF_OK) {
        set_keep_alive(head);
        /* RFC 9112 section 6.3: these have no body whatever the fields say. */
        if (to_head_request || head->status < 200 || head->status == 204 || head->status == 304) {
            head->chunked = false;
            head->has_length = true;
            head->length = 0;
        }
    } else {
        cof_http1_head_done(head);
    }
    return err;
}

void cof_http1_head_done(struct cof_http_head *head)
{
    if (head == NULL)
        return;
    cof_headers_done(&head->headers);
    *head = (struct cof_http_head){0};
}

/* The chunked decoder's states are named by what it expects. */
enum { CHUNK_SIZE_LINE, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER, CHUNK_DONE };

void cof_chunked_init(struct cof_chunked *c)
{
    *c = (struct cof_chunked){.state = CHUNK_SIZE_LINE};
    cof_buf_init(&c->trailer_raw, TRAILERS_MAX);
}

void cof_chunked_done(struct cof_chunked *c)
{
    if (c != NULL)
        cof_buf_done(&c->trailer_raw);
}

/* Collects a line across inputs in trailer_raw. COF_OK: *line is whole (without CRLF) and lives until the next call. */
static enum cof_err gather_line(struct cof_chunked *c, struct cof_view *in, size_t max, struct cof_view *line)
{
    size_t lf = cof_view_find(*in, '\n');
    struct cof_view part = cof_view_sub(*in, 0, lf == SIZE_MAX ? SIZE_MAX : lf + 1), whole;

    if (c->trailer_raw.len + part.len > max)
        return COF_E_LIMIT;
    cof_buf_add(&c->trailer_raw, part);
    if (cof_buf_err(&c->trailer_raw) != COF_OK)
        return cof_buf_err(&c->trailer_raw);
    *in = cof_view_sub(*in, part.len, SIZE_MAX);
    if (lf == SIZE_MAX)
        return COF_E_SHORT;
    whole = cof_buf_view(&c->trailer_raw);
    return take_line(&whole, line);
}

static int hex_digit(uint8_t d)
{
    if (d >= '0' && d <= '9')
        return d - '0';
    d |= 0x20;
    return d >= 'a' && d <= 'f' ? d - 'a' + 10 : -1;
}

/* chunk-size [ chunk-ext ]: 1 to 15 hex digits; extensions are checked for controls and ignored. */
static enum cof_err chunk_size(struct cof_view line, uint64_t *size)
{
    struct cof_view digits, ext;
    uint64_t n = 0;

    (void)cof_view_split(line, ';', &digits, &ext);
    digits = cof_view_trim(digits);
    if (digits.len == 0 || digits.len > 15 || digits.data != line.data || !is_field_value(ext))
        return COF_E_FORMAT;
    for (size_t i = 0; i < digits.len; i++) {
        int d = hex_digit(digits.data[i]);
        if (d < 0)
            return COF_E_FORMAT;
        n = n << 4 | (uint64_t)d;
    }
    *size = n;
    return COF_OK;
}

static enum cof_err size_line(struct cof_chunked *c, struct cof_view *in)
{
    struct cof_view line;
    enum cof_err err = gather_line(c, in, CHUNK_LINE_MAX, &line);

    if (err == COF_OK)
        err = chunk_size(line, &c->left);
    if (err != COF_OK)
        return err;
    c->state = c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
    cof_buf_reset(&c->trailer_raw);
    return COF_OK;
}

static enum cof_err trailer_line(struct cof_chunked *c, struct cof_view *in, struct cof_headers *trailers)
{
    struct cof_view line, name, value;
    enum cof_err err = gather_line(c, in, TRAILERS_MAX, &line);

    if (err != COF_OK)
        return err;
    c->trailer_bytes += line.len + 2;
    if (c->trailer_bytes > TRAILERS_MAX)
        return COF_E_LIMIT;
    if (line.len == 0) {
        c->state = CHUNK_DONE;
    } else {
        err = field_line(line, &name, &value);
        if (err == COF_OK && trailers != NULL) {
            cof_headers_add(trailers, name, value);
            err = cof_headers_err(trailers);
        }
    }
    cof_buf_reset(&c->trailer_raw);
    return err;
}

/* The CRLF after a chunk's data may come in two pieces. */
static enum cof_err data_end(struct cof_chunked *c, struct cof_view *in)
{
    struct cof_view line;
    enum cof_err err = gather_line(c, in, 2, &line);

    if (err == COF_E_LIMIT || (err == COF_OK && line.len != 0))
        return COF_E_FORMAT;
    if (err == COF_E_SHORT && (c->trailer_raw.len != 1 || c->trailer_raw.data[0] != '\r'))
        return COF_E_FORMAT;
    if (err != COF_OK)
        return err;
    c->state = CHUNK_SIZE_LINE;
    cof_buf_reset(&c->trailer_raw);
    return COF_OK;
}

enum cof_err cof_chunked_next(struct cof_chunked *c, struct cof_view *in, struct cof_view *piece, bool *end,
                              struct cof_headers *trailers)
{
    enum cof_err err = COF_OK;

    *piece = (struct cof_view){0};
    *end = false;
    while (err == COF_OK) {
        switch (c->state) {
        case CHUNK_SIZE_LINE:
            err = in->len == 0 ? COF_E_SHORT : size_line(c, in);
            break;
        case CHUNK_DATA:
            if (in->len == 0)
                return COF_E_SHORT;
            *piece = cof_view_sub(*in, 0, c->left > SIZE_MAX ? SIZE_MAX : (size_t)c->left);
            *in = cof_view_sub(*in, piece->len, SIZE_MAX);
            c->left -= piece->len;
            if (c->left == 0)
                c->state = CHUNK_DATA_END;
            return COF_OK;
        case CHUNK_DATA_END:
            err = in->len == 0 ? COF_E_SHORT : data_end(c, in);
            break;
        case CHUNK_TRAILER:
            err = in->len == 0 ? COF_E_SHORT : trailer_line(c, in, trailers);
            break;
        case CHUNK_DONE:
            *end = true;
            return COF_OK;
        default:
            return COF_E_BUG;
        }
    }
    return err;
}

const char *cof_http1_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {100, "Continue"}, {200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"}, {304, "Not Modified"}, {307, "Temporary Redirect"}, {400, "Bad Request"},
        {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"},
        {408, "Request Timeout"}, {409, "Conflict"}, {411, "Length Required"}, {412, "Precondition Failed"},
        {413, "Content Too Large"}, {415, "Unsupported Media Type"}, {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"}, {422, "Unprocessable Content"}, {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"}, {501, "Not Implemented"},
        {502, "Bad Gateway"}, {503, "Service Unavailable"}, {504, "Gateway Timeout"}, {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Status";
}
