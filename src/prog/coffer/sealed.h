/* SPDX-License-Identifier: Apache-2.0
 *
 * What is sealed on its way to S3, and opened on its way back: AWS Encryption SDK messages around files and pipes.
 */
#ifndef COF_COFFER_SEALED_H
#define COF_COFFER_SEALED_H

#include "keyrings.h"
#include "source.h"

#include "engine/esdk_encrypt.h"
#include "io/file.h"
#include "io/open.h"
#include "io/seal.h"

struct seal_options {
    struct cof_text_list keyrings, context;
};
#define SEAL_OPTIONS(type, name, help)                                                                                        \
    {name, 0, COF_OPT_LIST, "KEYRING", help, offsetof(type, seal.keyrings)},                                                  \
    {"context", 'c', COF_OPT_LIST, "K=V", "with it: encryption context; repeatable", offsetof(type, seal.context)}

/* The keyrings and the context, once a program; must not move. */
struct sealing {
    bool is_on; /* keyrings were given */
    struct keyrings keyrings;
    struct cof_keyring keyring;
    struct cof_esdk_pair pairs[COF_ESDK_PAIRS_MAX];
    size_t n_pairs;
};
COF_MUST_USE enum cof_err sealing_read(const struct seal_options *options, const struct aws_options *aws, bool for_encrypt,
                                       struct sealing *out, struct cof_diag *diag);
void sealing_done(struct sealing *sealing); /* takes a zeroed one */
/* Whether the one opens what the other seals, tried in memory. COF_E_AUTH or COF_E_NOT_FOUND: it does not; COF_OK too when that
 * cannot be told now, for want of a link. */
COF_MUST_USE enum cof_err sealing_try(struct sealing *sealing, struct sealing *opening, struct cof_diag *diag);

/* A source that is sealed as it is read: a stream, of which no byte is plaintext. */
struct sealed_source {
    struct source *file;
    struct cof_s3_source plain;
    struct cof_esdk_encrypt *e;
    struct cof_seal *seal;
    struct cof_buf out;
    uint64_t plain_at;
    size_t out_at;
    bool is_finished;
};
/* plain: of file, both opened already; they must outlive it. *out replaces plain. */
COF_MUST_USE enum cof_err sealed_source_open(struct sealed_source *s, struct sealing *sealing, struct source *file,
                                             const struct cof_s3_source *plain, struct cof_s3_source *out,
                                             struct cof_diag *diag);
void sealed_source_close(struct sealed_source *s); /* takes a zeroed one */

/* The other way round: a message in a file, read as its plaintext. */
struct opened_source {
    int fd;
    uint64_t from, at; /* where in the file the message begins; how much of it was read */
    struct cof_esdk_decrypt *first, *d; /* first: verified all of it, and has the data key */
    struct cof_open *open;
    struct cof_buf out;
    size_t out_at;
    bool is_finished;
};
/* Verifies all of it before the first byte can be read; *plain_length: how many those will be. fd must stay open. */
COF_MUST_USE enum cof_err opened_source_open(struct opened_source *s, struct sealing *sealing, int fd, uint64_t from,
                                             uint64_t *plain_length, struct cof_diag *diag);
/* Up to room bytes; *n is 0 at the end, when all of it verified once more. */
COF_MUST_USE enum cof_err opened_source_read(struct opened_source *s, uint8_t *data, size_t room, size_t *n);
void opened_source_close(struct opened_source *s); /* takes a zeroed one */

/* Opens the message in fd (a file, from its beginning) into out; nothing is written to a pipe before all of it verified.
 * *plain_length may be NULL. */
COF_MUST_USE enum cof_err sealed_open_file(struct sealing *sealing, int fd, struct cof_file_out *out,
                                           uint64_t *plain_length, struct cof_diag *diag);

#endif
