/* SPDX-License-Identifier: Apache-2.0
 *
 * The chain of an audit log: one CloudTrail record a line, each line holding its number and the SHA-256 of the line
 * before it (without the newline; 64 zeros before the first), so that no line can be changed, left out or put elsewhere
 * without the next one telling. Now and then a line signs all before it (eventName SignChain, ECDSA P-256 over number,
 * hash and time). A line that a crash left half written stays, is no link of the chain, and the link after it
 * (eventName TornRecord) holds its length and SHA-256.
 *
 *   {"sequence":17,"previousHash":"<64 hex digits>","eventVersion":"1.11",...}\n
 */
#ifndef COF_ENGINE_AUDIT_CHAIN_H
#define COF_ENGINE_AUDIT_CHAIN_H

#include "base/buf.h"
#include "crypto/ecdsa.h"

#define COF_AUDIT_LINE_MAX ((size_t)262144)
#define COF_AUDIT_SOURCE "coffer-local" /* eventSource of the log's own records */
#define COF_AUDIT_VERSION "1.11"        /* CloudTrail's, of June 2025 */

/* The end of a chain. */
struct cof_audit_chain {
    uint64_t next; /* number of the next line, from 1 */
    uint8_t hash[32]; /* of the last line */
};
void cof_audit_chain_init(struct cof_audit_chain *chain);

/* Adds the next line, newline included, to out. record is a JSON object with at least one member. On failure chain and
 * out are as before. */
COF_MUST_USE enum cof_err cof_audit_append(struct cof_audit_chain *chain, struct cof_view record, struct cof_buf *out);

struct cof_audit_place {
    const char *account, *region;
    int64_t now_ms;
};
/* A record of the log itself: eventType AwsServiceEvent, source COF_AUDIT_SOURCE. data: a JSON object for
 * additionalEventData, or empty. id: a UUID. */
void cof_audit_own_record(const struct cof_audit_place *place, const char *event_name, const char *id,
                          struct cof_view data, struct cof_buf *out);
/* Appends a line that signs the chain up to it. */
COF_MUST_USE enum cof_err cof_audit_sign(struct cof_audit_chain *chain, const struct cof_ecdsa_key *key,
                                         const struct cof_audit_place *place, const char *id, struct cof_buf *out);
/* The additionalEventData of a TornRecord. */
void cof_audit_torn_data(struct cof_view torn, struct cof_buf *out);

/* Reading. Number and hashes of one line (without its newline), by form alone. COF_E_FORMAT. */
struct cof_audit_link {
    uint64_t sequence;
    uint8_t previous[32], hash[32];
};
COF_MUST_USE enum cof_err cof_audit_link_read(struct cof_view line, struct cof_audit_link *out);

/* The number alone, which costs no hashing. COF_E_FORMAT. */
COF_MUST_USE enum cof_err cof_audit_sequence_read(struct cof_view line, uint64_t *out);

struct cof_audit_check {
    const struct cof_ecdsa_key *key; /* NULL: signatures are not looked at */
    struct cof_audit_chain chain;
    bool begun, torn;                /* torn: the last line was none, so the next must say so */
    uint64_t n_lines, n_torn, n_signatures, first, signed_to; /* signed_to 0: nothing is */
    char first_time[40], last_time[40];
    uint8_t torn_hash[32];
    uint64_t torn_len;
};
void cof_audit_check_init(struct cof_audit_check *check, const struct cof_ecdsa_key *key);
/* The next line, without its newline. COF_E_AUTH: the log was tampered with at this line; diag says how. After that the
 * check is over. COF_E_MEMORY. */
COF_MUST_USE enum cof_err cof_audit_check_line(struct cof_audit_check *check, struct cof_view line,
                                               struct cof_diag *diag);
/* What stands behind the last newline, where something does: it must be the beginning of the next line. COF_E_AUTH. */
COF_MUST_USE enum cof_err cof_audit_check_unfinished(const struct cof_audit_check *check, struct cof_view bytes,
                                                     struct cof_diag *diag);
/* After the last line. */
COF_MUST_USE enum cof_err cof_audit_check_end(struct cof_audit_check *check, struct cof_diag *diag);

#endif
