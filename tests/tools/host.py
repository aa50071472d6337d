# SPDX-License-Identifier: Apache-2.0
"""coffer-host for test scripts: started with options, asked for metrics, its log read; and a CONNECT through it."""
import json, os, shutil, signal, socket, subprocess, tempfile, threading, time, urllib.request
from pathlib import Path

BUILD = Path(os.environ['COFFER_BUILD'])
HOST = BUILD / 'src/prog/coffer-host/coffer-host'
CREDENTIALS = {'AWS_ACCESS_KEY_ID': 'AKIDEXAMPLE', 'AWS_SECRET_ACCESS_KEY': 'not-a-secret', 'AWS_SESSION_TOKEN': 'token'}


def client_hello(name):
    """A TLS ClientHello (RFC 8446 section 4.1.2) with that server name, or none for '', and nothing else of interest."""
    host = name.encode()
    sni = b'\0\0' + (len(host) + 5).to_bytes(2, 'big') + (len(host) + 3).to_bytes(2, 'big') + b'\0' + len(host).to_bytes(2, 'big') + host
    sni = sni if name else b''
    body = b'\x03\x03' + bytes(32) + b'\0' + b'\0\x02\x13\x01' + b'\x01\0' + len(sni).to_bytes(2, 'big') + sni
    message = b'\x01' + len(body).to_bytes(3, 'big') + body
    return b'\x16\x03\x01' + len(message).to_bytes(2, 'big') + message


class Host:
    def __init__(self, *options, env=None, listen=None, ready=True):
        self.tmp = Path(tempfile.mkdtemp(prefix='coffer-host-'))
        self.path = str(self.tmp / 'host.sock')
        self.log = open(self.tmp / 'log', 'w+b')
        argv = [HOST, '--listen', listen or f'unix:{self.path}', '--metrics', f'unix:{self.tmp}/metrics.sock', *map(str, options)]
        self.p = subprocess.Popen(argv, env={'PATH': os.environ['PATH'], 'HOME': str(self.tmp), 'AWS_EC2_METADATA_DISABLED': 'true', 'AWS_REGION': 'us-east-1',
                                             **CREDENTIALS, **(env or {})}, stdout=subprocess.PIPE, stderr=self.log, stdin=subprocess.DEVNULL, cwd=self.tmp)
        self.line = self.p.stdout.readline().decode().strip() if ready else ''
        if ready and not self.line.startswith('ready'):
            self.close()
            raise AssertionError(f'coffer-host did not start: {self.said()}')

    def said(self):
        return (self.tmp / 'log').read_text(errors='replace') if (self.tmp / 'log').exists() else ''

    def events(self, name=None):
        lines = [json.loads(line) for line in self.said().splitlines() if line.startswith('{') and line.endswith('}')]
        return [e for e in lines if name is None or e['event'] == name]

    def metrics(self):
        """-> {'name' or 'name{labels}': number}"""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(f'{self.tmp}/metrics.sock')
            s.sendall(b'GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
            text = b''.join(iter(lambda: s.recv(65536), b''))
        head, _, body = text.partition(b'\r\n\r\n')
        assert head.startswith(b'HTTP/1.1 200'), head
        return {k: float(v) for k, v in (line.rsplit(' ', 1) for line in body.decode().splitlines() if line and line[0] != '#')}

    def await_metric(self, name, good, seconds=10):
        """The first value that is good, or the last that was seen."""
        until = time.monotonic() + seconds
        while True:
            value = self.metrics().get(name)
            if (value is not None and good(value)) or time.monotonic() > until:
                return value
            time.sleep(0.02)

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.p.pid}/fd'))

    def status(self, name):
        for line in Path(f'/proc/{self.p.pid}/status').read_text().splitlines():
            if line.startswith(name + ':'):
                return int(line.split()[1])

    def cpu(self):
        fields = Path(f'/proc/{self.p.pid}/stat').read_text().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def connect(self, timeout=10):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        s.connect(self.path)
        return s

    def ask(self, text, timeout=10):
        """-> all that is answered until the end."""
        with self.connect(timeout) as s:
            s.sendall(text)
            return read_all(s)

    def tunnel(self, target, name=None, timeout=10):
        """A connection forwarded to target; its hello is on its way."""
        s = self.connect(timeout)
        s.sendall(f'CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n'.encode())
        reply = b''
        while not reply.endswith(b'\r\n\r\n'):
            piece = s.recv(1)
            if not piece:
                s.close()
                raise ConnectionError(reply)
            reply += piece
        if b' 200 ' not in reply.splitlines()[0]:
            s.close()
            raise ConnectionError(reply)
        s.sendall(client_hello(name if name is not None else target.rsplit(':', 1)[0]))
        return s

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        return self.p.wait(20)

    def close(self):
        if self.p.poll() is None:
            self.p.kill()
            self.p.wait(20)
        self.p.stdout.close()
        self.log.close()
        shutil.rmtree(self.tmp, ignore_errors=True)


def read_all(s):
    out = b''
    try:
        while piece := s.recv(65536):
            out += piece
    except ConnectionResetError:
        out += b'(reset)'
    return out


class Service:
    """Listens on a loopback port and has each connection handled by a thread: handle(socket)."""

    def __init__(self, handle, address='127.0.0.1'):
        self.s = socket.socket()
        self.s.bind((address, 0))
        self.s.listen(1024)
        self.port, self.handle, self.open = self.s.getsockname()[1], handle, True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            if not self.open:
                c.close()
                return
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        with c:
            try:
                c.settimeout(20)
                self.handle(c)
            except OSError:
                pass

    def close(self):
        self.open = False
        try:
            socket.create_connection(self.s.getsockname(), 1).close()
        except OSError:
            pass
        self.thread.join(5)
        self.s.close()
