/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer: the device's, operator's, data owner's and auditor's tool. Finds the verb and hands over.
 */
#include "verbs.h"

#include "crypto/start.h"
#include "io/harden.h"
#include "prog/program.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

/* A verb may be two words: "attest verify". */
static const struct verb *const verbs[] = {
    &verb_submit,  &verb_status,    &verb_result,  &verb_put,     &verb_get,     &verb_cp,     &verb_ls,
    &verb_rm,      &verb_rewrap,   &verb_roundtrip, &verb_presign, &verb_keygen,  &verb_watch,   &verb_encrypt,
    &verb_decrypt, &verb_inspect, &verb_attest_verify, &verb_receipt_verify,
    &verb_manifest_sign, &verb_manifest_verify,
    &verb_audit_verify,
    &verb_policy_generate, &verb_policy_lint, &verb_policy_rollover, &verb_policy_simulate,
    &verb_eif_build, &verb_eif_ramdisk, &verb_eif_describe, &verb_eif_verify, &verb_eif_split, &verb_model_measure,
};

/* --version, --man, --completion */
static bool asked(int argc, char **argv, int *exit_code)
{
    struct cof_verb_name names[sizeof verbs / sizeof verbs[0]];
    const struct cof_program program = {"coffer", "moves, seals and opens data, and checks what came back", names, sizeof verbs / sizeof verbs[0]};

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        names[i] = (struct cof_verb_name){verbs[i]->name, verbs[i]->command};
    return cof_program_asked(&program, argc, argv, exit_code);
}

static void usage(FILE *f)
{
    (void)fprintf(f, "usage: coffer VERB [options] ...\n\n");
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        (void)fprintf(f, "  %-16s %s\n", verbs[i]->name, verbs[i]->command->summary);
    (void)fprintf(f, "\n'coffer VERB --help' tells more; 'coffer --man', '--version' and '--completion=SHELL' (bash, zsh, fish) are there too. Exit codes: 0 done, 1 failed, 2 wrong use, 3 verification refused, "
                     "4 try later.\n");
}

/* The number of words of argv that name the verb, or 0. */
static int matches(const char *name, int argc, char **argv)
{
    const char *space = strchr(name, ' ');
    size_t first = space == NULL ? strlen(name) : (size_t)(space - name);

    if (strlen(argv[1]) != first || strncmp(argv[1], name, first) != 0)
        return 0;
    if (space == NULL)
        return 1;
    return argc > 2 && strcmp(argv[2], space + 1) == 0 ? 2 : 0;
}

/* What was said may not have been heard: a full disk behind standard output. */
static int heard(int exit_code)
{
    struct cof_diag diag = {0};

    errno = 0;
    if (exit_code != COF_EXIT_DONE || (fflush(stdout) == 0 && !ferror(stdout)))
        return exit_code;
    cof_fail("coffer", cof_diag_set(&diag, COF_E_IO, "standard output: %s", errno != 0 ? strerror(errno) : "cannot be written"), &diag);
    return COF_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct cof_harden_opts harden = {0};
    struct cof_diag diag = {0};
    enum cof_err err = cof_harden(&harden, NULL, &diag);
    int exit_code;

    /* Bodies of files come and go by the hundred: their pages are kept, not given back and cleared anew for each. */
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 16 << 20);
    cof_crypto_start();
    if (err != COF_OK) {
        cof_fail("coffer", err, &diag);
        return COF_EXIT_FAILED;
    }
    if (argc < 2) {
        usage(stderr);
        return COF_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return heard(COF_EXIT_DONE);
    }
    if (asked(argc, argv, &exit_code))
        return heard(exit_code);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        int words = matches(verbs[i]->name, argc, argv);
        if (words > 0)
            return heard(verbs[i]->run(argc - words, argv + words));
    }
    (void)fprintf(stderr, "coffer: error: unknown verb '%s'\ncoffer: hint: see 'coffer --help'\n", argv[1]);
    return COF_EXIT_USAGE;
}
