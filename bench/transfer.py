#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer put and get beside curl, boto3 and the AWS CLI (each where it is there), against coffer-local over TLS, in one run: rounds are
interleaved, medians shown; CPU-seconds (user and system of the client's whole process) and peak memory before wall time. Prints two tables in
markdown: what was measured, and what of it must be reached. Nothing here fails: it measures.

    ./do bench transfer [--rounds 5] [--mib 1024] [--json FILE]"""
import argparse, json, os, shutil, statistics, subprocess, sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
BOTO = r'''
import sys, boto3
s3 = boto3.client('s3')
op, bucket, *rest = sys.argv[1:]
if op == 'up':
    for path in rest:
        s3.upload_file(path, bucket, 'boto/' + path.rsplit('/', 1)[1])
else:
    s3.download_file(bucket, rest[0], rest[1])
'''


def program():
    """What a device gets: the static program of ./do package where it was made, else the one of the build. $COFFER_PROGRAM: another."""
    arch = {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(os.uname().machine, '')
    static = SOURCE / f'build-package/coffer-{arch}'
    return os.environ.get('COFFER_PROGRAM') or str(static if static.exists() else SOURCE / 'build/src/prog/coffer/coffer')


def cases(local, work, mib):
    """-> name, {program: argv}"""
    curl, python, aws = shutil.which('curl'), None, shutil.which('aws')
    if subprocess.run(['python3', '-c', 'import boto3'], capture_output=True).returncode == 0:
        python = shutil.which('python3')
    small = work / 'image'
    small.write_bytes(os.urandom(100_000))
    (work / 'many').mkdir()
    many = []
    for i in range(100):
        p = work / 'many' / f'{i:03}'
        p.write_bytes(os.urandom(200_000))
        many.append(str(p))
    big = work / 'big'
    with open(big, 'wb') as f:
        piece = os.urandom(1 << 20)
        for i in range(mib):
            f.write(i.to_bytes(8, 'big') + piece[8:])
    coffer = program()

    def url(key, method):
        p = subprocess.run([coffer, 'presign', '-X', method, f's3://bkt/{key}'], env=local.env(), capture_output=True, check=True, text=True)
        return p.stdout.strip()

    plain = ['curl', '-sS', '-f', '--cacert', local.env()['AWS_CA_BUNDLE']]
    boto = [python, '-c', BOTO]
    cold = {'coffer': [coffer, 'put', small, 's3://bkt/cold']}
    hundred = {'coffer': [coffer, 'put', '-r', '-q', work / 'many', 's3://bkt/many/']}
    up = {'coffer': [coffer, 'put', '-q', '--no-resume', big, 's3://bkt/big']}
    down = {'coffer': [coffer, 'get', '-q', 's3://bkt/big', work / 'out']}
    alone = {'coffer': [coffer, 'get', '-q', 's3://bkt/big', '/dev/null']}
    subprocess.run([str(x) for x in up['coffer']], env=local.env(), check=True)
    if curl:
        cold['curl'] = [*plain, '-T', small, url('cold-curl', 'PUT')]
        hundred['curl'] = list(plain)
        for p in many:
            hundred['curl'] += ['-T', p, url('curl/' + p[-3:], 'PUT')]
        up['curl'] = [*plain, '-T', big, url('big-curl', 'PUT')]
        down['curl'] = [*plain, '-o', work / 'out', url('big', 'GET')]
        alone['curl'] = [*plain, '-o', '/dev/null', url('big', 'GET')]
    if python:
        cold['boto3'] = [*boto, 'up', 'bkt', small]
        hundred['boto3'] = [*boto, 'up', 'bkt', *many]
        up['boto3'] = [*boto, 'up', 'bkt', big]
        down['boto3'] = [*boto, 'down', 'bkt', 'big', work / 'out']
    if aws:
        cold['aws s3 cp'] = [aws, 's3', 'cp', '--quiet', small, 's3://bkt/cold-aws']
    return [('100 KB, cold', cold, 0), ('100 files of 200 KB', hundred, 20), (f'{mib} MiB up', up, mib), (f'{mib} MiB down to a file', down, mib),
            (f'{mib} MiB down to /dev/null', alone, mib)]


def targets(rows, mib):
    """What must be reached (issue of the edge: ratios of CPU-seconds in one run, and memory): -> (case, what, wanted, got, reached or None)"""
    cpu = {(r['case'], r['program']): r['cpu_s'] for r in rows}
    peak = {r['case']: r['peak_mib'] for r in rows if r['program'] == 'coffer'}
    cold, many, up, down, null = '100 KB, cold', '100 files of 200 KB', f'{mib} MiB up', f'{mib} MiB down to a file', f'{mib} MiB down to /dev/null'
    wanted = [(cold, 'boto3', '>=', 60), (cold, 'aws s3 cp', '>=', 60), (cold, 'curl', '<=', 0.75), (cold, 'memory', '<', 8),
              (many, 'boto3', '>=', 25), (many, 'curl', '<=', 0.75), (up, 'curl', '<=', 1.05), (up, 'boto3', '>=', 3.2), (up, 'memory', '<', 64),
              (down, 'curl', '<=', 1.05), (down, 'boto3', '>=', 3.2), (down, 'memory', '<', 64), (null, 'curl', '<=', 1.05)]
    for case, peer, sign, limit in wanted:
        ours, theirs = cpu.get((case, 'coffer')), cpu.get((case, peer))
        if ours is None or (theirs is None and peer != 'memory'):
            continue
        if peer == 'memory':
            got, text, want = peak[case], f'{peak[case]:.1f} MiB', f'under {limit} MiB'
        elif sign == '>=':
            got, text, want = theirs / ours, f'{theirs / ours:.1f} times less CPU', f'at least {limit} times less CPU'
        else:
            got, text = ours / theirs, f'{ours / theirs:.2f} of its CPU'
            want = 'level (1.05 at most)' if limit == 1.05 else f'at most {limit} of its CPU'
        yield case, peer, want, text, got >= limit if sign == '>=' else got <= limit if sign == '<=' else got < limit
    for arch in ('amd64', 'arm64'):
        binary = SOURCE / f'build-package/coffer-{arch}'
        if binary.exists():
            size = binary.stat().st_size / (1 << 20)
            yield f'static program, {arch}', 'size', 'at most 6 MiB', f'{size:.2f} MiB', size <= 6


def table(rows, mib):
    print('\n| case | program | CPU | wall | peak memory | CPU of coffer\'s |')
    print('|---|---|---|---|---|---|')
    for r in rows:
        ours = next(x['cpu_s'] for x in rows if x['case'] == r['case'] and x['program'] == 'coffer')
        speed = f' ({r["mib"] * 1.048576 / r["cpu_s"]:.0f} MB a CPU-second)' if r['mib'] >= 100 else ''
        print(f'| {r["case"]} | {r["program"]} | {r["cpu_s"] * 1000:.1f} ms{speed} | {r["seconds"] * 1000:.0f} ms | {r["peak_mib"]:.1f} MiB | '
              f'{r["cpu_s"] / ours:.2f} |')
    print('\n| case | beside | must reach | measured | reached |')
    print('|---|---|---|---|---|')
    for case, peer, want, text, ok in targets(rows, mib):
        print(f'| {case} | {peer} | {want} | {text} | {"yes" if ok else "NO"} |')


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('build', type=Path)
    a.add_argument('--rounds', type=int, default=5)
    a.add_argument('--mib', type=int, default=1024)
    a.add_argument('--only', default='')
    a.add_argument('--json', type=Path)
    args = a.parse_args()
    os.environ['COFFER_BUILD'] = str(args.build)
    sys.path[:0] = [str(SOURCE / 'tests/tools'), str(SOURCE / 'bench')]
    from local import Local
    from message import process
    local, rows = Local('bkt'), []
    try:
        work = local.tmp / 'work'
        work.mkdir()
        for name, programs, mib in cases(local, work, args.mib):
            if args.only not in name:
                continue
            runs = {p: [] for p in programs}
            for _ in range(args.rounds if mib < 500 else min(args.rounds, 3)):
                for p, argv in programs.items():
                    runs[p].append(process(args.build / 'bench/message_bench', argv, local.env()))
                    (work / 'out').unlink(missing_ok=True)
            for p, rs in runs.items():
                cpu, seconds, peak = (statistics.median(r[i] for r in rs) for i in range(3))
                rows.append({'case': name, 'program': p, 'cpu_s': cpu, 'seconds': seconds, 'peak_mib': peak, 'mib': mib})
                print(f'{name}: {p}, {cpu * 1000:.1f} ms of CPU', file=sys.stderr, flush=True)
        print(f'{program()}, medians of {args.rounds} rounds (large ones: {min(args.rounds, 3)}), CPU of the whole process')
        table(rows, args.mib)
    finally:
        local.close()
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


main()
