#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input to the running system: each ends in a clear error that names its cause, the right exit code or status, and nothing
half-written. C-17 C-28 C-29 C-38"""
import http.server, importlib.machinery, importlib.util, json, os, select, shutil, signal, socket, ssl, subprocess, sys, threading, time
from pathlib import Path

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])
VECTORS = Path(os.environ.get('COFFER_VECTORS', '/nonexistent'))
loader = importlib.machinery.SourceFileLoader('demo', str(SOURCE / 'deploy' / 'local' / 'demo'))
spec = importlib.util.spec_from_loader('demo', loader)
demo_module = importlib.util.module_from_spec(spec)
loader.exec_module(demo_module)
RESULTS = []


def check(name, ok, evidence=''):
    RESULTS.append((name, bool(ok), '', evidence))


def skip(name, why):
    RESULTS.append((name, True, why, ''))


class System(demo_module.Demo):
    def coffer(self, *args, who=None, stdin=None, timeout=90):
        p = subprocess.run([str(self.bin['coffer'])] + [str(a) for a in args], env=self.environment(who), input=stdin,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, cwd=self.dir)
        return p.returncode, p.stdout, p.stderr.decode(errors='replace')

    def token(self):
        client = dict(l.split('=', 1) for l in (self.data / 'credentials' / 'demo.oauth').read_text().split())
        body = 'grant_type=client_credentials&client_id=%s&client_secret=%s' % (client['client_id'], client['client_secret'])
        status, reply = self.https(self.port, f'POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: '
                                   f'application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}'.encode())
        assert status == 200, reply
        return json.loads(reply)['access_token']

    def https(self, port, data, end=False):
        context = ssl.create_default_context(cafile=str(self.data / 'tls' / 'ca.pem'))
        with socket.create_connection(('127.0.0.1', port), timeout=20) as raw:
            with context.wrap_socket(raw, server_hostname='localhost') as s:
                s.sendall(data)
                if end:
                    return 0, b''
                got = b''
                while b'\r\n\r\n' not in got:
                    more = s.recv(65536)
                    if not more:
                        break
                    got += more
                head, _, body = got.partition(b'\r\n\r\n')
                length = next((int(l.split(b':')[1]) for l in head.split(b'\r\n') if l.lower().startswith(b'content-length')), 0)
                while len(body) < length:
                    more = s.recv(65536)
                    if not more:
                        break
                    body += more
        self.fields = dict(l.decode().lower().split(': ', 1) for l in head.split(b'\r\n')[1:] if b': ' in l)
        return int(head.split()[1]) if head else 0, body.decode(errors='replace')

    def post(self, body, type_='application/octet-stream', token=None, path='/encrypt', length=None, extra=''):
        auth = f'Authorization: Bearer {token}\r\n' if token else ''
        size = '' if length == '' else f'Content-Length: {len(body) if length is None else length}\r\n'
        return self.https(self.producer_port, f'POST {path} HTTP/1.1\r\nHost: localhost\r\n{auth}Content-Type: {type_}\r\n{size}{extra}'
                          f'\r\n'.encode() + body)

    def queued(self):
        p = self.awsdo(['sqs-count', self.queue_url('coffer-jobs')], 'auditor')
        return int(p.stdout) if p.returncode == 0 else -1


def submissions(s):
    good = s.token()
    gateway = s.gateway()
    code, _, err = s.coffer('submit', s.dir / 'absent.png', *gateway)
    check('submit: a missing file is named', code == 1 and 'absent.png' in err and 'No such file' in err, err)
    (s.dir / 'empty').write_bytes(b'')
    code, _, err = s.coffer('submit', s.dir / 'empty', *gateway)
    check('submit: an empty file is refused before anything is sent', code == 2 and 'empty' in err, err)
    code, _, err = s.coffer('submit', s.dir, *gateway)
    check('submit: a folder is refused', code != 0 and 'not a file' in err, err)
    (s.dir / 'bad-token').write_text('eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.')
    (s.dir / 'note').write_text('hello')
    code, _, err = s.coffer('submit', s.dir / 'note', '--producer', gateway[1], '--ca-file', gateway[3], '--token-file', s.dir / 'bad-token')
    check('submit: a forged token is refused, with the mend', code == 1 and '401' in err and 'token' in err, err)
    for name, token in (('no token', None), ('an unsigned token', (s.dir / 'bad-token').read_text()),
                        ('a token with one character changed', good[:-2] + ('A' if good[-2] != 'A' else 'B') + good[-1])):
        status, body = s.post(b'x', token=token)
        check(f'gateway: {name} is 401', status == 401, f'{status} {body}')
    cases = [('a body of another type than declared is 415', dict(body=b'this is text, no picture', type_='image/png'), 415, 'media type'),
             ('a media type that is not taken is 415', dict(body=b'MZ..', type_='application/x-msdownload'), 415, 'media type'),
             ('a body over the limit is 413', dict(body=b'x', length=65 << 20), 413, 'larger'),
             ('an empty body is 400', dict(body=b''), 400, 'empty'),
             ('a body without a length is 411', dict(body=b'5\r\nhello\r\n0\r\n\r\n', length='', extra='Transfer-Encoding: chunked\r\n'), 411, 'Content-Length'),
             ('malformed JSON is 400 with the place', dict(body=b'{"data": ', type_='application/json'), 400, 'line 1')]
    for name, args, want, word in cases:
        status, body = s.post(token=good, **args)
        check(f'gateway: {name}', status == want and word in body, f'{status} {body}')
    status, body = s.https(s.producer_port, b'GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n')
    check('gateway: an unknown page is 404 and says which there are', status == 404 and '/encrypt' in body, f'{status} {body}')
    status, body = s.https(s.producer_port, b'POST /encrypt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')
    check('gateway: a smuggled request is 400 (C-38)', status == 400, f'{status} {body}')


def limited(s):
    """A gateway that takes three a minute of a subject."""
    _, words = s.start('coffer-producer', ['--listen', 'tcp:127.0.0.1:0', '--bucket', s.BUCKET, '--queue-url', s.queue_url('coffer-jobs'), '--data-key-arn', s.key_arn('data'),
                                           '--issuer', f'https://localhost:{s.port}', '--tls-dir', s.data / 'tls', '--per-minute', '3'], who='producer')
    usual, s.producer_port = s.producer_port, int(words[0])
    good = s.token()
    forged = [s.post(b'x', token=good[:-2])[0] for _ in range(4)]
    asked = [s.post(b'MZ', token=good, type_='application/x-msdownload')[0] for _ in range(8)]
    check('gateway: who asks more than --per-minute is refused (429), whatever is asked', asked == [415] * 3 + [429] * 5, asked)
    wait = s.fields.get('retry-after', '')
    check('gateway: and told when its next token is there, of which one comes in 20 s', wait.isdigit() and 5 < int(wait) <= 20, s.fields)
    check('gateway: and forged tokens take nothing from a subject\'s share', forged == [401] * 4, forged)
    status, _ = s.https(s.producer_port, b'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    check('gateway: meanwhile it serves', status == 200, status)
    s.producer_port = usual


def ready_with_keys(s):
    """An issuer that takes its time: who is told "ready" can send at once."""
    answered = []
    keys = b'{"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}'

    class Issuer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answered.append(not select.select([self.connection], [], [], 0.5)[0])
            self.send_response(200)
            self.send_header('Content-Length', str(len(keys)))
            self.end_headers()
            self.wfile.write(keys)

        def log_message(self, *_):
            pass
    server = http.server.HTTPServer(('127.0.0.1', 0), Issuer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _, words = s.start('coffer-producer', ['--listen', 'tcp:127.0.0.1:0', '--bucket', s.BUCKET, '--queue-url', s.queue_url('coffer-jobs'), '--data-key-arn', s.key_arn('data'),
                                '--issuer', f'http://127.0.0.1:{server.server_port}', '--tls-dir', s.data / 'tls'], who='producer')
    check('gateway: it is ready when it has the issuer\'s keys, not before', answered[:1] == [True], answered)
    usual, s.producer_port = s.producer_port, int(words[0])
    token = s.token()  # of a key that this issuer does not have
    statuses, until = [], time.monotonic() + 4
    while time.monotonic() < until and len(answered) < 4:
        statuses.append(s.post(b'x', token=token)[0])
    check('gateway: tokens of unknown keys, which anybody can send, do not have it ask the issuer again and again (C-38)',
          len(answered) <= 2 and set(statuses) == {401} and len(statuses) > 20, f'{len(answered)} asked, {len(statuses)} sent, {set(statuses)}')
    s.producer_port = usual
    server.shutdown()


def truncated(s, host):
    """With the enclave away, the queue shows what was accepted."""
    s.stop_host(host)
    before = s.queued()
    s.https(s.producer_port, f'POST /encrypt HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {s.token()}\r\nContent-Type: image/png\r\n'
            f'Content-Length: 100000\r\n\r\n'.encode() + b'\x89PNG\r\n\x1a\n' + b'x' * 1000, end=True)
    status, _ = s.https(s.producer_port, b'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    check('gateway: an upload that ends early is no job, and the gateway goes on', before == s.queued() == 0 and status == 200,
          f'{before} {s.queued()} {status}')
    status, body = s.post(b'{"data": "hello"}', type_='application/json', token=s.token())
    check('gateway: the JSON form of a submission is accepted', status == 202 and s.queued() == 1, f'{status} {body}')
    # a job that was acknowledged survives the stand-in being killed
    local = next(p for n, p in s.running if n == 'coffer-local')
    local.send_signal(signal.SIGKILL)
    local.wait()
    s.running = [(n, p) for n, p in s.running if p is not local]
    s.start('coffer-local', ['serve', '--data', s.data, '--listen', f'tcp:127.0.0.1:{s.port}'])
    check('coffer-local: kill -9 after the answer loses nothing', s.queued() == 1, s.tail('coffer-local'))
    return s.start_host()


def results(s, job, picture):
    args = s.result_args(job)
    out = s.dir / 'out.json'
    code, _, err = s.coffer('result', 'deadbeef', *args[2:], '-o', out, who='owner')
    check('result: an unknown job is "later" (4)', code == 4 and 'no result' in err and not out.exists(), f'{code} {err}')
    wrong = [a if not a.startswith('0=') else '0=' + 'ab' * 48 for a in map(str, args)]
    code, _, err = s.coffer(*wrong, '-o', out, who='owner')
    check('result: a wrong PCR is refused (3), nothing is written', code == 3 and not out.exists(), f'{code} {err}')
    i = args.index('--root')
    code, _, err = s.coffer(*(args[:i] + args[i + 2:]), '-o', out, who='owner')
    check('result: the simulation is refused under the AWS root (3)', code == 3 and not out.exists(), f'{code} {err}')
    other = s.dir / 'other.png'
    other.write_bytes(picture.read_bytes() + b'\0')
    code, _, err = s.coffer(*args, '-o', out, '--input', other, who='owner')
    check('result: another input than the receipt commits to is refused (3)', code == 3 and 'not made from' in err and not out.exists(), f'{code} {err}')
    alias = [a if not str(a).startswith('arn:aws:kms') else 'alias/coffer-results' for a in args]
    code, _, err = s.coffer(*alias, '-o', out, who='owner')
    check('result: an alias in place of the key ARN is wrong use (2)', code == 2 and 'ARN' in err, f'{code} {err}')
    code, _, err = s.coffer(*args, '-o', out, who='consumer')
    check('result: the host\'s credentials get no result', code == 1 and 'AccessDenied' in err and not out.exists(), f'{code} {err}')
    code, _, err = s.coffer(*args, '-o', '/dev/full' if os.path.exists('/dev/full') else out, '--input', picture, who='owner')
    check('result: an output that cannot be written is an error', code == 1 and '/dev/full' in err, f'{code} {err}')
    code, _, err = s.coffer(*args, '-o', out, '--input', picture, who='owner')
    check('result: and with everything right it is written', code == 0 and json.loads(out.read_text())['format'] == 'png', f'{code} {err}')


def documents(s):
    (s.dir / 'noise').write_bytes(os.urandom(4000))
    code, _, err = s.coffer('attest', 'verify', s.dir / 'noise')
    check('attest verify: noise is refused (3) (C-17)', code == 3, f'{code} {err}')
    cases = VECTORS / 'attestation' / 'cases.jsonl'
    if not cases.exists():
        skip('attest verify: a real document, right and wrong PCR', 'the vectors are not here')
        return
    case = next(c for c in map(json.loads, cases.read_text().splitlines()) if c['kind'] == 'enclave' and c['expect'] == 'valid' and not c['debug_mode'])
    doc = VECTORS / 'attestation' / case['file'] if not case['file'].startswith('attestation') else VECTORS / case['file']
    pcr0 = case['pcrs']['0']
    code, out, err = s.coffer('attest', 'verify', doc, '--pcr', f'0={pcr0}', '--json')
    said = json.loads(out) if code == 0 else {}
    check('attest verify: a real document is proved (0)', code == 0 and said['pcrs']['0'] == pcr0 and said['measurements_compared'] is True, f'{code} {err}')
    code, out, err = s.coffer('attest', 'verify', doc, '--json')
    check('attest verify: whoever reads JSON is told that any enclave would have passed', code == 0 and json.loads(out)['measurements_compared'] is False, f'{code} {err}')
    code, _, err = s.coffer('attest', 'verify', doc, '--pcr', '0=' + 'cd' * 48)
    check('attest verify: with a wrong PCR it is refused (3)', code == 3, f'{code} {err}')
    code, _, err = s.coffer('attest', 'verify', doc, '--at', '1')
    check('attest verify: at another time it is refused (3)', code == 3, f'{code} {err}')


def messages(s):
    key, other, short, plain = s.dir / 'key', s.dir / 'other-key', s.dir / 'short-key', s.dir / 'plain'
    key.write_bytes(os.urandom(32)), other.write_bytes(os.urandom(32)), short.write_bytes(os.urandom(31))
    plain.write_bytes(os.urandom(20000))
    sealed, out = s.dir / 'sealed', s.dir / 'opened'
    ring = lambda f: ('--keyring', f'raw-aes:ns:name:{f}')
    for suite in ('0478', '0578'):
        code, _, err = s.coffer('encrypt', plain, '-o', sealed, *ring(key), '--suite', suite, '--context', 'camera=7')
        ok = code == 0 and s.coffer('decrypt', sealed, '-o', out, *ring(key), '--required-context', 'camera=7')[0] == 0
        check(f'encrypt and decrypt {suite}: the same bytes come back', ok and out.read_bytes() == plain.read_bytes(), err)
        out.unlink(missing_ok=True)
        data = sealed.read_bytes()
        for name, bad, ring_ in (('another key', data, ring(other)), ('one bit changed (C-29)', data[:9000] + bytes([data[9000] ^ 1]) + data[9001:], ring(key)),
                                 ('a changed commitment (C-28)', data, ring(key)), ('the end cut off', data[:-30], ring(key)), ('a byte more', data + b'x', ring(key))):
            if 'commitment' in name:
                at = json.loads(s.coffer('inspect', '--json', sealed)[1])['header_bytes'] - 16 - 1
                bad = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
            (s.dir / 'bad').write_bytes(bad)
            code, _, err = s.coffer('decrypt', s.dir / 'bad', '-o', out, *ring_)
            check(f'decrypt {suite}: {name} is refused, nothing is written', code in (1, 3) and err.count('\n') <= 2 and not out.exists(), f'{code} {err}')
        code, _, err = s.coffer('decrypt', sealed, '-o', out, *ring(key), '--required-context', 'camera=8')
        check(f'decrypt {suite}: another context than required is refused (3)', code == 3 and 'camera=8' in err and not out.exists(), f'{code} {err}')
    code, _, err = s.coffer('encrypt', plain, '-o', s.dir / 'x', *ring(short))
    check('encrypt: a key file of 31 bytes is wrong use (2)', code == 2 and '32 bytes' in err and not (s.dir / 'x').exists(), f'{code} {err}')


def transfers(s, picture):
    key = s.dir / 'sse-c-key'
    key.write_bytes(os.urandom(32))
    storage = f'arn:aws:kms:us-east-1:{s.ACCOUNT}:key/0c0ffe00-5702-4000-8000-000000000004'
    for mode, more, back in (('default', [], []), ('KMS', ['--kms-key-id', storage], []), ('SSE_C', ['--key-file', key], ['--key-file', key])):
        url, out = f's3://{s.BUCKET}/edge/demo/{mode}.png', s.dir / f'{mode}.png'
        code, _, err = s.coffer('put', picture, url, '-e', mode, *more, who='device')
        check(f'put -e {mode}: stored under the mode that was asked for', code == 0, err)
        code, _, err = s.coffer('get', url, out, '-e', mode, *back, who='device')
        check(f'get -e {mode}: the same bytes come back', code == 0 and out.read_bytes() == picture.read_bytes(), err)
    (s.dir / 'wrong').write_bytes(os.urandom(32))
    code, _, err = s.coffer('get', f's3://{s.BUCKET}/edge/demo/SSE_C.png', s.dir / 'never', '-e', 'SSE_C', '--key-file', s.dir / 'wrong', who='device')
    check('get -e SSE_C: another key is refused, nothing is written', code == 1 and not (s.dir / 'never').exists(), f'{code} {err}')
    code, _, err = s.coffer('put', picture, f's3://{s.BUCKET}/jobs/demo/forged', who='device')
    check('put: the device may not write jobs', code == 1 and 'AccessDenied' in err, f'{code} {err}')


def other_images(s, host, picture):
    """KMS gives the data key to the measured image alone: not to one whose configuration differs in a byte, not to a debug one."""
    right = s.config
    for name, change, debug in (('another configuration', lambda t: t.replace('"visibility_s": 60', '"visibility_s": 61'), False),
                                ('debug mode, whose PCRs are zero (C-13)', lambda t: t.replace('"version": 1', '"allow_debug": true, "version": 1'), True)):
        s.stop_host(host)
        s.config = s.dir / 'other.json'
        s.config.write_text(change(right.read_text()))
        log = s.dir / 'coffer-enclave.log'
        log.unlink(missing_ok=True)
        host = s.start_host(['--debug'] if debug else [])
        job = s.submit(picture)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and 'AccessDenied' not in s.tail('coffer-enclave'):
            time.sleep(0.05)
        code = s.coffer('status', job, *s.gateway())[0]
        check(f'an enclave with {name} gets no data key: the job waits', 'kms: AccessDenied' in s.tail('coffer-enclave') and code == 4,
              s.tail('coffer-enclave'))
        s.stop_host(host)
        s.config = right
        host = s.start_host()
        code, _, err = s.coffer('status', job, '--wait', '60', *s.gateway())
        check(f'and the measured one then does the job ({name})', code == 0, err)
    s.stop_host(host)
    log.unlink(missing_ok=True)
    host = s.start_host(['--debug'])
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and 'enclave.not_started' not in s.tail('coffer-enclave'):
        time.sleep(0.05)
    check('an enclave in debug mode does not start unless its configuration allows it', 'debug mode' in s.tail('coffer-enclave') and
          'enclave.ready' not in s.tail('coffer-enclave'), s.tail('coffer-enclave'))
    s.stop_host(host)
    return s.start_host()


def aws_cli(s):
    if not shutil.which('aws'):
        skip('the AWS CLI lists results as the owner, and is denied as the host', 'the AWS CLI is not here')
        return
    run = lambda who: subprocess.run(['aws', '--endpoint-url', f'https://127.0.0.1:{s.port}', 's3', 'ls', f's3://{s.BUCKET}/results/'],
                                     env={**os.environ, **s.environment(who), 'PATH': os.environ['PATH']}, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, timeout=60)
    owner, host = run('owner'), run('consumer')
    check('the AWS CLI, unmodified, lists results with the owner\'s credentials', owner.returncode == 0 and s.TENANT.encode() in owner.stdout, owner.stderr.decode())
    check('and is denied with the host\'s', host.returncode != 0 and b'AccessDenied' in host.stderr, host.stderr.decode())


def main():
    s = System(BUILD, False)
    try:
        s.set_up()
        demo_module.root_certificate(s)
        host = s.start_host()
        s.start_producer()
        picture = s.dir / 'picture.png'
        subprocess.run([str(s.picture), str(picture), '3'], check=True)
        job = s.submit(picture)
        code, _, err = s.coffer('status', job, '--wait', '60', *s.gateway())
        check('a good job is done', code == 0, err)
        submissions(s)
        limited(s)
        ready_with_keys(s)
        results(s, job, picture)
        documents(s)
        messages(s)
        transfers(s, picture)
        aws_cli(s)
        host = other_images(s, host, picture)
        truncated(s, host)
    except Exception as e:  # a broken set-up must show as a failed test
        check(f'the test itself: {type(e).__name__}: {e}', False, '\n'.join(s.tail(n) for n in ('coffer-local', 'coffer-host', 'coffer-enclave', 'coffer-producer')))
    finally:
        s.stop()
    print(f'1..{len(RESULTS)}')
    for i, (name, ok, why, evidence) in enumerate(RESULTS, 1):
        print(f'{"ok" if ok else "not ok"} {i} - {name}{" # SKIP " + why if why else ""}')
        if not ok:
            print('\n'.join('# ' + line for line in str(evidence).splitlines()[-25:]))


main()
