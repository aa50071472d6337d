/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/identity_provider.h"

#include "format/json.h"
#include "standin/oauth.h"

#include <stdlib.h>
#include <string.h>

#define SPACE "iam.provider"
#define RECORD_MAX ((size_t)2 * COF_JWKS_SIZE_MAX)
#define URL_MAX 255

/* Host and path of an issuer's URL. COF_E_FORMAT. */
static enum cof_err name_of(struct cof_view url, struct cof_buf *name)
{
    struct cof_view rest, host, port, path = {NULL, 0};

    if (url.len > URL_MAX || cof_view_find(url, '?') != SIZE_MAX || cof_view_find(url, '#') != SIZE_MAX)
        return COF_E_FORMAT;
    if (cof_view_starts(url, COF_LIT("https://")))
        rest = cof_view_sub(url, 8, SIZE_MAX);
    else if (cof_view_starts(url, COF_LIT("http://")))
        rest = cof_view_sub(url, 7, SIZE_MAX);
    else
        return COF_E_FORMAT;
    host = rest;
    if (cof_view_find(rest, '/') != SIZE_MAX) {
        size_t at = cof_view_find(rest, '/');

        host = cof_view_sub(rest, 0, at);
        path = cof_view_sub(rest, at, SIZE_MAX);
    }
    (void)cof_view_split(host, ':', &host, &port);
    if (host.len == 0)
        return COF_E_FORMAT;
    cof_buf_add(name, host);
    while (path.len > 0 && path.data[path.len - 1] == '/')
        path.len--;
    cof_buf_add(name, path);
    return cof_buf_err(name);
}

static void key_of(struct cof_view account, struct cof_view name, struct cof_buf *out)
{
    cof_buf_init(out, 512);
    cof_buf_add(out, account);
    cof_buf_add_str(out, "/");
    cof_buf_add(out, name);
}

static enum cof_err parse_jwks(const json_t *value, struct cof_jwks **out, struct cof_diag *diag)
{
    char *text = json_dumps(value, JSON_COMPACT);
    enum cof_err err = text == NULL ? COF_E_MEMORY : cof_jwks_parse(cof_view_str(text), out, diag);

    free(text);
    return err;
}

static enum cof_err own_issuer(struct cof_standin *s, struct cof_view name, int64_t now_ms, struct cof_identity_provider *out)
{
    struct cof_buf jwks;
    enum cof_err err;

    cof_buf_init(&jwks, COF_JWKS_SIZE_MAX);
    err = cof_oauth_jwks(s, now_ms, &jwks);
    if (err == COF_OK)
        err = cof_jwks_parse(cof_buf_view(&jwks), &out->jwks, NULL);
    cof_buf_done(&jwks);
    if (err != COF_OK)
        return err;
    out->name = strndup((const char *)name.data, name.len);
    out->client_ids = cof_oauth_audiences();
    return out->name == NULL || out->client_ids == NULL ? COF_E_MEMORY : COF_OK;
}

static enum cof_err kept(struct cof_standin *s, struct cof_view account, struct cof_view name, struct cof_view issuer,
                         struct cof_identity_provider *out)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf key, text;
    json_t *record = NULL;
    enum cof_err err;

    key_of(account, name, &key);
    cof_buf_init(&text, RECORD_MAX);
    err = store->get(store->ctx, SPACE, cof_buf_view(&key), &text);
    if (err == COF_OK)
        err = cof_json_parse_object(cof_buf_view(&text), RECORD_MAX, &record, NULL);
    if (err == COF_OK && !cof_view_eq_str(issuer, json_string_value(json_object_get(record, "url"))))
        err = COF_E_NOT_FOUND;
    if (err == COF_OK)
        err = parse_jwks(json_object_get(record, "jwks"), &out->jwks, NULL);
    if (err == COF_OK) {
        out->name = strndup((const char *)name.data, name.len);
        out->client_ids = json_incref(json_object_get(record, "client_ids"));
        err = out->name == NULL ? COF_E_MEMORY : COF_OK;
    }
    json_decref(record);
    cof_buf_done(&key);
    cof_buf_done(&text);
    return err;
}

enum cof_err cof_identity_provider_find(
    struct cof_standin *s, struct cof_view account, struct cof_view issuer, int64_t now_ms,
    struct cof_identity_provider *out)
{
    struct cof_buf name;
    enum cof_err err;

    *out = (struct cof_identity_provider){NULL, NULL, NULL};
    cof_buf_init(&name, URL_MAX + 1);
    err = name_of(issuer, &name);
    if (err == COF_E_FORMAT)
        err = COF_E_NOT_FOUND;
    if (err == COF_OK) {
        bool own = cof_view_eq_str(issuer, cof_standin_endpoint(s)) && cof_view_eq_str(account, cof_standin_account(s));

        err = own ? own_issuer(s, cof_buf_view(&name), now_ms, out) : kept(s, account, cof_buf_view(&name), issuer, out);
    }
    cof_buf_done(&name);
    if (err != COF_OK)
        cof_identity_provider_done(out);
    return err;
}

void cof_identity_provider_done(struct cof_identity_provider *p)
{
    free(p->name);
    json_decref(p->client_ids);
    cof_jwks_free(p->jwks);
    *p = (struct cof_identity_provider){NULL, NULL, NULL};
}

enum cof_err cof_identity_provider_make(
    struct cof_standin *s, const char *account, const json_t *item, struct cof_diag *diag)
{
    const struct cof_store *store = cof_standin_store(s);
    const char *url = json_string_value(json_object_get(item, "url"));
    const json_t *ids = json_object_get(item, "client_ids"), *jwks = json_object_get(item, "jwks");
    struct cof_diag why = {.text = ""};
    struct cof_jwks *parsed = NULL;
    struct cof_buf name, key;
    char *text = NULL;
    enum cof_err err;

    if (url == NULL || !json_is_array(ids) || jwks == NULL)
        return cof_diag_set(diag, COF_E_CONFIG, "an identity provider needs \"url\", \"client_ids\" and \"jwks\"");
    cof_buf_init(&name, URL_MAX + 1);
    if (strncmp(url, "https://", 8) != 0 || name_of(cof_view_str(url), &name) != COF_OK) {
        cof_buf_done(&name);
        return cof_diag_set(diag, COF_E_CONFIG, "\"%s\" is no URL of an identity provider", url);
    }
    err = parse_jwks(jwks, &parsed, &why);
    cof_jwks_free(parsed);
    if (err != COF_OK && err != COF_E_MEMORY)
        err = cof_diag_set(diag, COF_E_CONFIG, "the keys of identity provider %s: %s", url, why.text);
    key_of(cof_view_str(account), cof_buf_view(&name), &key);
    if (err == COF_OK) {
        text = json_dumps(item, JSON_COMPACT);
        err = text == NULL ? COF_E_MEMORY : store->put(store->ctx, SPACE, cof_buf_view(&key), cof_view_str(text));
    }
    free(text);
    cof_buf_done(&name);
    cof_buf_done(&key);
    return err;
}
