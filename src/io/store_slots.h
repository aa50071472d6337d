/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies of middle size: slots of 64, 128 and 256 KiB in three files of the blob folder. A file for each such body would
 * cost some ten times its bytes in the kernel (create, rename, sync of file and folder, unlink); a slot costs one write,
 * and all that one transaction wrote is synced at once before it commits. Which slots are in use the database says
 * (store.c): a crash leaves nothing behind that must be cleaned up.
 *
 *   DIR/blobs/slots-64k  DIR/blobs/slots-128k  DIR/blobs/slots-256k
 *
 * Slots are used again: a copy of these files is whole only with the database of the same moment.
 */
#ifndef COF_IO_STORE_SLOTS_H
#define COF_IO_STORE_SLOTS_H

#include "base/buf.h"

#define COF_SLOTS_CLASSES 3
#define COF_SLOT_MAX 262144 /* bytes of the largest */

struct cof_slot_places {
    int64_t *items;
    size_t n, cap, mark;
};

struct cof_slot {
    uint8_t used; /* 0 free, 1 in use, 2 let go of but still being read */
    uint16_t pins;
};

struct cof_slots {
    int root_fd; /* the blob folder; not ours */
    struct cof_slot_class {
        int fd; /* -1: not there yet */
        bool dirty;
        size_t n, cap, n_free, next_free; /* of slots; none is free before next_free */
        struct cof_slot *slots;
    } classes[COF_SLOTS_CLASSES];
    struct cof_slot_places made, dropped; /* since the transaction began */
};

void cof_slots_zero(struct cof_slots *slots);
COF_MUST_USE enum cof_err cof_slots_open(struct cof_slots *slots, int root_fd);
void cof_slots_close(struct cof_slots *slots);
/* The database names this place. COF_E_NOT_FOUND when no slot can be there, or its bytes are missing. */
COF_MUST_USE enum cof_err cof_slots_claim(struct cof_slots *slots, int64_t place, uint64_t size);

/* Writes bytes (1 to COF_SLOT_MAX) to a free slot, which is taken until cof_slots_give_back or the end of a transaction
 * that it was not kept by (cof_slots_keep). */
COF_MUST_USE enum cof_err cof_slots_write(struct cof_slots *slots, struct cof_view bytes, int64_t *place);
void cof_slots_give_back(struct cof_slots *slots, int64_t place);
/* The place belongs to the transaction, which frees it when it fails; or is dropped by it, and free when it is kept. */
COF_MUST_USE enum cof_err cof_slots_keep(struct cof_slots *slots, int64_t place);
COF_MUST_USE enum cof_err cof_slots_drop(struct cof_slots *slots, int64_t place);
COF_MUST_USE enum cof_err cof_slots_sync(struct cof_slots *slots);
void cof_slots_end(struct cof_slots *slots, bool kept);
void cof_slots_mark(struct cof_slots *slots);
void cof_slots_unmark(struct cof_slots *slots, bool keep);

/* Where the bytes are: a descriptor and an offset, good until unpin. */
COF_MUST_USE enum cof_err cof_slots_pin(struct cof_slots *slots, int64_t place, int *fd, uint64_t *offset);
void cof_slots_unpin(struct cof_slots *slots, int64_t place);

#endif
