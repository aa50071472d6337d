#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sealing and opening beside their peers, in one run: openssl speed of the linked library, the AWS Encryption SDK for JavaScript
where the interop test has installed it, and any program given by --peer. Rounds are interleaved, medians shown; CPU-seconds (user
and system of the whole process) and peak memory before wall time. Nothing here fails: it measures.

    ./do bench [--rounds 3] [--mib 256] [--dir FOLDER] [--json FILE] [--peer NAME=COMMAND]

A peer's COMMAND is run as COMMAND encrypt|decrypt KEYFILE FRAME IN OUT (raw AES-256 keyring "bench" "key", suite 0478)."""
import argparse, json, os, re, shlex, statistics, subprocess, tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
NODE = r'''
const e = require('@aws-crypto/client-node'), fs = require('fs'), { pipeline } = require('stream/promises')
const { encryptStream, decryptUnsignedMessageStream } = e.buildClient(e.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
const [op, key, frame, from, to] = process.argv.slice(1)
const ring = new e.RawAesKeyringNode({ keyNamespace: 'bench', keyName: 'key', unencryptedMasterKey: new Uint8Array(fs.readFileSync(key)),
  wrappingSuite: e.RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING })
const through = op === 'encrypt' ? encryptStream(ring, { suiteId: 0x0478, frameLength: +frame }) : decryptUnsignedMessageStream(ring)
pipeline(fs.createReadStream(from, { highWaterMark: 1 << 20 }), through, fs.createWriteStream(to))
'''


def process(bench, argv, env=None):
    """-> CPU-seconds, seconds, peak MiB of one run"""
    p = subprocess.run([bench, 'run', *[str(a) for a in argv]], stdin=subprocess.DEVNULL, capture_output=True, env=env)
    said = json.loads(p.stdout.splitlines()[-1]) if p.stdout else {'ok': False}
    if not said['ok']:
        raise RuntimeError(f'{argv[0]}: {p.stderr.decode(errors="replace")[:300]}')
    return said['cpu'], said['seconds'], said['peak_mib']


def openssl_speed(algorithm, size):
    """MB a second"""
    out = subprocess.run(['openssl', 'speed', '-seconds', '1', '-bytes', str(size), '-evp', algorithm], capture_output=True, text=True).stdout
    return float(re.findall(r'([\d.]+)k\s*$', out.strip())[-1]) / 1000


def in_process(bench, rounds):
    rows = []
    for suite, frame, threads, against in (('0478', 4096, 0, 'aes-256-gcm'), ('0478', 65536, 0, 'aes-256-gcm'), ('0478', 1 << 20, 0, 'aes-256-gcm'),
                                           ('0478', 65536, 1, None), ('0578', 65536, 1, 'sha384')):
        runs, speeds = [], []
        for _ in range(rounds):
            runs.append(json.loads(subprocess.run([bench, 'bulk', suite, str(frame), str(threads), '256'], capture_output=True, text=True, check=True).stdout))
            if against:
                speeds.append(openssl_speed(against, frame if against != 'sha384' else 16384))
        row = {'suite': suite, 'frame': frame, 'threads': threads + 1}
        for k in runs[0]:
            row[k] = statistics.median(r[k] for r in runs)
        if against:
            row['openssl'] = against
            row['openssl_mb'] = statistics.median(speeds)
            kind = 'mb' if suite == '0578' else 'mb_cpu'
            row['seal_ratio'] = row[f'seal_{kind}'] / row['openssl_mb']
            row['open_ratio'] = row[f'open_{kind}'] / row['openssl_mb']
        rows.append(row)
    rows[3]['seal_ratio_to_one_thread'] = rows[3]['seal_mb'] / rows[1]['seal_mb']
    rows[3]['open_ratio_to_one_thread'] = rows[3]['open_mb'] / rows[3]['open_mb_one_thread']
    small = [json.loads(subprocess.run([bench, 'small', '100000'], capture_output=True, text=True, check=True).stdout) for _ in range(rounds)]
    return rows, {k: statistics.median(s[k] for s in small) for k in small[0]}


