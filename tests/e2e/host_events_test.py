#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the enclave tells its host: events in the log and heartbeats in the metrics, and nothing of what a hostile enclave sends beside
them; a host that does not take them; an enclave that ends or falls silent is started again. Enclave and hypervisor are played."""
import json, os, socket, struct, sys, threading, time
from pathlib import Path

sys.path.insert(0, str(Path(os.environ['COFFER_SOURCE']) / 'tests/tools'))
from host import Host
from local import Checks

check = Checks()


def record(code, sequence, *values, version=1, n=None, zero=0, rest=0):
    """docs/telemetry.md"""
    return struct.pack('>BBHIQ6Q', version, len(values) if n is None else n, code, zero, sequence, *(list(values) + [rest] * (6 - len(values))))


HEARTBEAT = lambda sequence, state=0, done=0: record(1, sequence, state, done, 0, 0, 9000, 5)


class Enclave:
    def __init__(self, path):
        self.path = path
        self.connect()

    def connect(self):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(5)
        self.s.connect(self.path)

    def is_cut(self):
        try:
            return self.s.recv(1) == b''
        except ConnectionError:
            return True
        except socket.timeout:
            return False


def vocabulary():
    h = Host('--allow', 'localhost:1', '--telemetry', 'unix:telemetry.sock')
    path = str(h.tmp / 'telemetry.sock')
    try:
        e = Enclave(path)
        e.s.sendall(record(2, 1, 1, 1) + HEARTBEAT(2, 1, 7) + record(8, 3, 7, 1200) + record(12, 9, 4))
        h.await_metric('coffer_host_enclave_events_total{event="left_out"}', lambda n: n == 1)
        m = h.metrics()
        check('records are counted by event', m['coffer_host_enclave_events_total{event="ready"}'] == 1 and m['coffer_host_enclave_events_total{event="job.refused"}'] == 1)
        check('those that are missing, too', m['coffer_host_enclave_events_lost_total'] == 5, m)
        check('a heartbeat is told in the metrics', m['coffer_enclave_working'] == 1 and m['coffer_enclave_jobs_done_total'] == 7 and
              m['coffer_enclave_resident_memory_bytes'] == 9000 * 1024 and 0 <= m['coffer_host_heartbeat_age_seconds'] < 5, m)
        refused = h.events('enclave.job.refused')
        check('an event becomes a line in words', refused and refused[0]['why'] == 'message-altered' and refused[0]['ms'] == '1200', refused)
        check('a heartbeat does not', not h.events('enclave.heartbeat'))

        bad = {'another version': record(2, 20, 0, 0, version=2), 'an unknown event': record(13, 20), 'event zero': record(0, 20), 'a high code': record(0x1b5b, 20),
               'too many values': record(2, 20, 0, 0, 0), 'too few': record(2, 20, 0), 'a word that is none': record(8, 20, 99, 0), 'a number over its bound': record(7, 20, 1 << 60, 0),
               'values behind the last': record(4, 20, rest=0x1b5b), 'a reserved field': record(4, 20, zero=1), 'number zero': record(4, 0),
               'text': b'{"level":"info","event":"\x1b[2Jowned"}\n' + b'A' * 64, 'terminal escapes': b'\x1b]0;owned\x07' * 16, 'HTTP': b'GET /credentials HTTP/1.1\r\n\r\n' + b' ' * 64}
        cut = {}
        for name, bytes_ in bad.items():
            e.connect()
            e.s.sendall(bytes_)
            cut[name] = e.is_cut()
            e.s.close()
            time.sleep(0.2)  # connections, too, come at a rate
        check('whatever is not of the vocabulary ends the connection', all(cut.values()), [k for k, v in cut.items() if not v])
        m = h.metrics()
        check('and is counted', m['coffer_host_enclave_events_refused_total'] == len(bad), m['coffer_host_enclave_events_refused_total'])
        e.connect()
        e.s.sendall(record(4, 30) + record(4, 30))
        check('numbers go up on one connection', e.is_cut())
        e.connect()
        e.s.sendall(record(4, 31)[:40])
        e.s.close()
        h.await_metric('coffer_host_enclave_events_refused_total', lambda n: n == len(bad) + 2)
        log = (h.tmp / 'log').read_bytes()
        check('nothing of it is in the log', b'owned' not in log and all(32 <= c < 127 or c == 10 for c in log) and all(json.loads(x) for x in log.splitlines()), log[-600:])
        e.connect()
        e.s.sendall(HEARTBEAT(1, 0, 3))
        check('a new enclave is listened to', h.await_metric('coffer_enclave_jobs_done_total', lambda n: n == 3) == 3)
        check('nothing is ever sent to the enclave', is_silent(e))
    finally:
        h.close()


def is_silent(e):
    e.s.settimeout(0.2)
    try:
        e.s.recv(1)
        return False
    except socket.timeout:
        return True


def flood():
    h = Host('--allow', 'localhost:1', '--telemetry', 'unix:telemetry.sock')
    path = str(h.tmp / 'telemetry.sock')
    try:
        e = Enclave(path)
        e.s.settimeout(0.5)
        sent, until = 0, time.monotonic() + 2
        try:
            while time.monotonic() < until:
                e.s.sendall(b''.join(record(5, sent + i + 1, 9) for i in range(100)))
                sent += 100
        except socket.timeout:
            pass
        m = h.metrics()
        read, lines = m['coffer_host_enclave_events_total{event="queue_trouble"}'], len(h.events('enclave.queue_trouble'))
        check('a flood is not taken faster than it may come', sent < 20000 and read < 1200, f'{sent} sent, {read} read')
        check('nor written', 40 <= lines < 200 and m['coffer_host_enclave_lines_left_out_total'] > 100, lines)
        check('and costs little', h.cpu() < 1, h.cpu())
        others = []
        began = time.monotonic()
        for _ in range(40):
            try:
                others.append(Enclave(path))
            except OSError:
                break
        time.sleep(0.3)
        check('connections are taken at a rate, too', h.metrics()['coffer_host_enclave_events_total{event="ready"}'] == 0 and h.cpu() < 1)
        check('forwarding goes on beside it', h.ask(b'GET /credentials HTTP/1.1\r\nHost: x\r\n\r\n').startswith(b'HTTP/1.1 200') and time.monotonic() - began < 5)
    finally:
        h.close()


class Hypervisor:
    """The control socket of the simulated one."""

    def __init__(self, path):
        self.running, self.starts, self.deletes, self.fail = set(), [], [], False
        self.s = socket.socket(socket.AF_UNIX)
        self.s.bind(path)
        self.s.listen(16)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            c, _ = self.s.accept()
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        data = b''
        while piece := c.recv(65536):
            data += piece
            while b'\r\n\r\n' in data:
                head, _, rest = data.partition(b'\r\n\r\n')
                length = int(next((h.split(b':')[1] for h in head.split(b'\r\n') if h.lower().startswith(b'content-length')), 0))
                if len(rest) < length:
                    break
                data = rest[length:]
                status, body = self.answer(*head.split(b' ')[:2])
                c.sendall(b'HTTP/1.1 %s X\r\nContent-Length: %d\r\n\r\n' % (status, len(body)) + body)

    def answer(self, method, path):
        if method == b'POST' and self.fail:
            return b'422', b'{"error":"no room"}'
        if method == b'POST':
            id_ = f'enc-{len(self.starts) + 1}'
            self.starts.append(time.monotonic())
            self.running.add(id_)
            return b'201', json.dumps({'id': id_, 'pid': 1}).encode()
        if method == b'GET':
            return b'200', json.dumps({'enclaves': [{'id': i} for i in self.running]}).encode()
        self.deletes.append(path.decode())
        self.running.discard(path.decode().rsplit('/', 1)[1])
        return b'200', b'{}'


def keeping():
    import tempfile
    tmp = tempfile.TemporaryDirectory(prefix='coffer-hv-')
    hv = Hypervisor(f'{tmp.name}/hv.sock')
    h = Host('--allow', 'localhost:1', '--telemetry', 'unix:telemetry.sock', '--hypervisor', f'unix:{tmp.name}/hv.sock', '--enclave', '/e', '--config', '/c',
             '--processor', '/p', '--heartbeat-timeout', 2, '--boot-timeout', 3)
    path = str(h.tmp / 'telemetry.sock')
    restarts = lambda why: h.metrics()[f'coffer_host_enclave_restarts_total{{reason="{why}"}}']
    try:
        check('ready tells what was started', json.loads(h.line.split(' ', 1)[1])['id'] == 'enc-1', h.line)
        hv.running.clear()
        h.await_metric('coffer_host_enclave_starts_total', lambda n: n == 2)
        check('an enclave that has ended is started again', len(hv.starts) == 2 and restarts('ended') == 1, hv.starts)
        e = Enclave(path)
        for i in range(1, 8):
            e.s.sendall(HEARTBEAT(i))
            time.sleep(0.5)
        check('one whose heart beats is left alone, though its boot time is over', len(hv.starts) == 2, h.said())
        until = time.monotonic() + 12
        while len(hv.starts) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        check('one whose heart stops is ended, and started again', hv.deletes == ['/enclaves/enc-2'] and len(hv.starts) == 3 and h.events('host.no_heartbeat')
              and h.await_metric('coffer_host_enclave_restarts_total{reason="no-heartbeat"}', lambda n: n == 1) == 1, f'{hv.deletes} {len(hv.starts)} {h.said()[-600:]}')
        check('the old one\'s heartbeat is forgotten', 'coffer_host_heartbeat_age_seconds' not in h.metrics())
        hv.fail = True
        until = time.monotonic() + 12  # it never beats: 3 s after its start
        while len(hv.deletes) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        check('one that never says a word is given up, too', hv.deletes[1:] == ['/enclaves/enc-3'], hv.deletes)
        check('a start that fails is told', h.await_metric('coffer_host_enclave_restarts_total{reason="not-started"}', lambda n: n >= 1) >= 1 and
              any('no room' in x['why'] for x in h.events('host.enclave_not_started')), h.said()[-500:])
        check('and while none runs the metrics say so', h.metrics()['coffer_host_enclave_running'] == 0)
        hv.fail = False
        h.await_metric('coffer_host_enclave_starts_total', lambda n: n == 4, 20)
        check('until one does', h.stop() == 0 and hv.deletes[-1] == '/enclaves/enc-4', hv.deletes)
    finally:
        h.close()
        tmp.cleanup()


for part in (vocabulary, flood, keeping):
    part()
sys.exit(check.done())
