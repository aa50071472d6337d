#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real enclave (simulated hypervisor) and its host: what it tells while a picture goes through, in words and numbers without names; an
enclave that hangs is replaced, and the job that it should have done is done."""
import importlib.machinery, importlib.util, json, os, signal, socket, subprocess, sys, time
from pathlib import Path

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from local import Checks

loader = importlib.machinery.SourceFileLoader('demo', str(SOURCE / 'deploy/local/demo'))
demo_module = importlib.util.module_from_spec(importlib.util.spec_from_loader('demo', loader))
loader.exec_module(demo_module)
check = Checks()


def metrics(demo):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(f'{demo.dir}/metrics.sock')
        s.sendall(b'GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
        body = b''.join(iter(lambda: s.recv(65536), b'')).partition(b'\r\n\r\n')[2].decode()
    return {k: float(v) for k, v in (line.rsplit(' ', 1) for line in body.splitlines() if line and line[0] != '#')}


def await_metric(demo, name, good, seconds=30):
    until = time.monotonic() + seconds
    while not good(value := metrics(demo).get(name, -1)) and time.monotonic() < until:
        time.sleep(0.1)
    return value


def events(demo):
    return [json.loads(x) for x in (demo.dir / 'coffer-host.log').read_text().splitlines() if x.endswith('}')]


def main():
    demo = demo_module.Demo(BUILD, False)
    demo.more_config = {'visibility_s': 10}  # what the hung one was given comes back soon
    try:
        demo.set_up()
        demo_module.root_certificate(demo)
        demo.start_host(['--metrics', f'unix:{demo.dir}/metrics.sock', '--heartbeat-timeout', '7', '--boot-timeout', '60'])
        demo.await_ready()
        demo.start_producer()
        picture = demo.dir / 'one.jpg'
        subprocess.run([str(demo.picture), str(picture), '1'], check=True)
        job = demo.submit(picture)
        demo.run('coffer', ['status', job, '--wait', '60'] + demo.gateway(), timeout=90)
        done = await_metric(demo, 'coffer_enclave_jobs_done_total', lambda n: n == 1)
        m, told = metrics(demo), events(demo)
        check('a job that was done shows in the heartbeat', done == 1, m)
        check('and as an event', m['coffer_host_enclave_events_total{event="job.done"}'] == 1 and any(e['event'] == 'enclave.job.done' and int(e['sealed_bytes']) > 0 for e in told), told)
        check('at rest the enclave says so, in under 32 MiB', m['coffer_enclave_working'] == 0 and 1 << 20 < m['coffer_enclave_resident_memory_bytes'] < 32 << 20,
              m['coffer_enclave_resident_memory_bytes'])
        log = (demo.dir / 'coffer-host.log').read_text()
        check('no name of a job, tenant, bucket or file is in what it told', not any(x in log for x in (job, demo.TENANT + '/', demo.BUCKET, 'one.jpg')), log[-600:])
        check('the connections were the allowed one\'s', m['coffer_host_forwarded_total'] > 0 and m['coffer_host_connections_refused_total{reason="destination-not-allowed"}'] == 0)

        pid = demo.enclave['pid']
        os.kill(pid, signal.SIGSTOP)  # it hangs; its process is there
        job = demo.submit(picture)
        demo.run('coffer', ['status', job, '--wait', '90'] + demo.gateway(), timeout=120)
        m = metrics(demo)
        check('an enclave that hangs is replaced, and the job is done', m['coffer_host_enclave_restarts_total{reason="no-heartbeat"}'] == 1 and
              m['coffer_host_enclave_starts_total'] == 2, m)
        check('and what had hung is gone', not Path(f'/proc/{pid}').exists() or 'Z' in Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1][:3])
        check('the new one\'s numbers begin anew', await_metric(demo, 'coffer_enclave_jobs_done_total', lambda n: n == 1) == 1 and m['coffer_host_enclave_events_lost_total'] == 0, m)
    finally:
        demo.stop()


main()
sys.exit(check.done())
