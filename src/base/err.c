/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static const struct {
    enum cof_class class;
    const char *name;
    const char *text;
} table[] = {
#define X(code, cls, txt) [code] = {COF_CLASS_##cls, #code, txt},
    COF_ERR_TABLE(X)
#undef X
};

static bool known(enum cof_err err)
{
    return (size_t)err < sizeof table / sizeof table[0];
}

enum cof_class cof_err_class(enum cof_err err)
{
    return known(err) ? table[err].class : COF_CLASS_BUG;
}

const char *cof_err_name(enum cof_err err)
{
    return known(err) ? table[err].name : "COF_E_?";
}

const char *cof_err_text(enum cof_err err)
{
    return known(err) ? table[err].text : "unknown error";
}

/* Peers' words reach these texts; nothing of theirs may steer a terminal or forge a log line. */
static void tame(char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?';
}

enum cof_err cof_diag_set(struct cof_diag *diag, enum cof_err err, const char *fmt, ...)
{
    va_list ap;

    if (diag == NULL)
        return err;
    va_start(ap, fmt);
    (void)vsnprintf(diag->text, sizeof diag->text, fmt, ap);
    va_end(ap);
    tame(diag->text);
    diag->hint[0] = '\0';
    return err;
}

void cof_diag_hint(struct cof_diag *diag, const char *fmt, ...)
{
    va_list ap;

    if (diag == NULL)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(diag->hint, sizeof diag->hint, fmt, ap);
    va_end(ap);
    tame(diag->hint);
}
