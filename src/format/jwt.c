/* SPDX-License-Identifier: Apache-2.0 */
#include "format/jwt.h"

#include "base/codec.h"

#include <jansson.h>


#define DATE_MAX 253402300799 /* 9999-12-31T23:59:59Z in seconds */
#define DEPTH_MAX 16          /* of nested claims */

static struct cof_view view_of(const json_t *s)
{
    return cof_view_of(json_string_value(s), json_string_length(s));
}

/* The library has one fixed limit on depth; this one is ours. Brackets in strings are counted off with them. */
static bool shallow(struct cof_view text)
{
    size_t depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '[') && ++depth > DEPTH_MAX)
            return false;
        else if (!quoted && (c == '}' || c == ']') && depth > 0)
            depth--;
    }
    return true;
}

static enum cof_err parse_object(struct cof_view text, json_t **out)
{
    json_t *json;

    *out = NULL;
    if (text.len == 0 || !shallow(text))
        return COF_E_FORMAT;
    json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    if (json == NULL)
        return COF_E_FORMAT;
    if (!json_is_object(json)) {
        json_decref(json);
        return COF_E_FORMAT;
    }
    *out = json;
    return COF_OK;
}

static enum cof_err header_text(const json_t *header, const char *name, struct cof_view *out)
{
    const json_t *member = json_object_get(header, name);

    *out = (struct cof_view){NULL, 0};
    if (member == NULL)
        return COF_OK;
    if (!json_is_string(member))
        return COF_E_FORMAT;
    *out = view_of(member);
    return COF_OK;
}

static enum cof_err read_header(struct cof_view part, struct cof_jwt *jwt)
{
    static const char *const keys[] = {"jku", "jwk", "x5u", "x5c"};
    struct cof_buf json;
    enum cof_err err;

    cof_buf_init(&json, part.len);
    err = cof_base64url_decode(part, &json);
    if (err == COF_OK)
        err = parse_object(cof_buf_view(&json), &jwt->header);
    cof_buf_done(&json);
    if (err == COF_OK)
        err = header_text(jwt->header, "alg", &jwt->alg);
    if (err == COF_OK && jwt->alg.data == NULL)
        err = COF_E_FORMAT;
    if (err == COF_OK)
        err = header_text(jwt->header, "kid", &jwt->kid);
    if (err == COF_OK)
        err = header_text(jwt->header, "typ", &jwt->typ);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        jwt->has_key = jwt->has_key || json_object_get(jwt->header, keys[i]) != NULL;
    jwt->has_crit = json_object_get(jwt->header, "crit") != NULL || json_object_get(jwt->header, "b64") != NULL;
    return err;
}

enum cof_err cof_jwt_parse(struct cof_view text, size_t max, struct cof_jwt *jwt)
{
    struct cof_view header, payload, signature, rest;
    enum cof_err err = COF_E_FORMAT;

    *jwt = (struct cof_jwt){0};
    if (text.len > max)
        return COF_E_LIMIT;
    cof_buf_init(&jwt->payload_bytes, text.len);
    cof_buf_init(&jwt->signature_bytes, text.len);
    if (!cof_view_split(text, '.', &header, &rest) || !cof_view_split(rest, '.', &payload, &signature) ||
        cof_view_find(signature, '.') != SIZE_MAX)
        goto out;
    err = read_header(header, jwt);
    if (err == COF_OK)
        err = cof_base64url_decode(payload, &jwt->payload_bytes);
    if (err == COF_OK)
        err = cof_base64url_decode(signature, &jwt->signature_bytes);
    if (err == COF_OK) {
        jwt->signing_input = cof_view_sub(text, 0, header.len + 1 + payload.len);
        jwt->payload = cof_buf_view(&jwt->payload_bytes);
        jwt->signature = cof_buf_view(&jwt->signature_bytes);
    }
out:
    if (err != COF_OK)
        cof_jwt_done(jwt);
    return err;
}

enum cof_err cof_jwt_read_claims(struct cof_jwt *jwt)
{
    return jwt->claims != NULL ? COF_E_STATE : parse_object(jwt->payload, &jwt->claims);
}

void cof_jwt_done(struct cof_jwt *jwt)
{
    if (jwt == NULL)
        return;
    json_decref(jwt->header);
    json_decref(jwt->claims);
    cof_buf_done(&jwt->payload_bytes);
    cof_buf_done(&jwt->signature_bytes);
    *jwt = (struct cof_jwt){0};
}

enum cof_err cof_jwt_text(const struct cof_jwt *jwt, const char *claim, struct cof_view *out)
{
    const json_t *member = json_object_get(jwt->claims, claim);

    if (member == NULL)
        return COF_E_NOT_FOUND;
    if (!json_is_string(member))
        return COF_E_FORMAT;
    *out = view_of(member);
    return COF_OK;
}

enum cof_err cof_jwt_date(const struct cof_jwt *jwt, const char *claim, int64_t *ms)
{
    const json_t *member = json_object_get(jwt->claims, claim);
    double seconds;

    if (member == NULL)
        return COF_E_NOT_FOUND;
    if (json_is_integer(member)) {
        json_int_t n = json_integer_value(member);

        if (n < 0 || n > DATE_MAX)
            return COF_E_FORMAT;
        *ms = (int64_t)n * 1000;
        return COF_OK;
    }
    if (!json_is_real(member))
        return COF_E_FORMAT;
    seconds = json_real_value(member);
    if (!(seconds >= 0 && seconds <= (double)DATE_MAX)) /* written so that a NaN fails */
        return COF_E_FORMAT;
    *ms = (int64_t)seconds * 1000;
    return COF_OK;
}

enum cof_err cof_jwt_item(const struct cof_jwt *jwt, const char *claim, size_t n, struct cof_view *out)
{
    const json_t *member = json_object_get(jwt->claims, claim);

    if (member == NULL)
        return COF_E_NOT_FOUND;
    if (json_is_string(member)) {
        if (n > 0)
            return COF_E_NOT_FOUND;
        *out = view_of(member);
        return COF_OK;
    }
    if (!json_is_array(member))
        return COF_E_FORMAT;
    for (size_t i = 0; i < json_array_size(member); i++)
        if (!json_is_string(json_array_get(member, i)))
            return COF_E_FORMAT;
    if (n >= json_array_size(member))
        return COF_E_NOT_FOUND;
    *out = view_of(json_array_get(member, n));
    return COF_OK;
}
