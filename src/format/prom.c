/* SPDX-License-Identifier: Apache-2.0 */
#include "format/prom.h"

void cof_prom_head(struct cof_buf *out, const char *name, const char *type, const char *help)
{
    cof_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void cof_prom_label(struct cof_buf *out, const char *name, const char *value)
{
    cof_buf_printf(out, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            cof_buf_add_str(out, "\\n");
            continue;
        }
        if (*value == '\\' || *value == '"')
            cof_buf_add_u8(out, '\\');
        cof_buf_add_u8(out, (uint8_t)*value);
    }
    cof_buf_add_u8(out, '"');
}

void cof_prom_number(struct cof_buf *out, const char *name, const char *type, const char *help, uint64_t n)
{
    cof_prom_head(out, name, type, help);
    cof_buf_printf(out, "%s %llu\n", name, (unsigned long long)n);
}

void cof_prom_sample(struct cof_buf *out, const char *name, const char *label, const char *value, uint64_t n)
{
    cof_buf_printf(out, "%s{", name);
    cof_prom_label(out, label, value);
    cof_buf_printf(out, "} %llu\n", (unsigned long long)n);
}
