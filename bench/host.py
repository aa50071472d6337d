#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What coffer-host costs: forwarding over one connection beside socat (where it is installed), 256 connections of which a third rest
beside a forwarder of aws vsock-proxy's design (bench/host_four_workers.c), new connections, and the memory of an idle enclave. All over
loopback, Unix socket to TCP; rounds interleaved, medians shown; CPU is the forwarder's, user and system. Nothing here fails: it measures.

    ./do bench host [--rounds 5] [--mib 512] [--idle-seconds 0.25] [--only TEXT] [--json FILE]"""
import argparse, importlib.machinery, importlib.util, json, multiprocessing, os, random, selectors, shutil, signal, socket, statistics, subprocess, sys, tempfile, time
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
PIECE = 1 << 18
CONNECTIONS, IDLE, EACH = 256, 256 // 3, 1 << 20


def hello():
    """A ClientHello for localhost, as far as coffer-host looks."""
    host = b'localhost'
    sni = b'\0\0' + (len(host) + 5).to_bytes(2, 'big') + (len(host) + 3).to_bytes(2, 'big') + b'\0' + len(host).to_bytes(2, 'big') + host
    body = b'\x03\x03' + bytes(32) + b'\0\0\x02\x13\x01\x01\0' + len(sni).to_bytes(2, 'big') + sni
    message = b'\x01' + len(body).to_bytes(3, 'big') + body
    return b'\x16\x03\x01' + len(message).to_bytes(2, 'big') + message


HELLO = hello()


def serve(listener):
    """The service. The byte after the hello says what is wanted: 'o': it takes all until the end, and answers '.'; 'i' and 8 bytes: it
    sends so many; '.': it sends one."""
    states, poll = {}, selectors.DefaultSelector()
    poll.register(listener, selectors.EVENT_READ)
    block, sink = bytes(PIECE), bytearray(PIECE)

    def close(c):
        poll.unregister(c)
        c.close()
        del states[c]

    def read(c, s):
        if s['mode'] == 'o':
            if c.recv_into(sink) == 0:
                c.send(b'.')
                close(c)
            return
        data = c.recv(4096)
        if not data:
            close(c)
            return
        s['head'] += data
        rest = s['head'][len(HELLO):]
        if rest[:1] == b'o':
            s['mode'] = 'o'
        elif rest[:1] == b'.':
            c.send(b'.')
        elif rest[:1] == b'i' and len(rest) >= 9:
            s['left'] = int.from_bytes(rest[1:9], 'big')
            poll.modify(c, selectors.EVENT_WRITE)

    def write(c, s):
        s['left'] -= c.send(block[:min(PIECE, s['left'])])
        if s['left'] == 0:
            close(c)

    while True:
        for key, events in poll.select():
            if key.fileobj is listener:
                c, _ = listener.accept()
                c.setblocking(False)
                states[c] = {'head': b'', 'mode': '', 'left': 0}
                poll.register(c, selectors.EVENT_READ)
                continue
            try:
                (write if events & selectors.EVENT_WRITE else read)(key.fileobj, states[key.fileobj])
            except BlockingIOError:
                pass
            except OSError:
                close(key.fileobj)


class Forwarder:
    def __init__(self, name, argv, path, connects=False, ready=False, env=None):
        self.name, self.path, self.connects = name, path, connects
        self.p = subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE if ready else subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=env)
        if ready and not self.p.stdout.readline().startswith(b'ready'):
            raise RuntimeError(f'{name} did not start')
        while not ready and not os.path.exists(path):
            if self.p.poll() is not None:
                raise RuntimeError(f'{name} did not start')
            time.sleep(0.005)

    def cpu(self):
        """Seconds; to the nanosecond, of all its threads."""
        total = 0
        for task in Path(f'/proc/{self.p.pid}/task').iterdir():
            total += int((task / 'schedstat').read_text().split()[0])
        return total / 1e9

    def dial(self, port):
        while True:
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(self.path)
                break
            except ConnectionRefusedError: # bound, and not yet listening
                s.close()
                if self.p.poll() is not None:
                    raise
                time.sleep(0.002)
        if self.connects:
            s.sendall(b'CONNECT localhost:%d HTTP/1.1\r\nHost: localhost\r\n\r\n' % port)
            while not s.recv(4096, socket.MSG_PEEK).endswith(b'\r\n\r\n'):
                pass
            s.recv(4096)
        return s

    def stop(self):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGTERM)
            self.p.wait(10)
        if self.p.stdout:
            self.p.stdout.close()
        if os.path.exists(self.path):
            os.unlink(self.path)


class Bench:
    def __init__(self, build, folder, args):
        self.build, self.folder, self.args, self.n = build, folder, args, 0
        listener = socket.socket()
        listener.bind(('127.0.0.1', 0))
        listener.listen(1024)
        self.port = listener.getsockname()[1]
        self.service = multiprocessing.get_context('fork').Process(target=serve, args=(listener,), daemon=True)
        self.service.start()
        listener.close()

    def path(self):
        self.n += 1
        return f'{self.folder}/{self.n}.sock'

    def ours(self):
        path = self.path()
        env = {'AWS_ACCESS_KEY_ID': 'bench', 'AWS_SECRET_ACCESS_KEY': 'bench', 'AWS_REGION': 'us-east-1', 'AWS_EC2_METADATA_DISABLED': 'true'}
        return Forwarder('coffer-host', [self.build / 'src/prog/coffer-host/coffer-host', '-l', f'unix:{path}', '-a', f'localhost:{self.port}', '--new-per-second', 1000000],
                         path, connects=True, ready=True, env=env)

    def socat(self, *more):
        program, path = shutil.which('socat'), self.path()
        return program and Forwarder(' '.join(['socat', *more]), [program, *more, f'UNIX-LISTEN:{path}', f'TCP:127.0.0.1:{self.port}'], path)

    def four_workers(self):
        path = self.path()
        return Forwarder('four workers', [self.build / 'bench/host_four_workers', path, self.port], path, ready=True)

    # One connection.
    def transfer(self, f, out):
        """-> wall and CPU seconds of so many MiB from, or to, the enclave's side"""
        size, block = self.args.mib << 20, bytearray(PIECE)
        with f.dial(self.port) as s:
            cpu, began = f.cpu(), time.perf_counter()
            if out:
                s.sendall(HELLO + b'o')
                for _ in range(size // PIECE):
                    s.sendall(block)
                s.shutdown(socket.SHUT_WR)
                got = s.recv(1) == b'.' and size
            else:
                s.sendall(HELLO + b'i' + size.to_bytes(8, 'big'))
                got = 0
                while n := s.recv_into(block):
                    got += n
            wall = time.perf_counter() - began
            cpu = f.cpu() - cpu
        if got != size:
            raise RuntimeError(f'{f.name}: {got} of {size} bytes')
        return wall, cpu

    def one(self):
        rows = {}
        makers = [self.ours, self.socat, lambda: self.socat('-b', '131072')]
        for _ in range(self.args.rounds):
            for make in makers:
                for out in (True, False):
                    f = make()
                    if not f:
                        continue
                    try:
                        rows.setdefault(f.name, {}).setdefault(out, []).append(self.transfer(f, out))
                    finally:
                        f.stop()
        print(f'\n| one connection, {self.args.mib} MiB | from the enclave, MB/s | MB a CPU-s | to the enclave, MB/s | MB a CPU-s |\n|---|---|---|---|---|')
        size, result = (self.args.mib << 20) / 1e6, {}
        for name, row in rows.items():
            m = [statistics.median(r[i] for r in row[out]) for out in (True, False) for i in (0, 1)]
            result[name] = [size / x for x in m]
            print(f'| {name} | ' + ' | '.join(f'{size / x:.0f}' for x in m) + ' |')
        if 'socat' in result:
            ratios = [a / b for a, b in zip(result['coffer-host'], result['socat'])]
            print('| ours of socat (wanted 0.8) | ' + ' | '.join(f'{r:.2f}' for r in ratios) + ' |')
        else:
            print('socat is not installed: nothing to compare with')
        return result

    # Many, of which some rest.
    def many(self, f, idle):
        """-> seconds until every active connection has its MiB. Those that rest leave after so long; all begin in one mixed order."""
        poll, rng, sink = selectors.DefaultSelector(), random.Random(1), bytearray(PIECE)
        kinds = ['idle'] * idle + ['active'] * (CONNECTIONS - IDLE)
        rng.shuffle(kinds)
        left, resting, began = len(kinds) - idle, [], time.perf_counter()
        waiting = {}
        for kind in kinds:
            s = socket.socket(socket.AF_UNIX)
            s.connect(f.path)
            s.setblocking(False)
            if f.connects:
                s.send(b'CONNECT localhost:%d HTTP/1.1\r\nHost: localhost\r\n\r\n' % self.port)
            waiting[s] = {'kind': kind, 'got': 0, 'ready': not f.connects}
            if not f.connects:
                s.send(HELLO + b'i' + EACH.to_bytes(8, 'big') if kind == 'active' else HELLO + b'.')
            poll.register(s, selectors.EVENT_READ)
        while left > 0:
            now = time.perf_counter()
            while resting and resting[0][0] <= now:
                _, s = resting.pop(0)
                poll.unregister(s)
                s.close()
            for key, _ in poll.select(max(0.0, resting[0][0] - now) if resting else 5):
                s, w = key.fileobj, waiting[key.fileobj]
                if not w['ready']:
                    if not s.recv(4096).endswith(b'\r\n\r\n'):
                        raise RuntimeError(f'{f.name} refused a connection')
                    w['ready'] = True
                    s.send(HELLO + b'i' + EACH.to_bytes(8, 'big') if w['kind'] == 'active' else HELLO + b'.')
                    continue
                n = s.recv_into(sink)
                if w['kind'] == 'idle' and n > 0: # forwarded: from here on it rests
                    resting.append((time.perf_counter() + self.args.idle_seconds, s))
                    continue
                w['got'] += n
                if n == 0:
                    if w['kind'] == 'active' and w['got'] != EACH:
                        raise RuntimeError(f'{f.name}: {w["got"]} bytes')
                    left -= w['kind'] == 'active'
                    poll.unregister(s)
                    s.close()
        wall = time.perf_counter() - began
        for s in waiting:
            s.close()
        return wall

    def crowd(self):
        result = {}
        print(f'\n| {CONNECTIONS} connections at once, 1 MiB to each that does not rest | seconds | CPU-s | times the four workers |\n|---|---|---|---|')
        for idle in (IDLE, 0):
            runs = {}
            for _ in range(min(3, self.args.rounds)):
                for make in (self.ours, self.four_workers):
                    f = make()
                    try:
                        cpu = f.cpu()
                        runs.setdefault(f.name, []).append((self.many(f, idle), f.cpu() - cpu))
                    finally:
                        f.stop()
            m = {n: [statistics.median(r[i] for r in rs) for i in (0, 1)] for n, rs in runs.items()}
            for name, (wall, cpu) in m.items():
                times = f'{m["four workers"][0] / wall:.1f}' if name == 'coffer-host' else ''
                what = f'{idle} rest for {self.args.idle_seconds:g} s each (wanted 5 times)' if idle else 'none rests'
                print(f'| {name}, {what} | {wall:.2f} | {cpu:.2f} | {times} |', flush=True)
            result[idle] = m
        return result

    def connections(self):
        f, n = self.ours(), 2000
        try:
            cpu, began = f.cpu(), time.perf_counter()
            for _ in range(n):
                with f.dial(self.port) as s:
                    s.sendall(HELLO + b'.')
                    assert s.recv(1) == b'.'
            wall, cpu = time.perf_counter() - began, f.cpu() - cpu
            rss = [int(line.split()[1]) for line in Path(f'/proc/{f.p.pid}/status').read_text().splitlines() if line.startswith('VmRSS')][0]
        finally:
            f.stop()
        print(f'\nnew connections: {1e6 * cpu / n:.0f} us of CPU each ({n / wall:.0f} a second, one after another); {rss / 1024:.1f} MiB resident after {n}')
        return {'cpu_us': 1e6 * cpu / n, 'per_second': n / wall, 'rss_mib': rss / 1024}

    def enclave(self):
        """The local simulation's enclave and its processor, some seconds after they are ready."""
        spec = importlib.util.spec_from_loader('demo', importlib.machinery.SourceFileLoader('demo', str(SOURCE / 'deploy/local/demo')))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        demo = module.Demo(self.build, False)
        try:
            demo.set_up()
            demo.start_host()
            demo.await_ready()
            pid = demo.enclave['pid']
            status = dict(line.split(':', 1) for line in Path(f'/proc/{pid}/status').read_text().splitlines())
            children = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
            child = sum(int(line.split()[1]) for c in children for line in Path(f'/proc/{c}/status').read_text().splitlines() if line.startswith('VmRSS'))
        finally:
            demo.stop()
        rss, peak = (int(status[k].split()[0]) / 1024 for k in ('VmRSS', 'VmHWM'))
        print(f'\nidle enclave (wanted under 32 MiB): {rss:.1f} MiB resident, {peak:.1f} at its peak; its processor {child / 1024:.1f}')
        return {'rss_mib': rss, 'peak_mib': peak, 'processor_mib': child / 1024}


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('build', type=Path)
    a.add_argument('--rounds', type=int, default=5)
    a.add_argument('--mib', type=int, default=512)
    a.add_argument('--idle-seconds', type=float, default=0.25, help='how long a connection that rests does so')
    a.add_argument('--only', default='', help='only one, crowd, connections or enclave')
    a.add_argument('--json', type=Path)
    args = a.parse_args()
    out = {}
    with tempfile.TemporaryDirectory(prefix='coffer-bench-') as folder:
        b = Bench(args.build.resolve(), folder, args)
        try:
            for name in ('one', 'crowd', 'connections', 'enclave'):
                if args.only in name:
                    out[name] = getattr(b, name)()
        finally:
            b.service.terminate()
            b.service.join(5)
    if args.json:
        args.json.write_text(json.dumps(out, indent=1) + '\n')


if __name__ == '__main__':
    main()
