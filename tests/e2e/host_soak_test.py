#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Some thousand connections through coffer-host that end at every stage, by either side, cleanly or not, with and without bytes under way:
afterwards it has the descriptors, threads and memory that it had before, every connection is accounted for, and it serves on."""
import os, random, socket, struct, sys, threading, time
from pathlib import Path

sys.path.insert(0, str(Path(os.environ['COFFER_SOURCE']) / 'tests/tools'))
from host import Host, Service, client_hello, read_all
from local import Checks

check = Checks()
HELLO = client_hello('localhost')
WORKERS, A_ROUND, SEED = 12, 1200, 20


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()


def serve(c):
    """Does what the first byte after the hello says."""
    got = b''
    while len(got) <= len(HELLO):
        piece = c.recv(4096)
        if not piece:
            return
        got += piece
    what, rest = got[len(HELLO):len(HELLO) + 1], got[len(HELLO) + 1:]
    if what == b'e':  # echo to the end
        c.sendall(rest)
        while piece := c.recv(65536):
            c.sendall(piece)
        c.shutdown(socket.SHUT_WR)
    elif what == b'c':
        c.close()
    elif what == b'r':
        reset(c)
    elif what == b's':  # speaks without listening, until cut
        while True:
            c.sendall(bytes(30000))
    elif what == b'h':  # has said all, and listens on
        c.sendall(b'bye')
        c.shutdown(socket.SHUT_WR)
        while c.recv(65536):
            pass
    elif what == b'n':  # never reads
        try:
            while c.recv(1, socket.MSG_PEEK):
                time.sleep(0.02)
                c.send(b'.')
        except OSError:
            pass


def stages(h, port, dead, rng):
    """-> functions, each a life of a connection from the enclave's side"""
    connect = f'CONNECT localhost:{port} HTTP/1.1\r\nHost: x\r\n\r\n'.encode()

    def begin(data):
        s = h.connect()
        s.sendall(data)
        return s

    def forwarded(what):
        s = h.tunnel(f'localhost:{port}')
        s.sendall(what)
        return s

    def cut(make):
        make().close()

    def echo():
        with forwarded(b'e') as s:
            data = rng.randbytes(rng.choice((0, 1, 5000, 300000)))
            writer = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
            writer.start()
            got = read_all(s)
            writer.join()
            assert got == data, f'{len(got)} of {len(data)} came back'

    def half_closed():
        with forwarded(b'h') as s:
            assert s.recv(3) == b'bye' and s.recv(1) == b''
            s.sendall(bytes(rng.randrange(100000)))

    def flood_then_leave():
        with forwarded(b'n') as s:
            s.settimeout(0.05)
            try:
                for _ in range(200):
                    s.sendall(bytes(65536))
            except OSError:
                pass

    def deaf():
        with forwarded(b's') as s:
            s.recv(rng.randrange(1, 100000))

    def ended(what):
        with forwarded(what) as s:
            try:
                s.sendall(bytes(rng.randrange(200000)))
            except OSError:
                pass
            read_all(s)

    return [lambda: h.connect().close(), lambda: cut(lambda: begin(connect[:rng.randrange(1, len(connect))])), lambda: cut(lambda: begin(connect)),
            lambda: cut(lambda: begin(connect + HELLO[:rng.randrange(1, len(HELLO))])), lambda: cut(lambda: begin(connect + HELLO)),
            lambda: cut(lambda: forwarded(b'')), lambda: cut(lambda: forwarded(b'e' + bytes(20000))), lambda: cut(lambda: forwarded(b'n' + bytes(200000))),
            echo, echo, half_closed, flood_then_leave, deaf, lambda: ended(b'c'), lambda: ended(b'r'),
            lambda: h.ask(b'CONNECT localhost:%d HTTP/1.1\r\nHost: x\r\n\r\n' % dead), lambda: h.ask(b'CONNECT other:1 HTTP/1.1\r\nHost: x\r\n\r\n'),
            lambda: h.ask(b'GET /credentials HTTP/1.1\r\nHost: x\r\n\r\n'), lambda: h.ask(connect + b'no TLS at all' * 10), lambda: h.ask(os.urandom(60) + b'\r\n\r\n')]


