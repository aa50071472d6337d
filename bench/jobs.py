#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a job costs each program: jobs.py BUILD [--jobs N] [--at-once N] [--json]

The demo's services on this machine; N submissions of one JPEG each, all through the enclave; then the CPU time (user and system) of each
process, a job. The clock of the wall says nothing here: all of it, the stand-in of AWS too, shares the machine. bench/capacity.json holds
the figures that docs/SCALING.md goes on with.

--latency: how many jobs a second one enclave does, working on one and on several at once, where each answer comes as late as the assumed
latencies of AWS say. The queue is full before it begins."""
import argparse, importlib.machinery, importlib.util, json, os, subprocess, sys, time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
loader = importlib.machinery.SourceFileLoader('demo', str(ROOT / 'deploy/local/demo'))
demo = importlib.util.module_from_spec(importlib.util.spec_from_loader('demo', loader))
loader.exec_module(demo)
TICK = os.sysconf('SC_CLK_TCK')


def processes(names):
    """-> {name: {pid: CPU seconds}} of this process's descendants"""
    parents, found = {}, {}
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            head, _, rest = stat.read_text().rpartition(') ')
        except OSError:
            continue
        pid, name, fields = int(head.split(' ')[0]), head.partition('(')[2], rest.split()
        parents[pid] = (int(fields[1]), name, (int(fields[11]) + int(fields[12])) / TICK)
    for pid, (parent, name, seconds) in parents.items():
        while parent in parents and parent != os.getpid():
            parent = parents[parent][0]
        if parent == os.getpid():
            # the hypervisor starts an enclave from the very bytes it measured, which have no name in the file system
            name = {'memfd:coffer-en': 'coffer-enclave', 'memfd:processor': 'coffer-imagefacts'}.get(name, name)
            full = next((n for n in names if n[:15] == name[:15]), None)
            if full:
                found.setdefault(full, {})[pid] = seconds
    return found


def rate(build, n, at_once):
    """Jobs a second, from the first done to the last."""
    d = demo.Demo(build, False)
    late = json.loads((ROOT / 'bench/capacity.json').read_text())['assumed']['latency_ms']
    d.more_config = {'jobs': at_once}
    try:
        d.set_up()
        d.start_producer()
        picture = d.dir / 'picture.jpg'
        subprocess.run([str(d.picture), str(picture), '3'], check=True)
        for _ in range(n):
            d.submit(picture)
        for what, ms in ((['kms'], late['kms']), (['sqs'], late['sqs']), (['s3', '--operation', 'GetObject'], late['s3_get']), (['s3', '--operation', 'PutObject'], late['s3_put'])):
            d.run('coffer-local', ['fault', 'add', '--data', d.data, '--latency', f'{ms}ms', '--service', *what])
        d.start_host()
        log, seen = d.dir / 'coffer-enclave.log', []
        deadline = time.monotonic() + 300
        while len(seen) < n and time.monotonic() < deadline:
            done = log.read_text(errors='replace').count('"job.done"') if log.exists() else 0
            seen += [time.monotonic()] * (done - len(seen))
            time.sleep(0.005)
        return round((n - 1) / (seen[-1] - seen[0]), 1) if len(seen) == n else None
    finally:
        d.stop()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('build', type=Path)
    ap.add_argument('--jobs', type=int, default=100)
    ap.add_argument('--at-once', type=int, default=1, help='how many the enclave works on at once')
    ap.add_argument('--latency', action='store_true')
    ap.add_argument('--json', action='store_true')
    a = ap.parse_args()
    if a.latency:
        rates = {n: rate(a.build.resolve(), a.jobs, n) for n in ([1, 2, 4, 8] if a.at_once == 1 else [a.at_once])}
        print(json.dumps(rates) if a.json else '\n'.join(f'{n} at once: {r} jobs a second' for n, r in rates.items()))
        return 0
    d = demo.Demo(a.build.resolve(), False)
    d.more_config = {'jobs': a.at_once}
    names = list(d.bin)
    try:
        d.set_up()
        demo.root_certificate(d)
        d.start_host()
        d.start_producer()
        picture = d.dir / 'picture.jpg'
        subprocess.run([str(d.picture), str(picture), '3'], check=True)
        first = d.submit(picture)
        d.run('coffer', ['status', first, '--wait', '120', *d.gateway()])
        before = processes(names)
        jobs = [d.submit(picture) for _ in range(a.jobs)]
        for job in jobs:
            d.run('coffer', ['status', job, '--wait', '120', *d.gateway()], timeout=130)
        after = processes(names)
        size = picture.stat().st_size
    finally:
        d.stop()
    cost = {n: round(sum(s - before.get(n, {}).get(pid, 0) for pid, s in pids.items()) * 1000 / a.jobs, 2) for n, pids in after.items()}
    if a.json:
        print(json.dumps({'jobs': a.jobs, 'bytes': size, 'cpu_ms': cost}))
    else:
        print(f'{a.jobs} jobs of {size} bytes, CPU ms a job:')
        for n in sorted(cost):
            print(f'  {n:18} {cost[n]:8.2f}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
