/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer audit verify: is this audit log whole, and signed by whom it should be?
 */
#include "verbs.h"
#include "common.h"

#include "base/codec.h"
#include "engine/audit_chain.h"
#include "format/json.h"
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 4096
#define PATH_SIZE 4096

struct config {
    const char *key;
    bool json, from_start, signed_only;
};

#define O(field) offsetof(struct config, field)
static const struct cof_option options[] = {
    {"key", 0, COF_OPT_TEXT, "PEMFILE", "who must have signed (default: audit.pem beside the log, when it is there)", O(key)},
    {"from-start", 0, COF_OPT_FLAG, NULL, "the log must begin with its first record: no older part may be missing", O(from_start)},
    {"signed", 0, COF_OPT_FLAG, NULL, "the last record must be a signature: nothing may have been cut off or added after it", O(signed_only)},
    {"json", 0, COF_OPT_FLAG, NULL, "print the finding as JSON", O(json)},
};
static const struct cof_command command = {
    .name = "audit verify",
    .args = "FILE|DIR",
    .summary = "Verifies coffer-local's audit log: records, chain and signatures.",
    .details = "Each record holds the SHA-256 of the one before it, and now and then one signs all before it. Of a folder, audit.jsonl and\n"
               "its older parts (audit-*.jsonl) are read in order. A line that a crash left unfinished is allowed where the record\n"
               "after it says so. What is cut off after the last signature leaves no trace in the file itself: the server knows its\n"
               "last record and refuses to start with less.\n"
               "Exit code 0: whole. 3: tampered with; the first wrong line is named.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 1,
    .max_args = 1,
};

/* One file of the log and the number of its first record. */
struct part {
    char *path;
    uint64_t first;
};

struct parts {
    struct part *items;
    size_t n;
};

static void parts_done(struct parts *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->items[i].path);
    free(p->items);
}

static enum cof_err add_part(struct parts *p, const char *path, struct cof_diag *diag)
{
    struct part *items = realloc(p->items, (p->n + 1) * sizeof *items);
    struct cof_audit_link link = {.sequence = 0};
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    FILE *f;

    if (items == NULL)
        return COF_E_MEMORY;
    p->items = items;
    f = fopen(path, "re");
    if (f == NULL)
        return cof_diag_set(diag, cof_err_from_errno(errno), "cannot open %s: %s", path, strerror(errno));
    len = getline(&line, &size, f);
    if (len > 0 && cof_audit_link_read(cof_view_of(line, (size_t)len - (line[len - 1] == '\n')), &link) != COF_OK)
        link.sequence = 0; /* which the check will say */
    (void)fclose(f);
    free(line);
    items[p->n].first = link.sequence;
    items[p->n].path = strdup(path);
    if (items[p->n].path == NULL)
        return COF_E_MEMORY;
    p->n++;
    return COF_OK;
}

static int by_first(const void *a, const void *b)
{
    const struct part *x = a, *y = b;

    return x->first < y->first ? -1 : x->first > y->first;
}

static enum cof_err find_parts(const char *path, struct parts *p, struct cof_diag *diag)
{
    const struct dirent *entry;
    char inner[PATH_SIZE];
    struct stat st;
    DIR *dir;
    enum cof_err err = COF_OK;

    if (stat(path, &st) != 0)
        return cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return add_part(p, path, diag);
    dir = opendir(path);
    if (dir == NULL)
        return cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", path, strerror(errno));
    while (err == COF_OK && (entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);

        if (len < 11 || strncmp(entry->d_name, "audit", 5) != 0 || strcmp(entry->d_name + len - 6, ".jsonl") != 0)
            continue;
        if (snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= (int)sizeof inner)
            err = COF_E_USAGE;
        else if (stat(inner, &st) == 0 && (st.st_size > 0 || strcmp(entry->d_name, "audit.jsonl") == 0))
            err = p->n == FILES_MAX ? COF_E_LIMIT : add_part(p, inner, diag);
    }
    (void)closedir(dir);
    if (err == COF_OK && p->n == 0)
        err = cof_diag_set(diag, COF_E_NOT_FOUND, "%s holds no audit log", path);
    qsort(p->items, p->n, sizeof p->items[0], by_first);
    return err;
}

/* --key, or audit.pem beside the log. */
static enum cof_err read_key(const struct config *config, const char *path, struct cof_ecdsa_key **out, struct cof_diag *diag)
{
    char beside[PATH_SIZE];
    const char *slash = strrchr(path, '/'), *from = config->key;
    struct cof_buf pem;
    struct stat st;
    enum cof_err err;

    *out = NULL;
    if (from == NULL) {
        int n = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? snprintf(beside, sizeof beside, "%s/audit.pem", path) :
            snprintf(beside, sizeof beside, "%.*saudit.pem", slash == NULL ? 0 : (int)(slash - path + 1), path);

        if (n >= (int)sizeof beside || stat(beside, &st) != 0)
            return COF_OK;
        from = beside;
    }
    cof_buf_init(&pem, 16384);
    err = cof_file_read(from, &pem, diag);
    if (err == COF_OK && cof_ecdsa_from_pem(cof_buf_view(&pem), out) != COF_OK)
        err = cof_diag_set(diag, COF_E_FORMAT, "%s holds no public key", from);
    cof_buf_done(&pem);
    return err;
}

struct finding {
    const char *file;
    uint64_t line, unfinished_bytes;
};

