/* SPDX-License-Identifier: Apache-2.0 */
#include "io/dial_lookup.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum cof_err cof_dial_lookup(const char *host, uint16_t port, struct cof_sockaddr *out, size_t max, size_t *n)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char service[8];
    int error;

    *n = 0;
    (void)snprintf(service, sizeof service, "%u", port);
    error = getaddrinfo(host, service, &hints, &list);
    if (error != 0)
        return error == EAI_AGAIN ? COF_E_RETRY : error == EAI_MEMORY ? COF_E_MEMORY : COF_E_NOT_FOUND;
    /* IPv4 first: the next address is not tried once a connect is under way. */
    for (int pass = 0; pass < 2; pass++)
        for (struct addrinfo *a = list; a != NULL && *n < max; a = a->ai_next)
            if ((a->ai_family == AF_INET) == (pass == 0) && a->ai_addrlen <= sizeof out->bytes) {
                memcpy(out[*n].bytes, a->ai_addr, a->ai_addrlen);
                out[*n].len = a->ai_addrlen;
                (*n)++;
            }
    freeaddrinfo(list);
    return *n > 0 ? COF_OK : COF_E_NOT_FOUND;
}
