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

static void add_keeper(const struct keeper_counts *k, struct cof_buf *out)
{
    static const char restarts[] = "coffer_host_enclave_restarts_total";

    cof_prom_number(out, "coffer_host_enclave_running", GAUGE, "1: the enclave runs, as far as its hypervisor says.",
                    k->state == KEEPER_RUNS);
    cof_prom_number(out, "coffer_host_enclave_starts_total", COUNTER, "Enclaves started.", k->starts);
    cof_prom_head(out, restarts, COUNTER, "Times that the enclave had to be started again.");
    for (int i = 0; i < KEEPER_RESTARTS; i++)
        cof_prom_sample(out, restarts, "reason", keeper_restart_word((enum keeper_restart)i), k->again[i]);
}

static void add_heartbeat(const struct events_counts *e, int64_t loop_ms, struct cof_buf *out)
{
    static const char age[] = "coffer_host_heartbeat_age_seconds";
    const uint64_t *v = e->beat.values;
    int64_t ms = loop_ms - e->beat_ms;

    cof_prom_head(out, age, GAUGE, "Time since the enclave's last heartbeat.");
    cof_buf_printf(out, "%s %lld.%03d\n", age, (long long)(ms / 1000), (int)(ms % 1000));
    cof_prom_number(out, "coffer_enclave_working", GAUGE, "1: the enclave works at a job. This and what follows it says itself.", v[0]);
    cof_prom_number(out, "coffer_enclave_jobs_done_total", COUNTER, "Jobs done by this enclave.", v[1]);
    cof_prom_number(out, "coffer_enclave_jobs_refused_total", COUNTER, "Jobs refused for good by this enclave.", v[2]);
    cof_prom_number(out, "coffer_enclave_jobs_later_total", COUNTER, "Jobs put off by this enclave.", v[3]);
    cof_prom_number(out, "coffer_enclave_resident_memory_bytes", GAUGE, "Memory of the enclave's process.", v[4] * 1024);
    cof_prom_number(out, "coffer_enclave_uptime_seconds", GAUGE, "Time since its start.", v[5]);
}

static void add_events(const struct events_counts *e, int64_t loop_ms, struct cof_buf *out)
{
    static const char events[] = "coffer_host_enclave_events_total";

    cof_prom_head(out, events, COUNTER, "Records taken from the enclave.");
    for (unsigned code = 1; code <= COF_TELEMETRY_LEFT_OUT; code++)
        cof_prom_sample(out, events, "event", cof_telemetry_kind(code)->name, e->n[code]);
    cof_prom_number(out, "coffer_host_enclave_events_lost_total", COUNTER, "Records missing in the row of their numbers.", e->lost);
    cof_prom_number(out, "coffer_host_enclave_events_refused_total", COUNTER, "Connections cut: what came was not of the vocabulary.", e->malformed);
    cof_prom_number(out, "coffer_host_enclave_lines_left_out_total", COUNTER, "Events counted, but too many to be written in the log.", e->lines_left_out);
    if (e->has_beat)
        add_heartbeat(e, loop_ms, out);
}

void metrics_write(const struct metrics_now *now, struct cof_buf *out)
{
    static const char build[] = "coffer_host_build_info", left[] = "coffer_host_credentials_expire_seconds",
                      start[] = "process_start_time_seconds";
    uint64_t resident = cof_resident_bytes();

    cof_prom_head(out, build, GAUGE, "Always 1.");
    cof_prom_sample(out, build, "version", COF_VERSION, 1);
    add_tunnel(&now->tunnel, out);
    if (now->keeper != NULL)
        add_keeper(now->keeper, out);
    if (now->events != NULL)
        add_events(now->events, now->loop_ms, out);
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
