/* SPDX-License-Identifier: Apache-2.0
 *
 * The AWS tools' shared files (~/.aws/config, ~/.aws/credentials): sections, "name = value" or "name: value", comment
 * lines begun by '#' or ';', and one level of nesting (indented lines below a name without a value). As tolerant as
 * botocore where people rely on it: CRLF, a byte order mark, quotes in section names, names in any case. Refused, with
 * the line: two sections or names alike, text outside a section, NUL and control bytes, anything that is no name and
 * value.
 */
#ifndef COF_FORMAT_INI_H
#define COF_FORMAT_INI_H

#include "base/buf.h"

struct cof_ini_entry {
    struct cof_view section; /* "profile dev": words joined by one space, quotes removed */
    struct cof_view name;    /* lower case; empty for the line that opens a section */
    struct cof_view outer;   /* of nested names: the name above; else empty */
    struct cof_view value;
};

struct cof_ini {
    struct cof_buf text; /* owns what the views show; wiped */
    struct cof_ini_entry *entries;
    size_t n;
};

/* COF_E_FORMAT with the line in diag; COF_E_LIMIT over max_bytes or 4096 entries. A zeroed struct is an empty file. */
COF_MUST_USE enum cof_err cof_ini_parse(struct cof_view text, size_t max_bytes, struct cof_ini *out,
                                        struct cof_diag *diag);
void cof_ini_done(struct cof_ini *ini);

bool cof_ini_has(const struct cof_ini *ini, const char *section);
/* The value of a name, and of a name nested below another; false (and *value empty) when it is not there. */
bool cof_ini_get(const struct cof_ini *ini, const char *section, const char *name, struct cof_view *value);
bool cof_ini_get_nested(const struct cof_ini *ini, const char *section, const char *outer, const char *name,
                        struct cof_view *value);

#endif
