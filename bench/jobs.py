#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a job costs each program: jobs.py BUILD [--jobs N] [--json]

The demo's services on this machine; N submissions of one JPEG each, all through the enclave; then the CPU time (user and system) of each
process, a job. The clock of the wall says nothing here: all of it, the stand-in of AWS too, shares the machine. bench/capacity.json holds
the figures that docs/SCALING.md goes on with."""
import argparse, importlib.machinery, importlib.util, json, os, subprocess, sys
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


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('build', type=Path)
    ap.add_argument('--jobs', type=int, default=100)
    ap.add_argument('--json', action='store_true')
    a = ap.parse_args()
    d = demo.Demo(a.build.resolve(), False)
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
