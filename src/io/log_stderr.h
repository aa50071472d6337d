/* SPDX-License-Identifier: Apache-2.0
 *
 * Log lines to standard error, one write(2) a line, so that lines of several processes on one descriptor stay whole.
 */
#ifndef COF_IO_LOG_STDERR_H
#define COF_IO_LOG_STDERR_H

#include "base/log.h"

/* Fills log: lines with the wall clock's time from this level on. component must live as long as log. */
void cof_log_stderr(struct cof_log *log, const char *component, enum cof_log_level least);

#endif
