/* SPDX-License-Identifier: Apache-2.0 */
#include "format/tls_hello.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_view in = {data, size}, name;

    if (cof_tls_hello_server_name(in, &name) == COF_OK && name.len > 0 &&
        (name.data < data || name.data + name.len > data + size))
        abort();
    return 0;
}
