/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether somebody who connects is the enclave.
 */
#ifndef COF_HOST_PEER_H
#define COF_HOST_PEER_H

#include "io/dial.h"

#include <sys/socket.h>

/* Any enclave of this parent, and the parent itself, could knock at a vsock port; what is there is for one (C-20). A Unix
 * socket is this enclave's by its path, and by the rights of the file. */
bool peer_is_enclave(const struct sockaddr_storage *from, socklen_t len, bool has_cid, uint32_t cid);

#endif
