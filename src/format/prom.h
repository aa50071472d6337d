/* SPDX-License-Identifier: Apache-2.0
 *
 * Text for Prometheus (exposition format 0.0.4).
 */
#ifndef COF_FORMAT_PROM_H
#define COF_FORMAT_PROM_H

#include "base/buf.h"

/* The lines before the first sample of a metric. type: "counter", "gauge", "histogram". */
void cof_prom_head(struct cof_buf *out, const char *name, const char *type, const char *help);
/* NAME="value", escaped. */
void cof_prom_label(struct cof_buf *out, const char *name, const char *value);
/* Head and the one sample of a metric without labels. */
void cof_prom_number(struct cof_buf *out, const char *name, const char *type, const char *help, uint64_t n);
/* NAME{label="value"} n */
void cof_prom_sample(struct cof_buf *out, const char *name, const char *label, const char *value, uint64_t n);

#endif
