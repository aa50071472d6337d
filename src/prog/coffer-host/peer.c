/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <linux/vm_sockets.h>
#include <string.h>

bool peer_is_enclave(const struct sockaddr_storage *from, socklen_t len, bool has_cid, uint32_t cid)
{
    struct sockaddr_vm vm;

    if (from->ss_family != AF_VSOCK || !has_cid)
        return true;
    if (len < sizeof vm)
        return false;
    memcpy(&vm, from, sizeof vm);
    return vm.svm_cid == cid;
}
