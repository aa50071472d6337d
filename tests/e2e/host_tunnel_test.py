#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-host forwards what it should and nothing else: allow-list, server name, half-close, resets, back-pressure, limits, timeouts,
many connections, and a hostile enclave that floods, dawdles and lies (C-20). The enclave's side is played over the Unix socket."""
import os, resource, select, socket, sys, threading, time
from pathlib import Path

sys.path.insert(0, str(Path(os.environ['COFFER_SOURCE']) / 'tests/tools'))
from host import Host, Service, client_hello, read_all
from local import Checks

check = Checks()
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)  # we hold both ends of what is forwarded
most = 65536 if most == resource.RLIM_INFINITY else min(most, 65536)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
HELLO = client_hello('localhost')


def take_hello(c):
    got = b''
    while len(got) < len(HELLO):
        piece = c.recv(len(HELLO) - len(got))
        if not piece:
            return got
        got += piece
    return got


def echo(c):
    got = take_hello(c)
    c.sendall(b'%d ' % len(got))
    while piece := c.recv(65536):
        c.sendall(piece)
    c.shutdown(socket.SHUT_WR)


def recv_exactly(s, n):
    out = b''
    while len(out) < n:
        piece = s.recv(n - len(out))
        if not piece:
            break
        out += piece
    return out


