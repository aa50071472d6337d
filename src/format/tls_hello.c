/* SPDX-License-Identifier: Apache-2.0 */
#include "format/tls_hello.h"

enum { RECORD_HANDSHAKE = 22, CLIENT_HELLO = 1, EXT_SERVER_NAME = 0, NAME_HOST = 0 };

/* Inside a structure whose length is known, too few bytes is damage, not "wait for more". */
static enum cof_err inner(enum cof_err err)
{
    return err == COF_E_SHORT ? COF_E_FORMAT : err;
}

static enum cof_err take_vec8(struct cof_view *v, struct cof_view *out)
{
    uint8_t n;
    enum cof_err err = cof_take_u8(v, &n);

    return err == COF_OK ? cof_take(v, n, out) : err;
}

static enum cof_err take_vec16(struct cof_view *v, struct cof_view *out)
{
    uint16_t n;
    enum cof_err err = cof_take_u16(v, &n);

    return err == COF_OK ? cof_take(v, n, out) : err;
}

/* ServerNameList: exactly one host_name is allowed (RFC 6066: no two names of one type, and no other type exists). */
static enum cof_err server_name_list(struct cof_view ext, struct cof_view *name)
{
    struct cof_view list;
    uint8_t type;
    enum cof_err err = take_vec16(&ext, &list);

    if (err == COF_OK)
        err = cof_take_u8(&list, &type);
    if (err == COF_OK)
        err = take_vec16(&list, name);
    if (err != COF_OK)
        return inner(err);
    if (ext.len != 0 || list.len != 0 || type != NAME_HOST || name->len == 0 || name->len > 255 ||
        cof_view_find(*name, 0) != SIZE_MAX)
        return COF_E_FORMAT;
    return COF_OK;
}

static enum cof_err extensions(struct cof_view exts, struct cof_view *name)
{
    bool seen = false;

    while (exts.len > 0) {
        struct cof_view body;
        uint16_t type;
        enum cof_err err = cof_take_u16(&exts, &type);

        if (err == COF_OK)
            err = take_vec16(&exts, &body);
        if (err != COF_OK)
            return inner(err);
        if (type != EXT_SERVER_NAME)
            continue;
        if (seen)
            return COF_E_FORMAT;
        seen = true;
        if ((err = server_name_list(body, name)) != COF_OK)
            return err;
    }
    return COF_OK;
}

static enum cof_err client_hello(struct cof_view hello, struct cof_view *name)
{
    struct cof_view skip, exts;
    enum cof_err err = cof_take(&hello, 2 + 32, &skip); /* legacy version, random */

    if (err == COF_OK)
        err = take_vec8(&hello, &skip); /* session id */
    if (err == COF_OK)
        err = take_vec16(&hello, &skip); /* cipher suites */
    if (err == COF_OK)
        err = take_vec8(&hello, &skip); /* compression methods */
    if (err != COF_OK)
        return inner(err);
    if (hello.len == 0)
        return COF_OK; /* no extensions at all */
    err = take_vec16(&hello, &exts);
    if (err != COF_OK || hello.len != 0)
        return COF_E_FORMAT;
    return extensions(exts, name);
}

enum cof_err cof_tls_hello_server_name(struct cof_view in, struct cof_view *name)
{
    struct cof_view record, found = {0};
    uint8_t type, message;
    uint16_t version, length_low;
    uint8_t length_high;
    enum cof_err err;

    *name = found;
    if ((err = cof_take_u8(&in, &type)) != COF_OK)
        return err;
    if (type != RECORD_HANDSHAKE)
        return COF_E_FORMAT;
    if ((err = cof_take_u16(&in, &version)) != COF_OK)
        return err;
    if (version >> 8 != 3)
        return COF_E_FORMAT;
    if ((err = take_vec16(&in, &record)) != COF_OK)
        return err;
    if (record.len > COF_TLS_HELLO_MAX || cof_take_u8(&record, &message) != COF_OK || message != CLIENT_HELLO ||
        cof_take_u8(&record, &length_high) != COF_OK || cof_take_u16(&record, &length_low) != COF_OK)
        return COF_E_FORMAT;
    if (((size_t)length_high << 16 | length_low) != record.len)
        return COF_E_FORMAT; /* our peers' hellos fit one record; what does not is refused, not guessed */
    err = client_hello(record, &found);
    if (err == COF_OK)
        *name = found;
    return err;
}