static enum cof_err check_file(struct cof_audit_check *check, const char *path, struct finding *at, struct cof_diag *diag)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    enum cof_err err = COF_OK;

    if (f == NULL)
        return cof_diag_set(diag, cof_err_from_errno(errno), "cannot open %s: %s", path, strerror(errno));
    at->file = path;
    at->line = 0;
    while (err == COF_OK && (len = getline(&line, &size, f)) > 0) {
        at->line++;
        if (at->unfinished_bytes > 0) {
            err = cof_diag_set(diag, COF_E_AUTH, "an older part of the log ends in the middle of a line");
        } else if (line[len - 1] != '\n') { /* the server was killed, or is writing it now */
            at->unfinished_bytes = (uint64_t)len;
            err = cof_audit_check_unfinished(check, cof_view_of(line, (size_t)len), diag);
        } else {
            err = cof_audit_check_line(check, cof_view_of(line, (size_t)len - 1), diag);
        }
    }
    if (err == COF_OK && ferror(f))
        err = cof_diag_set(diag, COF_E_IO, "cannot read %s: %s", path, strerror(errno));
    (void)fclose(f);
    free(line);
    return err;
}

static void print_json(const struct cof_audit_check *c, const struct parts *p, const struct finding *at, enum cof_err err,
                       const struct cof_diag *diag)
{
    struct cof_buf out;
    char hex[65];

    cof_buf_init(&out, 16384);
    cof_hex_encode(c->chain.hash, 32, hex);
    cof_buf_printf(&out, "{\"whole\":%s,\"files\":%zu,\"records\":%llu,\"firstRecord\":%llu,\"lastRecord\":%llu,\"signatures\":%llu,"
        "\"signedTo\":%llu,\"signaturesChecked\":%s,\"tornLines\":%llu,\"unfinishedBytes\":%llu", err == COF_OK ? "true" : "false", p->n,
        (unsigned long long)(c->chain.next - (c->begun ? c->first : 1)), (unsigned long long)c->first,
        (unsigned long long)(c->begun ? c->chain.next - 1 : 0), (unsigned long long)c->n_signatures, (unsigned long long)c->signed_to,
        c->key != NULL ? "true" : "false", (unsigned long long)c->n_torn, (unsigned long long)at->unfinished_bytes);
    cof_json_add_member(&out, "firstTime", cof_view_str(c->first_time));
    cof_json_add_member(&out, "lastTime", cof_view_str(c->last_time));
    cof_json_add_member(&out, "lastHash", cof_view_str(hex));
    if (err != COF_OK) {
        cof_json_add_member(&out, "file", cof_view_str(at->file));
        cof_buf_printf(&out, ",\"line\":%llu", (unsigned long long)at->line);
        cof_json_add_member(&out, "error", cof_view_str(diag->text));
    }
    cof_buf_add_str(&out, "}");
    (void)puts(cof_buf_cstr(&out));
    cof_buf_done(&out);
}

static void print_words(const struct cof_audit_check *c, const struct finding *at)
{
    uint64_t last = c->chain.next - 1;

    if (!c->begun) {
        (void)printf("whole: no records yet\n");
        return;
    }
    (void)printf("whole: records %llu to %llu, %s to %s\n", (unsigned long long)c->first, (unsigned long long)last, c->first_time, c->last_time);
    if (c->key == NULL)
        (void)printf("note: signatures were not checked (no --key, and no audit.pem beside the log)\n");
    else
        (void)printf("signed: up to record %llu, by %llu signatures; %llu records after it are not yet signed\n",
            (unsigned long long)c->signed_to, (unsigned long long)c->n_signatures, (unsigned long long)(last - c->signed_to));
    if (c->first != 1)
        (void)printf("note: records 1 to %llu are not among these files\n", (unsigned long long)(c->first - 1));
    if (c->n_torn > 0)
        (void)printf("note: %llu lines were left unfinished by a crash; the log says so itself\n", (unsigned long long)c->n_torn);
    if (at->unfinished_bytes > 0)
        (void)printf("note: the last line is unfinished (%llu bytes); the next start of the server settles it\n",
            (unsigned long long)at->unfinished_bytes);
}

static enum cof_err verify(const struct config *config, const char *path, struct cof_diag *diag)
{
    struct parts parts = {.n = 0};
    struct finding at = {.file = path};
    struct cof_audit_check check;
    struct cof_ecdsa_key *key = NULL;
    enum cof_err err = find_parts(path, &parts, diag);

    if (err == COF_OK)
        err = read_key(config, path, &key, diag);
    cof_audit_check_init(&check, key);
    if (err == COF_OK) {
        for (size_t i = 0; i < parts.n && err == COF_OK; i++)
            err = check_file(&check, parts.items[i].path, &at, diag);
        if (err == COF_OK)
            err = cof_audit_check_end(&check, diag);
        if (err == COF_OK && config->from_start && check.begun && check.first != 1)
            err = cof_diag_set(diag, COF_E_AUTH, "the log begins with record %llu", (unsigned long long)check.first);
        if (err == COF_OK && config->signed_only && (key == NULL || check.signed_to + 1 != check.chain.next))
            err = cof_diag_set(diag, COF_E_AUTH, "the last record is no signature");
        if (config->json && (err == COF_OK || err == COF_E_AUTH))
            print_json(&check, &parts, &at, err, diag);
        else if (err == COF_OK)
            print_words(&check, &at);
        if (err == COF_E_AUTH) {
            struct cof_diag what = *diag;

            (void)cof_diag_set(diag, err, "%s, line %llu: %s", at.file, (unsigned long long)at.line, what.text);
        }
    }
    cof_ecdsa_free(key);
    parts_done(&parts);
    return err;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    return verify(options_given, args[0], diag);
}

static int run_verify(int argc, char **argv)
{
    struct config config = {.key = NULL};

    return verb_run("coffer audit verify", &command, &config, run, argc, argv);
}

const struct verb verb_audit_verify = {"audit verify", &command, run_verify};
