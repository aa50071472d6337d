/* SPDX-License-Identifier: Apache-2.0
 *
 * C-20: who may be the enclave. No vsock is needed to tell addresses apart.
 */
#include "testing.h"

#include "prog/coffer-host/peer.c"

static void only_its_own_context_is_the_enclave(void **state)
{
    static const uint32_t others[] = {0, 1, 2, 3, 15, 17, 16 << 8, UINT32_MAX};
    struct sockaddr_storage from = {0};
    struct sockaddr_vm vm = {.svm_family = AF_VSOCK, .svm_port = 1024, .svm_cid = 16};

    memcpy(&from, &vm, sizeof vm);
    assert_true(peer_is_enclave(&from, sizeof vm, true, 16));
    assert_false(peer_is_enclave(&from, sizeof vm - 1, true, 16)); /* half an address */
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        vm.svm_cid = others[i];
        memcpy(&from, &vm, sizeof vm);
        assert_false(peer_is_enclave(&from, sizeof vm, true, 16));
        assert_true(peer_is_enclave(&from, sizeof vm, false, 0)); /* where no context was given */
    }
}

static void a_unix_socket_is_the_enclaves_by_its_path(void **state)
{
    struct sockaddr_storage from = {.ss_family = AF_UNIX};

    assert_true(peer_is_enclave(&from, sizeof(sa_family_t), true, 16));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_its_own_context_is_the_enclave),
        cmocka_unit_test(a_unix_socket_is_the_enclaves_by_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
