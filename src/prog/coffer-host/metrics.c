/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#include "format/prom.h"
#include "io/resident.h"

#define COUNTER "counter"
#define GAUGE "gauge"

static void add_tunnel(const struct tunnel_counts *c, struct cof_buf *out)
{
    static const char refused[] = "coffer_host_connections_refused_total", ended[] = "coffer_host_forwarded_ended_total",
                      bytes[] = "coffer_host_bytes_total";

    cof_prom_number(out, "coffer_host_connections_accepted_total", COUNTER, "Connections of the enclave taken.", c->accepted);
    cof_prom_number(out, "coffer_host_connections_open", GAUGE, "Connections of the enclave, now.", c->open);
    cof_prom_number(out, "coffer_host_connections_pending", GAUGE, "Of these, not yet forwarded.", c->pending);
    cof_prom_number(out, "coffer_host_forwarded_total", COUNTER, "Connections forwarded to their destination.", c->forwarded);
    cof_prom_head(out, refused, COUNTER, "Connections that were not forwarded.");
    for (int i = 0; i < TUNNEL_REFUSALS; i++)
        cof_prom_sample(out, refused, "reason", tunnel_refusal_word((enum tunnel_refusal)i), c->refused[i]);
    cof_prom_head(out, ended, COUNTER, "Forwarded connections that have ended.");
    for (int i = 0; i < TUNNEL_ENDS; i++)
        cof_prom_sample(out, ended, "how", tunnel_end_word((enum tunnel_end)i), c->ended[i]);
    cof_prom_number(out, "coffer_host_accept_held_total", COUNTER, "Times that new connections had to wait.", c->throttled);
    cof_prom_head(out, bytes, COUNTER, "Bytes forwarded.");
    cof_prom_sample(out, bytes, "direction", "from_enclave", c->bytes_out);
    cof_prom_sample(out, bytes, "direction", "to_enclave", c->bytes_in);
    cof_prom_number(out, "coffer_host_credentials_given_total", COUNTER, "Times that the role's credentials were handed over.",
                    c->credentials);
}

void metrics_write(const struct metrics_now *now, struct cof_buf *out)
{
    static const char build[] = "coffer_host_build_info", left[] = "coffer_host_credentials_expire_seconds",
                      start[] = "process_start_time_seconds";
    uint64_t resident = cof_resident_bytes();

    cof_prom_head(out, build, GAUGE, "Always 1.");
    cof_prom_sample(out, build, "version", COF_VERSION, 1);
    add_tunnel(&now->tunnel, out);
    cof_prom_number(out, "coffer_host_credentials_present", GAUGE, "1: there are credentials to hand over.", now->has_credentials);
    if (now->has_credentials && now->credentials_until_ms != 0) {
        cof_prom_head(out, left, GAUGE, "Seconds until the credentials end; negative: they have ended.");
        cof_buf_printf(out, "%s %lld\n", left, (long long)((now->credentials_until_ms - now->now_ms) / 1000));
    }
    if (resident != 0)
        cof_prom_number(out, "process_resident_memory_bytes", GAUGE, "Resident memory.", resident);
    cof_prom_head(out, start, GAUGE, "When the process started, since 1970.");
    cof_buf_printf(out, "%s %lld.%03d\n", start, (long long)(now->started_ms / 1000), (int)(now->started_ms % 1000));
}
