/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder of sealed messages on their way: what coffer watch keeps between a file's appearance and its being stored. An entry
 * is one file that appears whole: a line of JSON (where it goes), then the message. Entries sort by name into the order they are
 * sent in: priority, then time. Its id says which file of which moment it was made from, so that none is made twice.
 */
#ifndef COF_COFFER_SPOOL_H
#define COF_COFFER_SPOOL_H

#include "sealed.h"

#define SPOOL_NAME_MAX 64

struct spool_entry {
    struct spool_entry *next;
    char name[SPOOL_NAME_MAX]; /* "4-1763942400123-00112233445566778899aabbccddeeff.spool" */
    char key[1025];
    char type[128];            /* media type; empty: not noted */
    uint64_t head, size;       /* bytes of the line; of the whole file */
    unsigned failures;
    int64_t not_before_ms;
    bool is_under_way;
};

struct spool {
    char path[3072];
    struct spool_entry *first; /* in order */
    uint64_t bytes;
    size_t n;
};

/* Makes the folder where it is missing, and reads what is there; what is no entry is set aside under NAME.bad, and told. */
COF_MUST_USE enum cof_err spool_open(struct spool *spool, const char *path, const char *prog, struct cof_diag *diag);
void spool_close(struct spool *spool);

/* The id of the file, 32 hex digits. */
COF_MUST_USE enum cof_err spool_id(const char *relative, const struct stat *st, char out[static 33]);
const struct spool_entry *spool_find(const struct spool *spool, const char *id); /* NULL: none */
/* Seals the file into a new entry, durable when this returns. type may be NULL. priority: 0 to 9, higher first. COF_E_TRUNCATED: the file changed
 * meanwhile; COF_E_NO_SPACE: the disk is full. Nothing is left then. */
COF_MUST_USE enum cof_err spool_add(struct spool *spool, struct sealing *sealing, const char *path, const struct stat *st,
                                    const char *id, const char *key, const char *type, unsigned priority, struct spool_entry **out,
                                    struct cof_diag *diag);
/* Deletes it (sent: or moves it to the folder "sent", to be kept for a while). */
void spool_remove(struct spool *spool, struct spool_entry *entry, bool sent);
/* Deletes what was sent longer ago than that. */
void spool_forget_sent(const struct spool *spool, int64_t older_than_s);
/* "SPOOL/NAME". */
void spool_path(const struct spool *spool, const struct spool_entry *entry, char out[static 4096]);

#endif