def forwards():
    service = Service(echo)
    other = Service(echo)
    h = Host('--allow', f'localhost:{service.port}', '--allow', f'127.0.0.1:{service.port}', '--allow', 'localhost:1', '--setup-timeout', 1)
    try:
        with h.tunnel(f'localhost:{service.port}') as s:
            s.sendall(b'abc')
            got = recv_exactly(s, len(b'%d ' % len(HELLO)) + 3)
            check('bytes pass both ways, the hello first', got == b'%d abc' % len(HELLO), got)
            s.shutdown(socket.SHUT_WR)
            check('an end passes, and comes back as one', read_all(s) == b'')
        with h.tunnel(f'LOCALHOST:{service.port}', 'LocalHost') as s:
            s.sendall(b'x')
            check('names are compared without case', recv_exactly(s, 3).endswith(b' '))
        for name, target, sni in (('another name in the hello', f'localhost:{service.port}', 'example.com'), ('no name in it', f'localhost:{service.port}', '')):
            with h.tunnel(target, sni) as s:
                check(f'{name}: cut', read_all(s) in (b'', b'(reset)'))
        with h.tunnel(f'127.0.0.1:{service.port}', 'example.com') as s:
            check('a name where an address was asked for: cut', read_all(s) in (b'', b'(reset)'))
        with h.connect() as s:
            s.sendall(f'CONNECT localhost:{service.port} HTTP/1.1\r\nHost: x\r\n\r\n'.encode() + b'GET / HTTP/1.1\r\n\r\n')
            check('no TLS: cut', b'HTTP/1.1 200' in (got := read_all(s)) and got.count(b'HTTP/1.1') == 1, got)
        for what, target in (('another port', f'localhost:{other.port}'), ('another name for the same host', f'127.0.0.2:{service.port}'),
                             ('metadata', '169.254.169.254:80'), ('a name with a dot behind', f'localhost.:{service.port}')):
            got = h.ask(f'CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n'.encode())
            check(f'{what} is refused', got.startswith(b'HTTP/1.1 403') and b'destination-not-allowed' in got, got)
        got = h.ask(b'CONNECT localhost:1 HTTP/1.1\r\nHost: x\r\n\r\n')
        check('a destination that is not there', got.startswith(b'HTTP/1.1 502') and b'destination-unreachable' in got, got)
        for what, text in (('a stray request', b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'), ('a path', b'GET /credentials/../x HTTP/1.1\r\nHost: x\r\n\r\n')):
            check(f'{what}: 404', h.ask(text).startswith(b'HTTP/1.1 404'))
        for what, text in (('no HTTP', b'\x16\x03\x01\0\x05hello\r\n\r\n'), ('a body', b'GET /credentials HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc'),
                           ('a head over 4 KiB', b'GET /credentials HTTP/1.1\r\nHost: x\r\nX: ' + b'a' * 5000 + b'\r\n\r\n')):
            got = h.ask(text)
            check(f'{what}: 400', got.startswith(b'HTTP/1.1 400') or got == b'(reset)', got)
        got = h.ask(b'GET /credentials HTTP/1.1\r\nHost: x\r\n\r\n')
        check('credentials in the container format', got.startswith(b'HTTP/1.1 200') and b'"AccessKeyId":"AKIDEXAMPLE"' in got and b'"Token":"token"' in got, got)
        began = time.monotonic()
        with h.connect() as s:
            s.sendall(b'GET /cre')
            check('half a request is not waited for for ever', read_all(s) in (b'', b'(reset)') and 0.9 < time.monotonic() - began < 5)
        with h.connect() as s:
            s.sendall(f'CONNECT localhost:{service.port} HTTP/1.1\r\nHost: x\r\n\r\n'.encode() + HELLO[:20])
            got = read_all(s)
            check('nor half a hello', got.startswith(b'HTTP/1.1 200') and got.count(b'\r\n\r\n') == 1, got)
        m = h.metrics()
        refused = {k.split('"')[1]: v for k, v in m.items() if k.startswith('coffer_host_connections_refused_total')}
        check('each is counted under its reason', refused['destination-not-allowed'] == 4 and refused['other-server-name'] == 3 and refused['not-tls'] == 1
              and refused['too-slow'] == 2 and refused['unknown-request'] == 2 and refused['malformed-request'] == 3 and refused['destination-unreachable'] == 1, refused)
        check('bytes are counted', m['coffer_host_bytes_total{direction="from_enclave"}'] >= 2 * len(HELLO) + 4 and m['coffer_host_credentials_given_total'] == 1, m)
        log = h.said()
        check('and told in the log, without what was sent', h.events('host.refused') and 'AKIDEXAMPLE' not in log and 'not-a-secret' not in log, log[-800:])
        check('it ends when asked to', h.stop() == 0, h.said()[-400:])
    finally:
        h.close()
        service.close()
        other.close()


def flow():
    received = [0]

    def swallow_slowly(c):
        take_hello(c)
        gate.wait(20)
        while piece := c.recv(65536):
            received[0] += len(piece)

    gate = threading.Event()
    slow, service = Service(swallow_slowly), Service(echo)
    h = Host('--allow', f'localhost:{slow.port}', '--allow', f'localhost:{service.port}', '--idle-timeout', 2, '--buffer', '64K')
    try:
        with h.tunnel(f'localhost:{slow.port}') as s:
            s.setblocking(False)
            sent, quiet = 0, time.monotonic()
            while time.monotonic() - quiet < 0.3:
                try:
                    sent += s.send(bytes(65536))
                    quiet = time.monotonic()
                except BlockingIOError:
                    select.select([], [s], [], 0.05)
            check('a destination that does not read holds the enclave back', sent < 64 << 20, sent)
            with h.tunnel(f'localhost:{service.port}') as t:
                t.sendall(b'x')
                check('and nobody else', recv_exactly(t, 3).endswith(b' '))
            gate.set()
            s.setblocking(True)
            s.shutdown(socket.SHUT_WR)
            check('all of it arrives in the end', read_all(s) == b'' and received[0] == sent, f'{received[0]} of {sent}')
        with h.tunnel(f'localhost:{service.port}') as s:
            recv_exactly(s, 3)
            began = time.monotonic()
            check('a connection at rest is cut', read_all(s) == b'' and 1.5 < time.monotonic() - began < 8, time.monotonic() - began)
        check('and counted', h.metrics()['coffer_host_forwarded_ended_total{how="idle"}'] == 1)
    finally:
        h.close()
        slow.close()
        service.close()


def hostile():
    """An enclave whose processor went mad, as far as the host can tell."""
    service = Service(echo)
    h = Host('--allow', f'localhost:{service.port}', '--max-connections', 40, '--max-pending', 20, '--setup-timeout', 30, '--new-per-second', 400)
    try:
        mute = [h.connect() for _ in range(20)]
        h.await_metric('coffer_host_connections_pending', lambda n: n == 20)
        extra = h.connect()
        check('more than may be pending: closed at once', read_all(extra) in (b'', b'(reset)'))
        extra.close()
        check('with a line in the log', h.await_metric('coffer_host_connections_refused_total{reason="too-many-connections"}', lambda n: n > 0)
              and any(e['why'] == 'too-many-connections' for e in h.events('host.refused')))
        time.sleep(1.1)
        with h.tunnel(f'localhost:{service.port}') as s:
            s.sendall(b'x')
            check('after a second the slowest make room', recv_exactly(s, 3).endswith(b' '))
        for s in mute:
            s.close()
        h.await_metric('coffer_host_connections_open', lambda n: n == 0)
        began, n = time.monotonic(), 0
        while n < 1000:
            with h.connect() as s:
                s.sendall(b'GET /credentials HTTP/1.1\r\nHost: x\r\n\r\n')
                read_all(s)
            n += 1
        took = time.monotonic() - began
        check('a flood is slowed to the rate', took > 1.2, f'{took:.1f} s for 1000 at 400 a second, the first 400 at once')
        check('and noted', h.metrics()['coffer_host_accept_held_total'] > 0 and h.events('host.accept_held'))
        lines = h.said().count('\n')
        check('but not in a line each', lines < 200, lines)
        check('in no time it spins', h.cpu() < 5, h.cpu())
    finally:
        h.close()
        service.close()


def descriptors_run_out():
    """It gets few descriptors; connections over them wait or are refused, and it does not spin."""
    service = Service(echo)
    code = 'import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)); os.execv(sys.argv[1], sys.argv[1:])'
    import host, subprocess
    real = subprocess.Popen
    host.subprocess.Popen = lambda argv, **more: real([sys.executable, '-c', code, *map(str, argv)], **more)
    try:
        h = Host('--allow', f'localhost:{service.port}')
    finally:
        host.subprocess.Popen = real
    held = []
    try:
        check('with few descriptors it says what it can do', h.events('host.few_descriptors'), h.said())
        for _ in range(100):
            try:
                s = h.tunnel(f'localhost:{service.port}', timeout=2)
                recv_exactly(s, 3)
                held.append(s)
            except OSError:
                pass
        before = h.cpu()
        time.sleep(0.3)
        check('as many as fit are forwarded, the rest closed', 30 < len(held) < 70 and h.metrics()['coffer_host_connections_refused_total{reason="too-many-connections"}'] > 0, len(held))
        check('and it rests', h.cpu() - before < 0.15, h.cpu() - before)
    finally:
        for s in held:
            s.close()
        h.close()
        service.close()


def thousands():
    service = Service(lambda c: (take_hello(c), c.sendall(b'.'), c.recv(1)))
    h = Host('--allow', f'localhost:{service.port}', '--new-per-second', 100000)
    n, held = min(1500, (most - 200) // 3), []
    try:
        empty = h.status('VmRSS')
        for _ in range(n):
            held.append(h.tunnel(f'localhost:{service.port}'))
        got = sum(recv_exactly(s, 1) == b'.' for s in held)
        rss = h.status('VmRSS')
        check(f'{n} connections at once are forwarded', got == n and h.metrics()['coffer_host_connections_open'] == n, got)
        check('at rest one costs under 2 KiB of memory', (rss - empty) / n < 2, f'{(rss - empty) / n:.2f} KiB')
        before = h.cpu()
        time.sleep(0.3)
        check('and no time', h.cpu() - before < 0.1)
    finally:
        for s in held:
            s.close()
        h.close()
        service.close()


def names_do_not_hold_others_up():
    """A name that takes its time to resolve, or never does, is its own connections' trouble."""
    service = Service(echo)
    h = Host('--allow', f'localhost:{service.port}', '--allow', 'no-such-host.invalid:443', '--connect-timeout', 3)
    try:
        with h.connect() as lost:
            lost.sendall(b'CONNECT no-such-host.invalid:443 HTTP/1.1\r\nHost: x\r\n\r\n')
            began = time.monotonic()
            with h.tunnel(f'localhost:{service.port}') as s:
                s.sendall(b'x')
                check('others go on while a name is looked up', recv_exactly(s, 3).endswith(b' ') and time.monotonic() - began < 2)
            check('what has no address is unreachable', b'destination-unreachable' in (got := read_all(lost)), got)
    finally:
        h.close()
        service.close()


def wrong_use():
    import subprocess
    from host import HOST
    for what, options, says in (('no destination', ['-l', 'unix:/x'], '--allow'), ('no port', ['-l', 'unix:/x', '-a', 'localhost'], 'HOST:PORT'),
                                ('vsock for whoever comes', ['-l', 'vsock:4294967295:5005', '-a', 'localhost:1'], '--cid'), ('a buffer too small', ['-l', 'unix:@x', '-a', 'localhost:1', '--buffer', '100'], '--buffer')):
        p = subprocess.run([HOST, *options], capture_output=True, timeout=20, env={'AWS_ACCESS_KEY_ID': 'a', 'AWS_SECRET_ACCESS_KEY': 'b', 'AWS_EC2_METADATA_DISABLED': 'true', 'AWS_REGION': 'us-east-1'})
        check(f'{what}: exit 2, named', p.returncode == 2 and says in p.stderr.decode(), p.stderr)


for part in (forwards, flow, hostile, descriptors_run_out, thousands, names_do_not_hold_others_up, wrong_use):
    part()
sys.exit(check.done())