def round_of(h, port, dead, seed):
    """-> what went wrong that should not"""
    wrong = []

    def work(number):
        rng = random.Random(seed * 1000 + number)
        lives = stages(h, port, dead, rng)
        for i in range(A_ROUND // WORKERS):
            life = i % len(lives) if i < 2 * len(lives) else rng.randrange(len(lives))
            try:
                lives[life]()
            except (AssertionError, socket.timeout) as e:
                wrong.append(f'life {life}: {e!r}')
            except OSError as e:
                if life in (8, 9, 10):
                    wrong.append(f'life {life}: {e!r}')

    threads = [threading.Thread(target=work, args=(n,)) for n in range(WORKERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return wrong


def telemetry(h, seed):
    rng = random.Random(seed)
    for _ in range(10):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(h.tmp / 'telemetry.sock'))
            s.sendall(rng.choice((b'', b'\1\0\0\4', bytes(64), struct.pack('>BBHIQ6Q', 1, 0, 4, 0, 1, *[0] * 6))))
        time.sleep(0.02)


def settled(h):
    h.await_metric('coffer_host_connections_open', lambda n: n == 0, 10)
    until = time.monotonic() + 5
    while h.status('Threads') > 1 and time.monotonic() < until:
        time.sleep(0.05)
    return {'descriptors': h.descriptors(), 'threads': h.status('Threads'), 'KiB': h.status('VmRSS')}


def main():
    service = Service(serve)
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        dead = s.getsockname()[1]
    h = Host('--allow', f'localhost:{service.port}', '--allow', f'localhost:{dead}', '--telemetry', 'unix:telemetry.sock', '--setup-timeout', 5, '--idle-timeout', 5,
             '--new-per-second', 100000)
    try:
        wrong = round_of(h, service.port, dead, SEED)  # pipes and the heap grow to what the load needs, once
        telemetry(h, SEED)
        before = settled(h)
        for i in (1, 2):
            wrong += round_of(h, service.port, dead, SEED + i)
            telemetry(h, SEED + i)
        after, m = settled(h), h.metrics()
        refused = sum(v for k, v in m.items() if k.startswith('coffer_host_connections_refused_total'))
        ended = sum(v for k, v in m.items() if k.startswith('coffer_host_forwarded_ended_total'))
        accepted, forwarded = m['coffer_host_connections_accepted_total'], m['coffer_host_forwarded_total']
        print(f'# {accepted:.0f} connections, {forwarded:.0f} forwarded, {refused:.0f} refused; {before} then {after}')
        check('what should pass whole did', not wrong, '\n'.join(wrong[:10]))
        check('some thousand connections came', accepted >= 3 * A_ROUND * 0.99 and forwarded > A_ROUND and refused > A_ROUND / 2, m)
        check('none is left open', m['coffer_host_connections_open'] == 0, m['coffer_host_connections_open'])
        check('each is accounted for', accepted == forwarded + refused + m['coffer_host_credentials_given_total'] and forwarded == ended, m)
        check('no descriptor leaked', after['descriptors'] <= before['descriptors'] + 16, f'{before} {after}')  # eight pipes at rest, two each
        check('no memory leaked', after['KiB'] - before['KiB'] < 1024, f'{before} {after}')
        check('no thread is stuck', after['threads'] == 1, after)
        with h.tunnel(f'localhost:{service.port}') as s:
            s.sendall(b'estill')
            s.shutdown(socket.SHUT_WR)
            check('it serves on', read_all(s) == b'still')
        check('and ends when asked to', h.stop() == 0)
    finally:
        h.close()
        service.close()


main()
sys.exit(check.done())
