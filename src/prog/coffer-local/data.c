/* SPDX-License-Identifier: Apache-2.0
 *
 * The data directory: DIR/master.key (32 bytes, 0600), the store, DIR/credentials/NAME.env, DIR/audit.jsonl; for users
 * with a virtual MFA device DIR/credentials/NAME.mfa (another account's: ACCOUNT.NAME.mfa).
 */
#include "base/codec.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/hash_aside.h"
#include "io/key_maker.h"
#include "io/rng_os.h"
#include "local.h"
#include "standin/bootstrap.h"
#include "standin/kms.h"
#include "standin/oauth.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool cof_local_path(char out[static 4096], const char *data, const char *name)
{
    int n = snprintf(out, 4096, "%s/%s", data, name);

    return n > 0 && n < 4096;
}

bool cof_local_is_new(const char *data)
{
    char path[4096];
    struct stat st;

    return !cof_local_path(path, data, "ready") || stat(path, &st) != 0;
}

static enum cof_err master_key(const char *data, bool make, struct cof_secret *key, struct cof_diag *diag)
{
    struct cof_buf bytes;
    char path[4096];
    enum cof_err err;

    if (!cof_local_path(path, data, "master.key"))
        return COF_E_USAGE;
    cof_buf_init_secret(&bytes, 64);
    err = cof_file_read(path, &bytes, diag);
    if (err == COF_E_NOT_FOUND && make) {
        key->len = 32;
        err = cof_rng_fill(&cof_rng_os, key->bytes, 32);
        if (err == COF_OK)
            err = cof_file_write(path, cof_secret_view(key), 0600, diag);
    } else if (err == COF_OK) {
        err = bytes.len == 32 ? cof_secret_set(key, cof_buf_view(&bytes)) : cof_diag_set(diag, COF_E_FORMAT, "%s is damaged", path);
    }
    cof_buf_done(&bytes);
    return err;
}

static enum cof_err write_audit(void *ctx, struct cof_view lines)
{
    const struct cof_local *local = ctx;

    return local->audit == NULL ? COF_OK : cof_audit_log_append(local->audit, lines);
}

static enum cof_err pass_rsa_key(void *ctx, unsigned bits, struct cof_rsa_key **out)
{
    struct cof_local *local = ctx;

    return local->keys != NULL ? cof_key_maker_take(local->keys, bits, out) : cof_rsa_generate(bits, out);
}

static enum cof_err begin_aside(void *ctx, struct cof_aside_digest **out)
{
    const struct cof_local *local = ctx;

    *out = NULL;
    return local->aside != NULL ? cof_aside_digest_new(local->aside, COF_MD5, out) : COF_OK;
}

static void pass_notify(void *ctx, const char *wait_on, int64_t at_ms)
{
    const struct cof_local *local = ctx;

    if (local->notify != NULL)
        local->notify(local->notify_ctx, wait_on, at_ms);
}

struct giving {
    const struct cof_local *local;
    const char *data;
    struct cof_diag *diag;
};

static enum cof_err give_key(void *ctx, const char *name, struct cof_view access_key_id, struct cof_view secret, struct cof_view token)
{
    const struct giving *g = ctx;
    struct cof_buf text;
    char file[200], path[4096];
    enum cof_err err;

    (void)snprintf(file, sizeof file, "credentials/%s.env", name);
    if (!cof_local_path(path, g->data, file))
        return COF_E_USAGE;
    cof_buf_init_secret(&text, 4096);
    cof_buf_add_str(&text, "AWS_ACCESS_KEY_ID=");
    cof_buf_add(&text, access_key_id);
    cof_buf_add_str(&text, "\nAWS_SECRET_ACCESS_KEY=");
    cof_buf_add(&text, secret);
    if (token.len > 0) {
        cof_buf_add_str(&text, "\nAWS_SESSION_TOKEN=");
        cof_buf_add(&text, token);
    }
    cof_buf_printf(&text, "\nAWS_REGION=%s\nAWS_DEFAULT_REGION=%s\n", g->local->region, g->local->region);
    err = cof_file_write(path, cof_buf_view(&text), 0600, g->diag);
    cof_buf_done(&text);
    return err;
}

static enum cof_err make_folder(const char *data, const char *name, struct cof_diag *diag)
{
    char path[4096];

    if (!cof_local_path(path, data, name))
        return COF_E_USAGE;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return cof_diag_set(diag, COF_E_IO, "cannot make %s: %s", path, strerror(errno));
    return COF_OK;
}

static enum cof_err save_setting(const struct cof_local *local, const char *name, const char *value)
{
    const struct cof_store *store = cof_disk_store_ops(local->disk);

    return store->put(store->ctx, "local", cof_view_str(name), cof_view_str(value));
}

