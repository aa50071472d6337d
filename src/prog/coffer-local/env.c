/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer-local env, and what init and the first serve say of the identities they made.
 */
#include "admin.h"

#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Lines for a shell: who, where, whom to trust. */
static enum cof_err print_env(FILE *out, const char *data, const char *name, struct cof_diag *diag)
{
    struct cof_buf text, endpoint;
    struct cof_view rest, line;
    char path[4096], file[200], *full;
    enum cof_err err;

    if (strchr(name, '/') != NULL || snprintf(file, sizeof file, "credentials/%s.env", name) >= (int)sizeof file ||
        !cof_local_path(path, data, file))
        return cof_diag_set(diag, COF_E_USAGE, "that is no name of an identity");
    cof_buf_init_secret(&text, 16384);
    cof_buf_init(&endpoint, 1000);
    err = cof_file_read(path, &text, diag);
    if (err == COF_E_NOT_FOUND)
        cof_diag_hint(diag, "the names are those of the files in %s/credentials", data);
    rest = cof_buf_view(&text);
    while (err == COF_OK && rest.len > 0) {
        (void)cof_view_split(rest, '\n', &line, &rest);
        if (line.len > 0)
            (void)fprintf(out, "export %.*s\n", (int)line.len, (const char *)line.data);
    }
    if (err == COF_OK && cof_local_path(path, data, "endpoint") && cof_file_read(path, &endpoint, NULL) == COF_OK)
        (void)fprintf(out, "export AWS_ENDPOINT_URL=%s\n", cof_buf_cstr(&endpoint));
    if (err == COF_OK && cof_local_path(path, data, "tls/ca.pem") && (full = realpath(path, NULL)) != NULL) {
        (void)fprintf(out, "export AWS_CA_BUNDLE=%s\n", full);
        free(full);
    }
    cof_buf_done(&text);
    cof_buf_done(&endpoint);
    return err;
}

enum cof_err do_env(struct cof_local_config *config, struct cof_diag *diag)
{
    return print_env(stdout, config->data, config->args[0], diag);
}

static int is_env(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 4 && strcmp(entry->d_name + len - 4, ".env") == 0;
}

enum cof_err env_tell(FILE *out, const char *data, bool lines, struct cof_diag *diag)
{
    struct dirent **found = NULL;
    char path[4096], name[256] = "";
    enum cof_err err = COF_OK;
    int n;

    if (!cof_local_path(path, data, "credentials"))
        return COF_E_USAGE;
    n = scandir(path, &found, is_env, alphasort);
    if (n < 0)
        return cof_diag_set(diag, COF_E_IO, "cannot read %s: %s", path, strerror(errno));
    (void)fprintf(out, "identities:%s", n == 0 ? " none\n" : "");
    for (int i = 0; i < n; i++) {
        int len = (int)strlen(found[i]->d_name) - 4;

        (void)fprintf(out, " %.*s%s", len, found[i]->d_name, i + 1 == n ? "\n" : "");
        if (name[0] == '\0' || strcmp(found[i]->d_name, "root.env") == 0)
            (void)snprintf(name, sizeof name, "%.*s", len, found[i]->d_name);
        free(found[i]);
    }
    free(found);
    if (n > 0)
        (void)fprintf(out, "to be %s (eval \"$(coffer-local env -d %s %s)\")%s\n", name, data, name, lines ? ":" : "");
    if (n > 0 && lines)
        err = print_env(out, data, name, diag);
    (void)fflush(out);
    return err;
}
