/* SPDX-License-Identifier: Apache-2.0
 *
 * The policies of deploy/iam as they were when the program was built.
 */
#ifndef COF_COFFER_IAM_TEMPLATES_H
#define COF_COFFER_IAM_TEMPLATES_H

struct iam_template {
    const char *name; /* "key-data"; supplements have their folder: "when-models/key-data" */
    const char *text;
};
extern const struct iam_template iam_templates[]; /* sorted; a NULL name ends it */

#endif