static enum cof_err load_setting(const struct cof_local *local, const char *name, char *out, size_t size)
{
    const struct cof_store *store = cof_disk_store_ops(local->disk);
    struct cof_buf text;
    enum cof_err err;

    cof_buf_init(&text, size - 1);
    err = store->get(store->ctx, "local", cof_view_str(name), &text);
    if (err == COF_OK)
        (void)snprintf(out, size, "%s", cof_buf_cstr(&text));
    cof_buf_done(&text);
    return err;
}

/* DIR/credentials/ID.oauth for each token client. */
static enum cof_err give_client_secrets(struct cof_local *local, const char *data, const json_t *clients, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    for (size_t i = 0; err == COF_OK && i < json_array_size(clients); i++) {
        const char *id = json_string_value(json_object_get(json_array_get(clients, i), "id"));
        struct cof_buf text;
        char file[200], path[4096];

        (void)snprintf(file, sizeof file, "credentials/%s.oauth", id);
        if (!cof_local_path(path, data, file))
            return COF_E_USAGE;
        cof_buf_init_secret(&text, 1024);
        cof_buf_printf(&text, "client_id=%s\nclient_secret=", id);
        err = cof_oauth_reset_secret(local->standin, cof_view_str(id), &text);
        cof_buf_add_str(&text, "\n");
        if (err == COF_OK)
            err = cof_file_write(path, cof_buf_view(&text), 0600, diag);
        cof_buf_done(&text);
    }
    return err;
}

/* The device's serial number, and its seed in the form authenticators take. */
static enum cof_err give_device(const struct cof_local *local, const char *data, const char *account, const char *name,
                                struct cof_diag *diag)
{
    struct cof_iam_entity user;
    struct cof_buf text;
    char file[200], path[4096];
    enum cof_err err = cof_iam_get(
        cof_disk_store_ops(local->disk), COF_IAM_USER, cof_view_str(account), cof_view_str(name), &user);

    (void)snprintf(file, sizeof file, "credentials/%s%s%s.mfa", account, account[0] != '\0' ? "." : "", name);
    if (err == COF_OK && user.mfa_serial != NULL && cof_local_path(path, data, file)) {
        cof_buf_init_secret(&text, 4096);
        cof_buf_printf(&text, "AWS_MFA_SERIAL=%s\notpauth://totp/coffer-local:%s?secret=%s&issuer=coffer-local\n",
                       user.mfa_serial, name, user.mfa_secret);
        err = cof_buf_err(&text);
        if (err == COF_OK)
            err = cof_file_write(path, cof_buf_view(&text), 0600, diag);
        cof_buf_done(&text);
    }
    cof_iam_entity_done(&user);
    return err;
}

static enum cof_err give_devices(const struct cof_local *local, const char *data, const json_t *holder, const char *account,
                                 struct cof_diag *diag)
{
    const json_t *users = json_object_get(holder, "users"), *accounts = json_object_get(holder, "accounts");
    enum cof_err err = COF_OK;

    for (size_t i = 0; err == COF_OK && i < json_array_size(users); i++)
        err = give_device(local, data, account, json_string_value(json_object_get(json_array_get(users, i), "name")), diag);
    for (size_t i = 0; account[0] == '\0' && err == COF_OK && i < json_array_size(accounts); i++) {
        const json_t *item = json_array_get(accounts, i);

        err = give_devices(local, data, item, json_string_value(json_object_get(item, "id")), diag);
    }
    return err;
}

static enum cof_err fill(struct cof_local *local, const char *data, const json_t *manifest, struct cof_diag *diag)
{
    const struct cof_store *store = cof_disk_store_ops(local->disk);
    struct giving giving = {local, data, diag};
    char path[4096];
    enum cof_err err = make_folder(data, "credentials", diag);

    if (err == COF_OK)
        err = cof_standin_bootstrap(local->standin, manifest, cof_clock_wall_ms(), give_key, &giving, diag);
    if (err == COF_OK)
        err = give_devices(local, data, manifest, "", diag);
    if (err == COF_OK)
        err = give_client_secrets(local, data, json_object_get(manifest, "clients"), diag);
    if (err == COF_OK)
        err = save_setting(local, "account", local->account);
    if (err == COF_OK)
        err = save_setting(local, "region", local->region);
    if (err == COF_OK)
        err = store->commit(store->ctx);
    if (err == COF_OK && cof_local_path(path, data, "ready"))
        err = cof_file_write(path, COF_LIT("1\n"), 0600, diag);
    return err;
}

static enum cof_err settings(struct cof_local *local, const json_t *manifest, bool is_new, struct cof_diag *diag)
{
    const char *account = json_string_value(json_object_get(manifest, "account")), *region = json_string_value(json_object_get(manifest, "region"));
    enum cof_err err;

