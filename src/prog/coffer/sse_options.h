/* SPDX-License-Identifier: Apache-2.0
 *
 * How S3 shall encrypt and check, from the command line: the mode, where its key comes from, the checksum.
 */
#ifndef COF_COFFER_SSE_OPTIONS_H
#define COF_COFFER_SSE_OPTIONS_H

#include "common.h"

#include "client/s3.h"

struct sse_options {
    const char *mode, *key_file, *key_command, *kms_key, *checksum;
    uint64_t key_fd; /* UINT64_MAX: not given */
    struct cof_text_list kms_context;
    bool bucket_key;
};
#define SSE_OPTIONS_DEFAULT {.key_fd = UINT64_MAX}

#define SSE_OPTIONS(type)                                                                                                     \
    {"encryption", 'e', COF_OPT_TEXT, "MODE", "sse-s3, sse-kms, sse-c or none (also: default, KMS, SSE_C)",                   \
     offsetof(type, sse.mode)},                                                                                               \
    {"key-file", 0, COF_OPT_TEXT, "FILE", "sse-c: the 32 bytes of the key", offsetof(type, sse.key_file)},                    \
    {"key-fd", 0, COF_OPT_NUMBER, "N", "sse-c: read them from this descriptor", offsetof(type, sse.key_fd)},                  \
    {"key-command", 0, COF_OPT_TEXT, "COMMAND", "sse-c: a program that prints them (no shell)", offsetof(type, sse.key_command)}

#define SSE_PUT_OPTIONS(type)                                                                                                 \
    SSE_OPTIONS(type),                                                                                                        \
    {"kms-key-id", 0, COF_OPT_TEXT, "ID", "sse-kms: the KMS key (default: the account's)", offsetof(type, sse.kms_key)},      \
    {"kms-context", 0, COF_OPT_LIST, "NAME=VALUE", "sse-kms: encryption context; repeatable", offsetof(type, sse.kms_context)}, \
    {"bucket-key", 0, COF_OPT_FLAG, NULL, "sse-kms: an S3 bucket key, for fewer KMS calls", offsetof(type, sse.bucket_key)},  \
    {"checksum-algorithm", 0, COF_OPT_TEXT, "NAME", "what S3 checks and keeps: CRC64NVME (default), CRC32, CRC32C, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128", \
     offsetof(type, sse.checksum)}

/* What they mean, ready for requests; must not move. */
struct sse {
    struct cof_s3_sse is;
    struct cof_secret key;
    struct cof_buf context; /* JSON */
    enum cof_checksum_alg checksum; /* none: the default */
};
COF_MUST_USE enum cof_err sse_read(const struct sse_options *options, struct sse *out, struct cof_diag *diag);
void sse_done(struct sse *sse); /* takes a zeroed one */

#endif
