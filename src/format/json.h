/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON from strangers (RFC 8259) on jansson: one value, no duplicate members, size capped before parsing, depth limited by
 * the library (2048). Getters say which member is wrong.
 */
#ifndef COF_FORMAT_JSON_H
#define COF_FORMAT_JSON_H

#include "base/buf.h"

#include <jansson.h>

/* *out is the caller's (json_decref). COF_E_LIMIT over max_bytes; COF_E_FORMAT with line and column in diag. */
COF_MUST_USE enum cof_err cof_json_parse(struct cof_view text, size_t max_bytes, json_t **out, struct cof_diag *diag);
/* The same, and it must be an object. */
COF_MUST_USE enum cof_err cof_json_parse_object(struct cof_view text, size_t max_bytes, json_t **out,
                                                struct cof_diag *diag);

/* Members of an object; views live as long as it. Required ones: COF_E_FORMAT when absent or of another type. Optional
 * ones: the default when absent or null. */
COF_MUST_USE enum cof_err cof_json_text(const json_t *object, const char *name, struct cof_view *out,
                                        struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_json_text_or(const json_t *object, const char *name, const char *otherwise,
                                           struct cof_view *out, struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_json_int(const json_t *object, const char *name, int64_t min, int64_t max, int64_t *out,
                                       struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_json_int_or(const json_t *object, const char *name, int64_t min, int64_t max,
                                          int64_t otherwise, int64_t *out, struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_json_bool_or(const json_t *object, const char *name, bool otherwise, bool *out,
                                           struct cof_diag *diag);
/* Base64 text, decoded and appended. */
COF_MUST_USE enum cof_err cof_json_base64(const json_t *object, const char *name, struct cof_buf *out,
                                          struct cof_diag *diag);
/* Overwrites the text of a member, which was secret, before the object is let go. */
void cof_json_wipe(const json_t *object, const char *name);
/* COF_E_FORMAT naming a member that is not in the NULL-ended list. */
COF_MUST_USE enum cof_err cof_json_only(const json_t *object, const char *const *names, struct cof_diag *diag);

/* Writing: "text" with quotes; and ,"name":"text" (the comma unless the builder ends in '{' or '['). */
void cof_json_add_text(struct cof_buf *out, struct cof_view text);
void cof_json_add_member(struct cof_buf *out, const char *name, struct cof_view text);
void cof_json_add_member_int(struct cof_buf *out, const char *name, int64_t value);
void cof_json_add_member_base64(struct cof_buf *out, const char *name, struct cof_view bytes);
/* ,"name": and the caller writes the value. */
void cof_json_add_name(struct cof_buf *out, const char *name);
/* Any value, compact, members in their order; as the library writes it, at a quarter of the cost. NULL is null. */
void cof_json_add_value(struct cof_buf *out, const json_t *value);

#endif