    if (!is_new) {
        err = load_setting(local, "account", local->account, sizeof local->account);
        return err == COF_OK ? load_setting(local, "region", local->region, sizeof local->region) : err;
    }
    if (account == NULL || strlen(account) != 12 || region == NULL || strlen(region) >= sizeof local->region)
        return cof_diag_set(diag, COF_E_CONFIG, "the manifest needs an \"account\" of twelve digits and a \"region\"");
    memcpy(local->account, account, 13);
    memcpy(local->region, region, strlen(region) + 1);
    return COF_OK;
}

/* The key that signs the audit log: sealed in the store, its public half in DIR/audit.pem. */
static enum cof_err open_audit_key(struct cof_local *local, const char *data, struct cof_diag *diag)
{
    const struct cof_store *store = cof_disk_store_ops(local->disk);
    const struct cof_view id = COF_LIT("audit-key");
    struct cof_buf sealed, der, pem;
    char path[4096];
    enum cof_err err;

    cof_buf_init(&sealed, 4096);
    cof_buf_init_secret(&der, 4096);
    cof_buf_init(&pem, 4096);
    err = store->get(store->ctx, "local", id, &sealed);
    if (err == COF_OK) {
        err = cof_standin_unseal(local->standin, "audit", id, cof_buf_view(&sealed), &der);
        if (err == COF_OK)
            err = cof_ecdsa_from_pkcs8(cof_buf_view(&der), &local->audit_key);
        if (err != COF_OK)
            (void)cof_diag_set(diag, err, "the key that signs the audit log cannot be unsealed");
    } else if (err == COF_E_NOT_FOUND && cof_local_path(path, data, "audit.pem")) {
        err = cof_ecdsa_generate(COF_P256, &cof_rng_os, &local->audit_key);
        if (err == COF_OK)
            err = cof_ecdsa_pkcs8(local->audit_key, &der);
        if (err == COF_OK)
            err = cof_standin_seal(local->standin, "audit", id, cof_buf_view(&der), &sealed);
        if (err == COF_OK)
            err = cof_ecdsa_spki_pem(local->audit_key, &pem);
        if (err == COF_OK)
            err = cof_file_write(path, cof_buf_view(&pem), 0644, diag);
        if (err == COF_OK)
            err = store->put(store->ctx, "local", id, cof_buf_view(&sealed));
        if (err == COF_OK)
            err = store->commit(store->ctx);
    }
    cof_buf_done(&sealed);
    cof_buf_done(&der);
    cof_buf_done(&pem);
    return err;
}

static enum cof_err open_audit(struct cof_local *local, const struct cof_local_config *config, struct cof_diag *diag)
{
    char path[4096];
    enum cof_err err = open_audit_key(local, config->data, diag);

    if (err == COF_OK && !cof_local_path(path, config->data, "audit.jsonl"))
        err = COF_E_USAGE;
    if (err == COF_OK)
        err = cof_audit_log_open(&(struct cof_audit_log_opts){.path = config->audit != NULL ? config->audit : path,
            .store = cof_disk_store_ops(local->disk), .rng = &cof_rng_supplied, .key = local->audit_key, .account = local->account,
            .region = local->region, .rotate_bytes = config->audit_rotate, .repair = config->repair}, cof_clock_wall_ms(),
            &local->audit, diag);
    return err;
}

enum cof_err cof_local_mark(struct cof_local *local, const char *data, struct cof_diag *diag)
{
    char path[4096];
    enum cof_err err = cof_local_path(path, data, "serving") ? cof_file_write(path, COF_LIT(""), 0600, diag) : COF_E_USAGE;

    if (err == COF_OK)
        local->marked = data;
    return err;
}

/* What ended by force (or with the machine) is looked at before it is trusted. SQLite mends its own log, not a disk that lied. */
static enum cof_err check_after_force(const struct cof_local *local, const char *data, struct cof_diag *diag)
{
    char path[4096];
    struct stat st;

    if (!cof_local_path(path, data, "serving"))
        return COF_E_USAGE;
    if (stat(path, &st) != 0)
        return COF_OK;
    (void)fprintf(stderr, "coffer-local: %s was not closed in order: its database is checked\n", data);
    return cof_disk_store_quick_check(local->disk, diag);
}

enum cof_err cof_local_open(struct cof_local *local, const struct cof_local_config *config, json_t *manifest, bool must_be_new,
                            struct cof_diag *diag)
{
    bool is_new = cof_local_is_new(config->data);
    struct cof_disk_store_check check;
    enum cof_err err;

