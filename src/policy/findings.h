/* SPDX-License-Identifier: Apache-2.0
 *
 * What the linter found: rule, place, and in words what is wrong there.
 */
#ifndef COF_POLICY_FINDINGS_H
#define COF_POLICY_FINDINGS_H

#include "base/view.h"
#include "policy/rules.h"

#define COF_FINDINGS_MAX 4096 /* more are counted, not kept */

struct cof_finding {
    enum cof_rule rule;
    enum cof_severity severity;
    size_t document;      /* index in the set */
    size_t at;            /* byte in its file */
    struct cof_view sid;  /* of the statement, may be empty; lives as long as the document */
    char text[360];       /* what is wrong here */
    char mend[240];       /* empty: the rule's own */
};

struct cof_findings {
    struct cof_finding *items;
    size_t n, room;
    size_t n_lost; /* over COF_FINDINGS_MAX, or out of memory */
    struct cof_finding lost; /* the last of these, for its caller to write to */
};

/* Adds one and returns it, for severity, sid or mend to be set; never NULL (what does not fit is thrown away). The same
 * rule at the same place is kept once. */
struct cof_finding *cof_findings_add(struct cof_findings *f, enum cof_rule rule, size_t document, size_t at,
                                     const char *fmt, ...) COF_PRINTF(5, 6);
void cof_finding_mend(struct cof_finding *finding, const char *fmt, ...) COF_PRINTF(2, 3);
/* By document and place; the worst first at one place. */
void cof_findings_sort(struct cof_findings *f);
size_t cof_findings_count(const struct cof_findings *f, enum cof_severity severity);
void cof_findings_done(struct cof_findings *f);

#endif
