#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local beside moto_server, fauxqs and s3rver (each where it can be had), in one run: the same signed requests from
bench/local_load over kept-alive connections; rounds are interleaved, medians shown; the servers' CPU time (user and system) an
operation before anything on the clock. Ours encrypts, authorises and keeps durably; theirs do not. Nothing here fails: it measures.

    ./do bench local [--rounds 5] [--connections 16] [--seconds 2] [--only TEXT] [--mib 1024] [--json FILE]"""
import argparse, json, os, shutil, signal, socket, statistics, subprocess, tempfile, time
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
TICK = os.sysconf('SC_CLK_TCK')
PEERS = {'name': 'bench-peers', 'private': True, 'dependencies': {'fauxqs': '1.9', 's3rver': '3.7'}}
ARN = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
QUEUE = 'arn:aws:sqs:us-east-1:111122223333:bench'
FAUXQS = r'''
const net = require('net'), listen = net.Server.prototype.listen
net.Server.prototype.listen = function (o, ...r) { return listen.call(this, o && typeof o === 'object' ? { ...o, host: '127.0.0.1' } : o, ...r) }
import(process.argv[1]).then(m => m.startFauxqs({ port: +process.argv[2], logger: false }))
'''
# What is to be reached, in ours: a multiple of the best of the named, or a bound.
TARGETS = {'put 100 KB': (8, ('fauxqs', 's3rver', 'moto')), 'get 100 KB': (8, ('fauxqs', 's3rver', 'moto')), 'sqs cycle': (3, ('fauxqs', 'moto')),
           'kms cycle': (30, ('moto',))}


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Server:
    """One program at work: argv with PORT in place of the port."""
    all = []  # that were started, whatever became of them

    def __init__(self, name, argv, env=None, cwd=None, ready=None):
        self.name, self.port = name, free_port()
        self.env = {'AWS_ACCESS_KEY_ID': 'AKIABENCH', 'AWS_SECRET_ACCESS_KEY': 'bench'}
        self.ca, self.targets = '-', {}
        started = time.perf_counter()
        self.p = subprocess.Popen([str(a).replace('PORT', str(self.port)) for a in argv], env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE if ready else subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        Server.all.append(self)
        if ready:
            line = self.p.stdout.readline().decode().split()
            if line[:1] != [ready]:
                raise RuntimeError(f'{name} did not start')
            self.port = int(line[1])
        else:
            while True:
                try:
                    socket.create_connection(('127.0.0.1', self.port), 0.2).close()
                    break
                except OSError:
                    if self.p.poll() is not None or time.perf_counter() - started > 60:
                        self.stop()
                        raise RuntimeError(f'{name} did not start')
                    time.sleep(0.01)
        self.start_ms = 1000 * (time.perf_counter() - started)
        self.endpoint = f'http://localhost:{self.port}'

    def cpu(self):
        fields = Path(f'/proc/{self.p.pid}/stat').read_text().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self, which):
        for line in Path(f'/proc/{self.p.pid}/status').read_text().splitlines():
            if line.startswith(which):
                return int(line.split()[1]) / 1024

    def stop(self):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGTERM)
            try:
                self.p.wait(10)
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait(10)
        if self.p.stdout:
            self.p.stdout.close()


class Bench:
    def __init__(self, build, folder, args):
        self.load, self.local, self.folder, self.args = build / 'bench/local_load', build / 'src/prog/coffer-local/coffer-local', folder, args
        self.build, self.servers, self.said = build, [], set()

    def run(self, server, op, target, connections, count, size, endpoint=None):
        p = subprocess.run([self.load, endpoint or server.endpoint, server.ca, op, target, str(connections), str(count), str(size)],
                           env={**os.environ, **server.env}, capture_output=True, text=True)
        if p.returncode != 0 or not p.stdout:
            raise RuntimeError(f'{server.name} {op}: {p.stderr.strip()[:300]}')
        return json.loads(p.stdout)

    def say(self, text):
        if text not in self.said:
            print(text, flush=True)
            self.said.add(text)

    # The servers.
    def init(self, name):
        data = self.folder / name
        allow = {'Version': '2012-10-17', 'Statement': [
            {'Effect': 'Allow', 'Action': ['s3:PutObject', 's3:GetObject'], 'Resource': 'arn:aws:s3:::bench/*'},
            {'Effect': 'Allow', 'Action': ['sqs:SendMessage', 'sqs:ReceiveMessage', 'sqs:DeleteMessage'], 'Resource': QUEUE},
            {'Effect': 'Allow', 'Action': ['kms:GenerateDataKey', 'kms:Decrypt'], 'Resource': ARN,
             'Condition': {'StringEquals': {'kms:EncryptionContext:camera': '7'}}}]}
        key = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'AWS': 'arn:aws:iam::111122223333:root'}, 'Action': 'kms:*', 'Resource': '*'}]}
        manifest = {'account': '111122223333', 'region': 'us-east-1', 'users': [{'name': 'camera', 'policies': [{'name': 'bench', 'document': allow}]}],
                    'credentials': [{'name': 'camera', 'user': 'camera'}, {'name': 'root', 'root': True}], 'keys': [{'id': ARN.split('/')[1], 'policy': key}],
                    'buckets': [{'name': 'bench', 'encryption': {'algorithm': 'AES256'}}], 'queues': [{'name': 'bench'}]}
        (self.folder / f'{name}.json').write_text(json.dumps(manifest))
        subprocess.run([self.local, 'init', '-d', data, '-m', self.folder / f'{name}.json'], check=True, capture_output=True, stdin=subprocess.DEVNULL)
        return data

    def ours(self, name, *more):
        data = self.folder / 'coffer-local'
        if not data.exists():
            self.init('coffer-local')
        s = Server(name, [self.local, 'serve', '-d', data, '--listen', 'tcp:127.0.0.1:0', *more], ready='ready')
        s.env = dict(line.split('=', 1) for line in (data / 'credentials/camera.env').read_text().split())
        s.ca = str(data / 'tls/ca.pem')
        s.targets = {'bucket': 'bench', 'queue': f'http://localhost:{s.port}/111122223333/bench', 'key': ARN}
        return s

    def moto(self):
        program = shutil.which('moto_server')
        if not program:
            self.say('moto: moto_server is not on PATH')
            return None
        s = Server('moto', [program, '-p', 'PORT'])
        self.run(s, 'create-bucket', 'bench', 1, 1, 0)
        s.targets = {'bucket': 'bench', 'queue': self.run(s, 'create-queue', 'bench', 1, 1, 0)['made'], 'key': self.run(s, 'create-key', '-', 1, 1, 0)['made']}
        return s

    def node_modules(self):
        place = self.build / 'bench-peers'
        if not shutil.which('npm') or not shutil.which('node'):
            self.say('fauxqs, s3rver: no npm here')
            return None
        place.mkdir(exist_ok=True)
        wanted = json.dumps(PEERS)
        if not (place / 'complete').exists() or (place / 'complete').read_text() != wanted:
            (place / 'package.json').write_text(wanted)
            p = subprocess.run(['npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--omit=dev'], cwd=place, capture_output=True, text=True)
            if p.returncode != 0:
                self.say('fauxqs, s3rver: npm gives no packages: ' + (p.stderr.strip().splitlines() or ['?'])[-1][:100])
                return None
            (place / 'complete').write_text(wanted)
        return place / 'node_modules'

    def fauxqs(self):
        modules = self.node_modules()
        if not modules:
            return None
        s = Server('fauxqs', ['node', '-e', FAUXQS, modules / 'fauxqs/dist/app.js', 'PORT'])
        self.run(s, 'create-bucket', 'bench', 1, 1, 0)
        s.targets = {'bucket': 'bench', 'queue': self.run(s, 'create-queue', 'bench', 1, 1, 0)['made'], 'key': None}
        return s

    def s3rver(self):
        modules = self.node_modules()
        if not modules:
            return None
        s = Server('s3rver', ['node', modules / 's3rver/bin/s3rver.js', '-d', tempfile.mkdtemp(prefix='s3rver-', dir=self.folder), '-p', 'PORT', '-a', '127.0.0.1', '--silent', '--allow-mismatched-signatures'])
        s.env = {'AWS_ACCESS_KEY_ID': 'S3RVER', 'AWS_SECRET_ACCESS_KEY': 'S3RVER'}
        self.run(s, 'create-bucket', 'bench', 1, 1, 0)
        s.targets = {'bucket': 'bench', 'queue': None, 'key': None}
        return s

    def all(self):
        for make in (lambda: self.ours('coffer-local'), self.fauxqs, self.s3rver, self.moto):
            try:
                s = make()
                if s:
                    yield s
            except (RuntimeError, OSError) as e:
                self.say(f'left out: {e}')

    def start(self):
        for s in self.all():
            self.servers.append(s) # one at a time: what is up is stopped whatever happens

    def stop(self):
        for s in Server.all:
            s.stop()
        Server.all, self.servers = [], []

    # CPU an operation.
    def one(self, s, op, target, connections, count, size, **more):
        before = s.cpu()
        r = self.run(s, op, target, connections, count, size, **more)
        return 1000 * (s.cpu() - before) / r['cycles'], r['cycles'] / r['seconds'], r

    def compare(self, name, op, kind, size, over_tls=False):
        runs, counts, wanted = {}, {}, self.args.seconds
        able = [s for s in self.servers if s.targets.get(kind)]
        if op == 'get':
            for s in able:
                self.run(s, 'put', s.targets[kind], 4, 256, size)
        for s in able: # how many make a round of the wanted length, in CPU time
            cpu, _, _ = self.one(s, op, s.targets[kind], self.args.connections, 64, size)
            counts[s.name] = max(64, int(wanted * 1000 / max(cpu, wanted * 1000 / 50000)))
        for s in able: # what compiles itself while it runs (JavaScript) is measured after that, not during
            self.run(s, op, s.targets[kind], self.args.connections, counts[s.name], size)
        for _ in range(self.args.rounds):
            for s in able:
                try:
                    runs.setdefault(s.name, []).append(self.one(s, op, s.targets[kind], self.args.connections, counts[s.name], size)[:2])
                except RuntimeError as e:
                    self.say(f'left out: {e}')
            if over_tls and able[0].name == 'coffer-local':
                runs.setdefault('coffer-local, TLS', []).append(self.one(able[0], op, able[0].targets[kind], self.args.connections, counts['coffer-local'], size,
                    endpoint=able[0].endpoint.replace('http:', 'https:'))[:2])
        row = {n: {'cpu_ms': statistics.median(r[0] for r in rs), 'per_second': statistics.median(r[1] for r in rs)} for n, rs in runs.items()}
        ours = row['coffer-local']['cpu_ms']
        times, against = TARGETS.get(name, (None, ()))
        best = min((row[p]['cpu_ms'] for p in against if p in row), default=None)
        cells = [f'{row[n]["cpu_ms"]:.3f}' if n in row else '' for n in ('coffer-local', 'coffer-local, TLS', 'fauxqs', 's3rver', 'moto')]
        verdict = f'{best / ours:.1f} times (wanted {times})' if best and times else ''
        print(f'| {name} | {" | ".join(cells)} | {row["coffer-local"]["per_second"]:.0f} | {verdict} |', flush=True)
        return {'name': name, 'row': row, 'ratio': best / ours if best else None, 'wanted': times}

    def operations(self):
        print(f'\n| CPU-ms of the server an operation | coffer-local | over TLS | fauxqs | s3rver | moto | ours a second | ours against the best |\n|{"---|" * 8}')
        out = []
        for name, op, kind, size, tls in (('put 100 KB', 'put', 'bucket', 100_000, True), ('put 100 KB, signed', 'put-signed', 'bucket', 100_000, False),
                ('get 100 KB', 'get', 'bucket', 100_000, True), ('put 1 KB', 'put', 'bucket', 1000, False), ('get 1 KB', 'get', 'bucket', 1000, False),
                ('sqs cycle', 'sqs', 'queue', 200, True), ('kms cycle', 'kms', 'key', 0, True)):
            if self.args.only in name:
                out.append(self.compare(name, op, kind, size, tls))
        return out

    def starts(self):
        """-> milliseconds from exec to the first connection taken, and MiB resident then"""
        runs, memory = {}, {}
        self.ours('warm').stop() # the authority and the certificate are made once
        for _ in range(self.args.rounds):
            for s in self.all():
                runs.setdefault(s.name, []).append(s.start_ms)
                memory.setdefault(s.name, []).append(s.memory('VmRSS'))
                s.stop()
        print('\n| start and rest | ' + ' | '.join(runs) + ' | wanted |\n|' + '---|' * (len(runs) + 2))
        print('| start, ms | ' + ' | '.join(f'{statistics.median(r):.1f}' for r in runs.values()) + ' | under 30 |')
        print('| memory at rest, MiB | ' + ' | '.join(f'{statistics.median(r):.1f}' for r in memory.values()) + ' | under 16 |')
        return {n: {'start_ms': statistics.median(runs[n]), 'rest_mib': statistics.median(memory[n])} for n in runs}

    def big(self):
        size, out = self.args.mib << 20, {}
        probe = self.folder / 'probe'
        began = time.perf_counter()
        subprocess.run(['dd', 'if=/dev/zero', f'of={probe}', 'bs=1M', f'count={self.args.mib}', 'conv=fdatasync'], check=True, capture_output=True)
        disk = size / 1e6 / (time.perf_counter() - began)
        probe.unlink()
        speeds = {}
        for algorithm in ('aes-256-gcm', 'md5'):
            text = subprocess.run(['openssl', 'speed', '-seconds', '1', '-bytes', '65536', '-evp', algorithm], capture_output=True, text=True).stdout
            speeds[algorithm] = float(text.split()[-1].rstrip('k')) / 1000 if text.strip().endswith('k') else 0
        print(f'\n| one object of {self.args.mib} MiB | MB a second | CPU-s | MB a CPU-second | peak MiB of the server |\n|{"---|" * 5}')
        for scheme in ('http', 'https'):
            s = self.ours('coffer-local')
            s.env = dict(line.split('=', 1) for line in (self.folder / 'coffer-local/credentials/root.env').read_text().split())
            try:
                for op in ('put-one', 'get-one'):
                    rs = [self.one(s, op, 'bench', 1, 1, size, endpoint=s.endpoint.replace('http:', scheme + ':')) for _ in range(min(3, self.args.rounds))]
                    cpu, seconds = statistics.median(r[0] for r in rs) / 1000, statistics.median(r[2]['seconds'] for r in rs)
                    out[f'{op} {scheme}'] = {'mb_per_second': size / 1e6 / seconds, 'cpu_s': cpu, 'peak_mib': s.memory('VmHWM')}
                    print(f'| {op[:3]} over {scheme} | {size / 1e6 / seconds:.0f} | {cpu:.2f} | {size / 1e6 / cpu:.0f} | {s.memory("VmHWM"):.1f} |', flush=True)
            finally:
                s.stop()
        print(f'| the disk (dd, fdatasync) | {disk:.0f} | | | |\n| AES-256-GCM, MD5 (openssl speed) | {speeds["aes-256-gcm"]:.0f}, {speeds["md5"]:.0f} | | | |')
        return {**out, 'disk_mb': disk, **speeds}

    def crowd(self):
        """A thousand connections with one request in flight each: by queueing alone a request takes connections / throughput."""
        out = {}
        print(f'\n| requests at once | a second | p50, ms | p99, ms | by queueing alone, ms | p50, p99 of it |\n|{"---|" * 6}')
        s = self.ours('coffer-local')
        try:
            self.run(s, 'put', 'bench', 4, 256, 1000)
            for name, op, kind in (('get 1 KB', 'get', 'bucket'), ('put 1 KB', 'put', 'bucket'), ('kms cycle', 'kms', 'key')):
                for n in (16, 250, 1000):
                    rs = []
                    for _ in range(min(3, self.args.rounds)):
                        r = self.run(s, op, s.targets[kind], n, max(20000, 20 * n), 1000)
                        r['rate'] = (r['requests'] + n) / r['seconds']
                        rs.append(r)
                    rate, p50, p99 = (statistics.median(r[k] for r in rs) for k in ('rate', 'p50_ms', 'p99_ms'))
                    queue = 1000 * n / rate
                    out[f'{name} {n}'] = {'rate': rate, 'p50_ms': p50, 'p99_ms': p99, 'queue_ms': queue}
                    print(f'| {name}, {n} | {rate:.0f} | {p50:.1f} | {p99:.1f} | {queue:.1f} | {p50 / queue:.2f}, {p99 / queue:.2f} |', flush=True)
        finally:
            s.stop()
        return out


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('build', type=Path)
    a.add_argument('--rounds', type=int, default=5)
    a.add_argument('--connections', type=int, default=16)
    a.add_argument('--seconds', type=float, default=2, help='CPU time of a server in a round')
    a.add_argument('--mib', type=int, default=1024)
    a.add_argument('--only', default='', help='operations whose name holds this; or: start, big, crowd')
    a.add_argument('--dir', help='where the data goes (default: a temporary folder, on the disk)')
    a.add_argument('--json', type=Path)
    args = a.parse_args()
    args.build = args.build.resolve()
    with tempfile.TemporaryDirectory(dir=args.dir or args.build, prefix='bench-local-') as folder:
        b, result = Bench(args.build, Path(folder), args), {}
        try:
            if args.only not in ('start', 'big', 'crowd'):
                b.start()
                result['operations'] = b.operations()
                b.stop()
            for name, what in (('start', b.starts), ('big', b.big), ('crowd', b.crowd)):
                if args.only in ('', name):
                    result[name] = what()
        finally:
            b.stop()
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))


main()
