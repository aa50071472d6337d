# SPDX-License-Identifier: Apache-2.0
"""The enclave's parent as an attacker has it: a process in coffer-host's place that starts the enclave, hands over what credentials it
likes, answers CONNECT as it likes, and either copies bytes or sits in the middle of TLS with a certificate of its choice. What it sees
and does is for the tests to say. The demo's system around it is the real one."""
import base64, datetime, hashlib, importlib.machinery, importlib.util, json, os, re, socket, ssl, subprocess, threading, time
from pathlib import Path

from rawaws import Signer, talk

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])
loader = importlib.machinery.SourceFileLoader('demo', str(SOURCE / 'deploy' / 'local' / 'demo'))
demo = importlib.util.module_from_spec(importlib.util.spec_from_loader('demo', loader))
loader.exec_module(demo)


def read_message(stream, head=b''):
    """One HTTP message from a file object -> start line, [(name, value)], body; None at the end."""
    line = stream.readline()
    if not line:
        return None
    fields = []
    while True:
        text = stream.readline()
        if text in (b'\r\n', b'\n', b''):
            break
        name, _, value = text.decode('latin-1').rstrip('\r\n').partition(':')
        fields.append((name, value.strip()))
    return line.decode('latin-1').rstrip(), fields, stream


def field(fields, name):
    return next((v for n, v in fields if n.lower() == name.lower()), None)


def read_body(stream, fields, none=False):
    if none:
        return b''
    if 'chunked' in (field(fields, 'transfer-encoding') or ''):
        body = b''
        while True:
            size = int(stream.readline().split(b';')[0], 16)
            body += stream.read(size)
            stream.readline()
            if size == 0:
                return body
    return stream.read(int(field(fields, 'content-length') or 0))


def message(start, fields, body):
    kept = [(n, v) for n, v in fields if n.lower() not in ('content-length', 'transfer-encoding', 'expect')]
    return (start + '\r\n' + ''.join(f'{n}: {v}\r\n' for n, v in kept) + f'Content-Length: {len(body)}\r\n\r\n').encode('latin-1') + body


class Request:
    """One request of the enclave, as whoever sits inside its TLS sees it."""

    def __init__(self, start, fields, body):
        self.start, self.fields, self.body = start, fields, body
        self.method, self.path = start.split(' ')[:2]
        self.target = (field(fields, 'x-amz-target') or '').rpartition('.')[2]

    def json(self):
        return json.loads(self.body)