def whole(build, folder, mib, rounds, peers):
    bench = build / 'bench/message_bench'
    key, plain = folder / 'key', folder / 'plain'
    key.write_bytes(os.urandom(32))
    with open(plain, 'wb') as f:
        for _ in range(mib):
            f.write(os.urandom(1 << 20))
    coffer = build / 'src/prog/coffer/coffer'
    ring = ['-k', f'raw-aes:bench:key:{key}']
    programs = {'coffer': (lambda op, frame, a, b: [coffer, op, a, '-o', b, *ring, *(['--suite', '0478', '--frame-length', frame] if op == 'encrypt' else [])], None)}
    for place in sorted(build.glob('node-interop-*')):
        programs['client-node'] = (lambda op, frame, a, b: ['node', '-e', NODE, op, key, frame, a, b],
                                   dict(os.environ, NODE_PATH=str(place / 'node_modules'), NODE_NO_WARNINGS='1'))
    for text in peers:
        name, command = text.split('=', 1)
        programs[name] = (lambda op, frame, a, b, command=command: [*shlex.split(command), op, key, frame, a, b], None)
    rows = []
    for to in ('file', '/dev/null'):
        for frame in (4096, 65536, 1 << 20):
            runs = {name: {'encrypt': [], 'decrypt': []} for name in programs}
            sealed, out = folder / 'sealed', folder / 'out'
            for _ in range(rounds):
                for name, (argv, env) in programs.items():
                    for op, a, b in (('encrypt', plain, sealed), ('decrypt', sealed, out)):
                        target = b if to == 'file' else Path('/dev/null')
                        if to != 'file' and op == 'encrypt':
                            process(bench, argv(op, frame, a, sealed), env)  # what decrypt reads
                        runs[name][op].append(process(bench, argv(op, frame, a, target), env))
                        if to == 'file' and op == 'decrypt' and subprocess.run(['cmp', '-s', plain, out]).returncode != 0:
                            raise RuntimeError(f'{name}: what came back is not what went in')
                    for f in (sealed, out):
                        f.unlink(missing_ok=True)
            for name in programs:
                for op in ('encrypt', 'decrypt'):
                    cpu, wall, peak = (statistics.median(x[i] for x in runs[name][op]) for i in range(3))
                    rows.append({'to': to, 'frame': frame, 'program': name, 'op': op, 'mb_per_cpu_second': mib * 1.048576 / cpu, 'seconds': wall, 'peak_mib': peak})
    cpu, wall, _ = process(bench, ['cp', plain, folder / 'copy'])
    return rows, {'cp_mb_per_cpu_second': mib * 1.048576 / cpu}


