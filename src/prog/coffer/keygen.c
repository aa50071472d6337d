/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer keygen: a key for SSE-C, in a file that only its owner reads.
 */
#include "common.h"
#include "verbs.h"

#include "crypto/hash.h"
#include "base/codec.h"
#include "io/file.h"
#include "io/rng_os.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PROG "coffer keygen"
#define KEY_BYTES 32

struct config {
    bool force;
};
static const struct cof_option options[] = {
    {"force", 'f', COF_OPT_FLAG, NULL, "replace a file that is there: what was encrypted under its key is lost",
     offsetof(struct config, force)},
};
static const struct cof_command command = {
    .name = "keygen",
    .args = "FILE|-",
    .summary = "Makes a 256-bit key for -e sse-c (or a raw-aes keyring); the file can be read by its owner only.",
    .details = "Whoever has the key can read what was encrypted under it, and nobody else: AWS keeps no copy. Keep one "
               "yourself. The fingerprint is the key's MD5 in base64, as S3 reports it for each object.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 1,
    .max_args = 1,
};

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    uint8_t key[KEY_BYTES], md5[16];
    struct cof_buf text;
    struct stat st;
    enum cof_err err;

    if (!config->force && strcmp(args[0], "-") != 0 && lstat(args[0], &st) == 0) {
        err = cof_diag_set(diag, COF_E_EXISTS, "%s: is there already", args[0]);
        cof_diag_hint(diag, "--force replaces it; what was encrypted under its key can then not be read any more");
        return err;
    }
    err = cof_rng_fill(&cof_rng_os, key, sizeof key);
    if (err == COF_OK)
        err = cof_hash_once(COF_MD5, cof_view_of(key, sizeof key), md5);
    if (err == COF_OK)
        err = cof_file_write(args[0], cof_view_of(key, sizeof key), 0600, diag);
    cof_wipe(key, sizeof key);
    if (err != COF_OK || strcmp(args[0], "-") == 0)
        return err;
    cof_buf_init(&text, 64);
    cof_base64_add(&text, cof_view_of(md5, sizeof md5));
    (void)printf("%s: 32 bytes, fingerprint %s\n", args[0], cof_buf_cstr(&text));
    cof_buf_done(&text);
    return COF_OK;
}

static int run_keygen(int argc, char **argv)
{
    struct config config = {0};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_keygen = {"keygen", &command, run_keygen};