    *local = (struct cof_local){
        .aside_ops = {begin_aside, cof_aside_digest_update, cof_aside_digest_final, cof_aside_digest_free, local}};
    if (!is_new && must_be_new)
        return cof_diag_set(diag, COF_E_EXISTS, "%s is set up already (`coffer-local reset` empties it)", config->data);
    if (is_new && manifest == NULL)
        return cof_diag_set(diag, COF_E_NOT_FOUND, "%s is not set up", config->data);
    err = cof_disk_store_open(config->data, &cof_rng_supplied, &check, &local->disk, diag);
    if (err == COF_OK)
        err = check_after_force(local, config->data, diag);
    if (err == COF_OK && check.n_blobs_missing > 0)
        err = cof_diag_set(diag, COF_E_IO, "%s is damaged: %llu bodies are missing (`coffer-local check` names them)", config->data,
                           (unsigned long long)check.n_blobs_missing);
    if (err == COF_OK)
        err = master_key(config->data, is_new, &local->master, diag);
    if (err == COF_OK)
        err = settings(local, manifest, is_new, diag);
    if (err == COF_OK)
        err = cof_standin_new(&(struct cof_standin_opts){.kms = &cof_service_kms_hooks, .store = cof_disk_store_ops(local->disk), .rng = &cof_rng_supplied,
            .master_key = &local->master, .account = local->account, .region = local->region, .services = cof_local_services,
            .n_services = cof_local_n_services, .sse_c_needs_tls = !config->sse_c_over_http,
            .instance_role = config->imds_role, .audit = write_audit, .faults = &local->faults, .notify = pass_notify, .rsa_key = pass_rsa_key,
            .aside = &local->aside_ops, .ctx = local}, &local->standin, diag);
    if (err == COF_OK && is_new)
        err = fill(local, config->data, manifest, diag);
    if (err == COF_OK)
        err = open_audit(local, config, diag);
    if (err != COF_OK)
        cof_local_close(local);
    return err;
}

void cof_local_close(struct cof_local *local)
{
    char path[4096];

    cof_audit_log_close(local->audit, cof_clock_wall_ms());
    cof_ecdsa_free(local->audit_key);
    cof_standin_free(local->standin);
    if (local->marked != NULL && cof_local_path(path, local->marked, "serving"))
        (void)unlink(path); /* while the lock is ours; should it stay, the next start checks for nothing */
    cof_disk_store_close(local->disk);
    cof_secret_done(&local->master);
    *local = (struct cof_local){.disk = NULL};
}

/* Removes the files of a folder, and the folder. */
static void remove_folder(const char *path, int depth)
{
    DIR *dir = depth > 3 ? NULL : opendir(path);
    const struct dirent *entry;

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        char inner[4096];
        struct stat st;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || !cof_local_path(inner, path, entry->d_name))
            continue;
        if (lstat(inner, &st) == 0 && S_ISDIR(st.st_mode))
            remove_folder(inner, depth + 1);
        else
            (void)unlink(inner);
    }
    (void)closedir(dir);
    (void)rmdir(path);
}

/* Older parts of the audit log, and what was put aside of it. */
static void remove_rotated(const char *data)
{
    DIR *dir = opendir(data);
    const struct dirent *entry;
    char path[4096];

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL)
        if ((strncmp(entry->d_name, "audit-", 6) == 0 || strncmp(entry->d_name, "audit.jsonl.damaged-", 20) == 0) &&
            cof_local_path(path, data, entry->d_name))
            (void)unlink(path);
    (void)closedir(dir);
}

enum cof_err cof_local_reset(const char *data, struct cof_diag *diag)
{
    static const char *const files[] = {"ready", "store.db", "store.db-wal", "store.db-shm", "store.log-0", "store.log-1", "master.key", "audit.jsonl", "audit.pem", "endpoint", "metrics", "imds", "serving"};
    struct cof_disk_store *disk;
    char path[4096];
    enum cof_err err;

    if (cof_local_is_new(data))
        return cof_diag_set(diag, COF_E_NOT_FOUND, "%s is no data directory of coffer-local", data);
    err = cof_disk_store_open(data, &cof_rng_os, NULL, &disk, diag); /* nobody else may be using it */
    if (err == COF_E_EXISTS)
        return err;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (cof_local_path(path, data, files[i]) && unlink(path) != 0 && errno != ENOENT)
            err = cof_diag_set(diag, COF_E_IO, "cannot remove %s: %s", path, strerror(errno));
    remove_rotated(data);
    if (cof_local_path(path, data, "blobs"))
        remove_folder(path, 0);
    if (cof_local_path(path, data, "credentials"))
        remove_folder(path, 0);
    cof_disk_store_close(disk);
    return COF_OK;
}