def cache(build, folder):
    """-> CPU-microseconds a record sealed and opened under a KMS key of coffer-local, with a data-key cache and without"""
    bench, data, local = build / 'bench/message_bench', folder / 'data', build / 'src/prog/coffer-local/coffer-local'
    arn = 'arn:aws:kms:us-east-1:111122223333:key/0c0ffe00-bec4-4000-8000-000000000001'
    policy = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'AWS': 'arn:aws:iam::111122223333:root'}, 'Action': 'kms:*', 'Resource': '*'}]}
    (folder / 'manifest.json').write_text(json.dumps({'account': '111122223333', 'region': 'us-east-1', 'credentials': [{'name': 'root', 'root': True}], 'keys': [{'id': arn.split('/')[1], 'policy': policy}]}))
    subprocess.run([local, 'init', '--data', data, '--manifest', folder / 'manifest.json'], check=True, capture_output=True, stdin=subprocess.DEVNULL)
    server = subprocess.Popen([local, 'serve', '--data', data, '--listen', 'tcp:127.0.0.1:0'], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        port = int(server.stdout.readline().split()[1])
        env = {k: v for k, v in os.environ.items() if not k.startswith('AWS_')}
        env.update(line.split('=', 1) for line in (data / 'credentials' / 'root.env').read_text().split())
        env.update(AWS_ENDPOINT_URL=f'https://localhost:{port}', AWS_CA_BUNDLE=str(data / 'tls/ca.pem'))
        times = {}
        for how, n in (('cached', 20000), ('uncached', 500)):
            argv = [build / 'examples/kms_cached', arn]
            start = process(bench, [*argv, '1'], env)
            many = process(bench, [*argv, str(n), *([how] if how == 'uncached' else [])], env)
            times[how] = {'cpu_us': (many[0] - start[0]) / n * 1e6, 'us': (many[1] - start[1]) / n * 1e6}
        return times
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('build', type=Path)
    ap.add_argument('--rounds', type=int, default=3)
    ap.add_argument('--mib', type=int, default=256)
    ap.add_argument('--dir', help='where the files go (default: /dev/shm if there, else a temporary folder)')
    ap.add_argument('--json', type=Path)
    ap.add_argument('--peer', action='append', default=[])
    a = ap.parse_args()
    rows, small = in_process(a.build / 'bench/message_bench', a.rounds)
    print('In process (MB a CPU-second; ratio to openssl speed; of 0578 MB a second, to sha384)')
    print(f'{"suite":6}{"frame":>9}{"threads":>8}{"seal":>8}{"open":>8}{"openssl":>9}{"seal/":>8}{"open/":>8}')
    for r in rows:
        kind = 'mb' if r['suite'] == '0578' or r['threads'] > 1 else 'mb_cpu'
        ratio = [r.get(f'{x}_ratio', r.get(f'{x}_ratio_to_one_thread', 0)) for x in ('seal', 'open')]
        print(f'{r["suite"]:6}{r["frame"]:9}{r["threads"]:8}{r["seal_" + kind]:8.0f}{r["open_" + kind]:8.0f}{r.get("openssl_mb", 0):9.0f}{ratio[0]:8.2f}{ratio[1]:8.2f}')
    print(f'1 KiB messages, cached data key, 0478: seal {small["seal_us"]:.1f} us, open {small["open_us"]:.1f} us of CPU; '
          f'{small["keyring_calls"]:.0f} calls of the keyring for 200000')
    with tempfile.TemporaryDirectory(dir=a.dir or ('/dev/shm' if os.path.isdir('/dev/shm') else None)) as folder:
        kms = cache(a.build, Path(folder))
        print(f'A record sealed and opened under a KMS key of coffer-local: {kms["cached"]["us"]:.0f} us ({kms["cached"]["cpu_us"]:.0f} of CPU) with a data-key cache, '
              f'{kms["uncached"]["us"]:.0f} us ({kms["uncached"]["cpu_us"]:.0f}) without')
        files, floor = whole(a.build, Path(folder), a.mib, a.rounds, a.peer)
    print(f'\nWhole process, {a.mib} MiB, suite 0478 (MB a CPU-second, kernel included; cp makes {floor["cp_mb_per_cpu_second"]:.0f})')
    print(f'{"to":11}{"frame":>9}  {"program":14}{"encrypt":>9}{"decrypt":>9}{"peak MiB":>10}')
    for i in range(0, len(files), 2):
        e, d = files[i], files[i + 1]
        print(f'{e["to"]:11}{e["frame"]:9}  {e["program"]:14}{e["mb_per_cpu_second"]:9.0f}{d["mb_per_cpu_second"]:9.0f}{max(e["peak_mib"], d["peak_mib"]):10.1f}')
    if a.json:
        a.json.write_text(json.dumps({'in_process': rows, 'small': small, 'kms': kms, 'whole': files, 'floor': floor}, indent=1))


if __name__ == '__main__':
    main()
