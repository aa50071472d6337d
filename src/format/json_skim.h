/* SPDX-License-Identifier: Apache-2.0
 *
 * A few members of a JSON object as views of its text, without a tree: for records that we wrote ourselves and of which little
 * is wanted. What lies between is passed over by its strings and brackets and not checked (json.h reads strictly).
 */
#ifndef COF_FORMAT_JSON_SKIM_H
#define COF_FORMAT_JSON_SKIM_H

#include "base/view.h"

/* values[i] becomes the text of the member names[i], empty where there is none; of several of one name the first. Names that are
 * written with escapes are not found. False, and nothing found, when the text is no object as far as it was looked at. */
bool cof_json_skim(struct cof_view object, const char *const *names, struct cof_view *values, size_t n);
/* The elements of an array one after another: *rest is its whole text at first, and what is left after each call. False: there
 * is no other. */
bool cof_json_skim_next(struct cof_view *rest, struct cof_view *value);
/* What a string says. False when it is none, or has escapes. */
bool cof_json_skim_text(struct cof_view value, struct cof_view *text);

#endif