class HostileHost:
    """credentials() -> status, bytes. connect(socket, target) answers a CONNECT. tls: an ssl.SSLContext to sit in the middle with, or
    None to copy bytes. within: on_request(Request) -> None to pass it on, a Request to send in its place, or (status, fields, body) as the
    answer; on_answer(Request, status, fields, body) -> the same three."""

    def __init__(self, system):
        self.s = system
        self.seen, self.targets, self.n_credentials, self.trouble = [], [], 0, []
        self.tls, self.outer = None, []
        self.answers = []  # (Request, status, body) as the services gave them
        self.credentials = lambda: (200, self.s.credentials_json('consumer'))
        self.connect = self.copy
        self.on_request = lambda r: None
        self.on_answer = lambda r, status, fields, body: (status, fields, body)
        path = self.s.dir / 'host.sock'
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        try:
            with c:
                head = b''
                while b'\r\n\r\n' not in head:
                    more = c.recv(1)
                    if not more:
                        return
                    head += more
                verb, target = head.decode('latin-1').split(' ')[:2]
                if verb == 'CONNECT':
                    self.targets.append(target)
                    self.connect(c, target)
                else:
                    self.n_credentials += 1
                    status, body = self.credentials()
                    c.sendall(b'HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' % (status, len(body)) + body)
        except (OSError, ssl.SSLError) as e:
            self.trouble.append(f'{type(e).__name__}: {e}')
        except Exception as e:
            self.trouble.append(f'the test: {type(e).__name__}: {e}')

    def copy(self, c, target):
        c.sendall(b'HTTP/1.1 200 Connection established\r\n\r\n')
        if self.tls:
            return self.middle(c)
        with socket.create_connection(('127.0.0.1', self.s.port), timeout=60) as out:
            self.outer.append(out)
            pair = ((c, out), (out, c))
            threads = [threading.Thread(target=self.pump, args=p, daemon=True) for p in pair]
            for t in threads:
                t.start()
            for t in threads:
                t.join()

    @staticmethod
    def pump(a, b):
        try:
            while True:
                data = a.recv(65536)
                if not data:
                    break
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def middle(self, c):
        trust = ssl.create_default_context(cafile=str(self.s.data / 'tls/ca.pem'))
        with self.tls.wrap_socket(c, server_side=True) as inner, \
                trust.wrap_socket(socket.create_connection(('127.0.0.1', self.s.port), timeout=60), server_hostname='localhost') as outer:
            from_inner, from_outer = inner.makefile('rb'), outer.makefile('rb')
            self.outer.append(outer)
            while True:
                got = read_message(from_inner)
                if got is None:
                    return
                start, fields, _ = got
                if field(fields, 'expect'):
                    inner.sendall(b'HTTP/1.1 100 Continue\r\n\r\n')
                r = Request(start, fields, read_body(from_inner, fields))
                self.seen.append(r)
                done = self.on_request(r)
                if isinstance(done, tuple):
                    status, answer, body = done
                else:
                    sent = done or r
                    outer.sendall(message(sent.start, sent.fields, sent.body))
                    line, answer, _ = read_message(from_outer)
                    body = read_body(from_outer, answer, r.method == 'HEAD' or ' 204' in line or ' 304' in line)
                    status = int(line.split(' ')[1])
                    self.answers.append((r, status, body))
                status, answer, body = self.on_answer(r, status, answer, body)
                inner.sendall(message(f'HTTP/1.1 {status} x', answer, body))

    # what an attacker on the machine can do with the hypervisor and the role's credentials
    def launch(self, **more):
        what = {'enclave': str(self.s.bin['coffer-enclave']), 'config': str(self.s.config), 'processor': str(self.s.bin['coffer-imagefacts']),
                'log': str(self.s.dir / 'coffer-enclave.log'), 'role_arn': f'arn:aws:iam::{self.s.ACCOUNT}:role/coffer-consumer', 'debug': False, **more}
        status, body = self.hypervisor('POST', '/enclaves', what)
        assert status == 201, body
        self.enclave = json.loads(body)
        return self.enclave

    def hypervisor(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else b''
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(str(self.s.data / 'hypervisor.sock'))
            s.sendall(f'{method} {path} HTTP/1.1\r\nHost: hypervisor\r\nContent-Length: {len(data)}\r\n\r\n'.encode() + data)
            stream = s.makefile('rb')
            line, fields, _ = read_message(stream)
            return int(line.split(' ')[1]), read_body(stream, fields)

    def stop(self):
        if getattr(self, 'enclave', None):
            self.hypervisor('DELETE', f'/enclaves/{self.enclave["id"]}')
            self.enclave = None
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for outer in self.outer:  # else a long poll of an enclave that is no more takes the next message
            try:
                outer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class System(demo.Demo):
    """The demo's, with a hostile host in the place of coffer-host."""

    def coffer(self, *args, who=None, timeout=60):
        p = subprocess.run([str(self.bin['coffer']), *map(str, args)], env=self.environment(who), capture_output=True, timeout=timeout,
                           stdin=subprocess.DEVNULL, cwd=self.dir)
        return p.returncode, p.stdout, p.stderr.decode(errors='replace')

    def credentials_of(self, who):
        e = self.environment(who)
        return e['AWS_ACCESS_KEY_ID'], e['AWS_SECRET_ACCESS_KEY'], e.get('AWS_SESSION_TOKEN')

    def credentials_json(self, who, seconds=3600, **changed):
        key, secret, token = self.credentials_of(who)
        until = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime('%Y-%m-%dT%H:%M:%SZ')
        return json.dumps({'AccessKeyId': key, 'SecretAccessKey': secret, 'Token': token or '', 'Expiration': until, **changed}).encode()

    def call(self, who, service, method, path, body=b'', query='', **fields):
        key, secret, token = self.credentials_of(who)
        signer = Signer(key, secret, f'localhost:{self.port}', token, service=service)
        tls = ssl.create_default_context(cafile=str(self.data / 'tls/ca.pem'))
        return talk(self.port, signer.request(method, path, body, query, **fields), tls)

    def kms(self, who, operation, **members):
        return self.call(who, 'kms', 'POST', '/', json.dumps(members).encode(), content_type='application/x-amz-json-1.1',
                         x_amz_target=f'TrentService.{operation}')

    def sqs(self, who, operation, queue='coffer-jobs', **members):
        return self.call(who, 'sqs', 'POST', '/', json.dumps({'QueueUrl': self.queue_url(queue), **members}).encode(),
                         content_type='application/x-amz-json-1.0', x_amz_target=f'AmazonSQS.{operation}')

    def signed_again(self, who, r, body):
        """A request of the enclave's with another body, signed with the credentials that the host handed over."""
        key, secret, token = self.credentials_of(who)
        signer = Signer(key, secret, f'localhost:{self.port}', token, service='kms' if r.target in ('Decrypt', 'GenerateDataKey') else 'sqs')
        raw = signer.request('POST', '/', body, content_type=field(r.fields, 'content-type'), x_amz_target=field(r.fields, 'x-amz-target'))
        head, _, body = raw.partition(b'\r\n\r\n')
        lines = head.decode().split('\r\n')
        return Request(lines[0], [tuple(x.split(': ', 1)) for x in lines[1:]], body)

    def host(self, **behaviour):
        h = HostileHost(self)
        for name, value in behaviour.items():
            setattr(h, name, value)
        (self.dir / 'coffer-enclave.log').unlink(missing_ok=True)
        return h

    @staticmethod
    def until(true, seconds=30):
        """Waits until it is; what it says then, or at the end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not true():
            time.sleep(0.02)
        return true()

    def log(self, *words, seconds=30):
        """The enclave's log, once one of the words is in it (or the time is over)."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not any(w in self.tail('coffer-enclave') for w in words):
            time.sleep(0.02)
        return self.tail('coffer-enclave')

    def status(self, job, wait=20):
        """-> done, refused or pending; the reason"""
        code, out, err = self.coffer('status', job, '--wait', wait, '--json', *self.gateway())
        state = json.loads(out) if out else {}
        return state.get('state', f'exit {code}'), state.get('reason', err)

    def context_for(self, name, ca=None):
        """TLS as a server called `name`, under the system's own CA (the worst case: the attacker has it) or under one of its own."""
        d = self.dir / f'tls-{name}-{"own" if ca else "real"}'
        if not d.exists():
            d.mkdir()
            run = lambda *a: subprocess.run(['openssl', *map(str, a)], check=True, capture_output=True, timeout=60)
            ca_key, ca_pem = (d / 'ca.key', d / 'ca.pem') if ca else (self.data / 'tls/ca.key', self.data / 'tls/ca.pem')
            if ca:
                run('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', ca_key, '-out', ca_pem, '-subj',
                    '/CN=another authority', '-days', 2)
            run('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', d / 'key', '-out', d / 'csr', '-subj', f'/CN={name}')
            (d / 'ext').write_text(f'subjectAltName=DNS:{name}\nbasicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n'
                                   'extendedKeyUsage=serverAuth\n')
            run('x509', '-req', '-in', d / 'csr', '-CA', ca_pem, '-CAkey', ca_key, '-set_serial', int.from_bytes(os.urandom(8), 'big') >> 1, '-days', 1,
                '-extfile', d / 'ext', '-out', d / 'pem')
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(d / 'pem', d / 'key')
        return context


# An answer of KMS as anybody can make it who has seen the public key (C-05) ----------------------------------------------------
def der(tag, *parts):
    body = b''.join(parts)
    n = len(body)
    size = bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else b'\x82' + n.to_bytes(2, 'big')
    return bytes([tag]) + size + body


def oid(text):
    first, second, *rest = map(int, text.split('.'))
    out = bytes([40 * first + second])
    for n in rest:
        part = bytes([n & 127])
        while n > 127:
            n >>= 7
            part = bytes([128 | n & 127]) + part
        out += part
    return der(6, out)


def public_key_of(document):
    """The SubjectPublicKeyInfo inside an attestation document."""
    at = document.index(b'public_key') + len(b'public_key')
    assert document[at] == 0x59
    n = int.from_bytes(document[at + 1:at + 3], 'big')
    return document[at + 3:at + 3 + n]


def forge(document, plaintext, tmp, label=b''):
    """CiphertextForRecipient for the enclave of that document, holding a plaintext of the attacker's."""
    spki = public_key_of(document)
    (tmp / 'spki').write_bytes(spki)
    run = lambda *a, data: subprocess.run(['openssl', *map(str, a)], input=data, check=True, capture_output=True, timeout=60).stdout
    cek, iv = os.urandom(32), os.urandom(16)
    wrapped = run('pkeyutl', '-encrypt', '-pubin', '-keyform', 'DER', '-inkey', tmp / 'spki', '-pkeyopt', 'rsa_padding_mode:oaep', '-pkeyopt',
                  'rsa_oaep_md:sha256', '-pkeyopt', 'rsa_mgf1_md:sha256', data=cek)
    cipher = run('enc', '-aes-256-cbc', '-K', cek.hex(), '-iv', iv.hex(), data=plaintext)
    sha256 = der(0x30, oid('2.16.840.1.101.3.4.2.1'), der(5))
    oaep = der(0x30, oid('1.2.840.113549.1.1.7'), der(0x30, der(0xa0, sha256), der(0xa1, der(0x30, oid('1.2.840.113549.1.1.8'), sha256))))
    recipient = der(0x30, der(2, b'\2'), der(0x80, hashlib.sha256(spki).digest()), oaep, der(4, wrapped))
    content = der(0x30, oid('1.2.840.113549.1.7.1'), der(0x30, oid('2.16.840.1.101.3.4.1.42'), der(4, iv)), der(0x80, cipher))
    return der(0x30, oid('1.2.840.113549.1.7.3'), der(0xa0, der(0x30, der(2, b'\2'), der(0x31, recipient), content)))
