#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer watch to a gateway: what waits is sealed, what is sent becomes one job each, whoever is killed meanwhile; and the gateway's
Idempotency-Key, by which it knows what it has. The enclave works them off at the end, and says of which bytes each result is."""
import concurrent.futures as cf, hashlib, importlib.machinery, importlib.util, json, os, random, signal, subprocess, sys, time
from pathlib import Path

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'tools'))
from local import Checks

loader = importlib.machinery.SourceFileLoader('demo', str(SOURCE / 'deploy/local/demo'))
demo_module = importlib.util.module_from_spec(importlib.util.spec_from_loader('demo', loader))
loader.exec_module(demo_module)
check = Checks()


class System(demo_module.Demo):
    """The demo's services, a camera's folder and a key for its spool."""

    def begin(self):
        self.set_up()
        demo_module.root_certificate(self)
        self.start_producer()
        self.camera, self.key = self.dir / 'camera', self.dir / 'spool.key'
        self.camera.mkdir()
        self.coffer('keygen', self.key)
        self.ring = f'raw-aes:camera:spool:{self.key}'
        gateway = self.gateway()
        self.where = [gateway[1], *gateway[2:]]

    def coffer(self, *args, who=None, **env):
        p = subprocess.run([str(self.bin['coffer']), *map(str, args)], env=self.environment(who) | env, stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=90, cwd=self.dir)
        return p.returncode, p.stdout.decode(), p.stderr.decode(errors='replace')

    def watch(self, *more):
        return ['watch', self.camera, *self.where, '--seal', self.ring, '--json', '--settle', '0', *more]

    def once(self, *more, **env):
        return self.coffer(*self.watch('--once', *more), **env)

    def restart_producer(self):
        old = next(p for n, p in self.running if n == 'coffer-producer')
        old.send_signal(signal.SIGKILL)
        old.wait()
        self.running = [(n, p) for n, p in self.running if p is not old]
        self.start('coffer-producer', ['--listen', f'tcp:127.0.0.1:{self.producer_port}', '--bucket', self.BUCKET, '--queue-url',
                                       self.queue_url('coffer-jobs'), '--data-key-arn', self.key_arn('data'), '--issuer',
                                       f'https://localhost:{self.port}', '--tls-dir', self.data / 'tls'], who='producer')

    def put(self, name, data):
        temp = self.camera / ('.' + name)
        temp.write_bytes(data)
        temp.rename(self.camera / name)

    def picture_bytes(self, seed):
        path = self.dir / f'picture-{seed}.jpg'
        subprocess.run([str(self.picture), str(path), str(seed)], check=True)
        return path.read_bytes()

    def waiting(self):
        spool = self.camera / '.coffer-spool'
        return sorted(p.name for p in spool.glob('*.spool')) if spool.exists() else []

    def post(self, body, type_, key=None, raw_key=None):
        """-> status, reply as JSON; by curl, as any client"""
        head = f'Idempotency-Key: {raw_key if raw_key is not None else chr(34) + key + chr(34)}'
        p = subprocess.run(['curl', '-sS', '--cacert', str(self.data / 'tls/ca.pem'), '-H', f'Authorization: Bearer {self.token}', '-H', head,
                            '-H', f'Content-Type: {type_}', '--data-binary', '@-', '-w', '\n%{http_code}',
                            f'https://localhost:{self.producer_port}/encrypt'], input=body, capture_output=True, timeout=60)
        text, _, status = p.stdout.decode().rpartition('\n')
        return int(status or 0), json.loads(text or '{}')


def sealed_until_sent(s, sent):
    face = s.picture_bytes(1)
    s.put('face.jpg', face)
    s.put('empty', b'')
    down = [x if not str(x).startswith('https') else 'https://127.0.0.1:1' for x in s.watch('--once')]
    code, out, err = s.coffer(*down)
    check('without a link it waits, sealed', code == 4 and len(s.waiting()) == 1 and not (s.camera / 'face.jpg').exists()
          and face[200:400] not in (s.camera / '.coffer-spool' / s.waiting()[0]).read_bytes(), err)
    code, out, err = s.once()
    said = [json.loads(x) for x in out.splitlines()]
    check('with one it becomes a job', code == 0 and [x['sent'] for x in said] == ['face.jpg'] and said[0]['bytes'] == len(face)
          and s.waiting() == [], f'{out} {err}')
    check('an empty file stays where it is', (s.camera / 'empty').exists())
    sent[hashlib.sha256(face).hexdigest()] = 'face.jpg'
    other = s.dir / 'other.key'
    s.coffer('keygen', other)
    s.put('again.jpg', s.picture_bytes(2))
    s.coffer(*down)
    code, out, err = s.coffer(*[f'raw-aes:camera:spool:{other}' if x == s.ring else x for x in s.watch('--once')])
    check('another key opens nothing, and nothing is lost', code == 4 and 'cannot be opened here' in err and len(s.waiting()) == 1, err)
    entry = s.camera / '.coffer-spool' / s.waiting()[0]
    good = entry.read_bytes()
    entry.write_bytes(good[:-200] + bytes([good[-200] ^ 1]) + good[-199:])
    code, out, err = s.once()
    check('an altered entry is not sent', code == 4 and 'altered' in err and s.queued() == 1, err)
    entry.write_bytes(good)
    code, out, err = s.once()
    check('the right one is', code == 0 and s.queued() == 2, err)
    sent[hashlib.sha256(s.picture_bytes(2)).hexdigest()] = 'again.jpg'


def wrong_use(s):
    def fails(name, says, *args):
        code, out, err = s.coffer('watch', s.camera, *args)
        check(name, code == 2 and says in err, f'exit {code}: {err}')
    pem, public = s.dir / 'rsa.pem', s.dir / 'rsa-public.pem'
    subprocess.run(['openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', str(pem)], check=True, capture_output=True)
    subprocess.run(['openssl', 'pkey', '-in', str(pem), '-pubout', '-out', str(public)], check=True)
    rsa = 'raw-rsa:n:k:oaep-sha256:'
    fails('a key that only seals', 'cannot be opened here', *s.where, '--seal', f'{rsa}{public}')
    fails('encryption by S3 is not ours to say', 'go with s3://', *s.where, '--seal', s.ring, '-e', 'sse-s3')
    fails('a gateway\'s options for S3', 'go with a gateway', 's3://bkt/', '--seal', s.ring, '--token-url', 'https://localhost/')
    fails('no token', 'no token', s.where[0], '--seal', s.ring)
    fails('plain http', 'write s3://', 'http://localhost:1', '--seal', s.ring)
    s.put('by-rsa.txt', b'some text')
    code, out, err = s.coffer('watch', s.camera, *s.where, '--seal', f'{rsa}{public}', '--open', f'{rsa}{pem}', '--once', '--settle', '0')
    check('sealed by a public key, opened by the private one', code == 0 and 'as job' in out, err)


def keys(s):
    text = b'a submission, said twice'
    first = s.post(text, 'text/plain', key='k-1')
    again = s.post(text, 'text/plain', key='k-1')
    check('the same key is the same job', first[0] == 202 and again[0] == 202 and first[1]['job'] == again[1]['job']
          and again[1].get('repeated') is True and 'repeated' not in first[1], f'{first} {again}')
    plain = s.post(text, 'text/plain', raw_key='k-1')
    check('quoted or not', plain[1].get('job') == first[1]['job'], plain)
    other = s.post(text, 'text/plain', key='k-2')
    check('another key is another job', other[0] == 202 and other[1]['job'] != first[1]['job'], other)
    changed = s.post(b'\x89PNG\r\n\x1a\n' + text, 'image/png', key='k-1')
    check('a key for another type of data is refused', changed[0] == 422 and changed[1]['error'] == 'key-reused', changed)
    for bad in ('""', '"a b"', 'x' * 129, '"a"b"'):
        status, reply = s.post(text, 'text/plain', raw_key=bad)
        check(f'a malformed key is 400: {bad[:10]}', status == 400 and reply['error'] == 'key-malformed', f'{status} {reply}')
    doc = json.dumps({'data': {'a': 1}}).encode()
    one, two = s.post(doc, 'application/json', key='k-json'), s.post(doc, 'application/json', key='k-json')
    check('JSON too', one[0] == 202 and one[1]['job'] == two[1]['job'], f'{one} {two}')
    with cf.ThreadPoolExecutor(4) as pool:
        for i in range(4):
            got = list(pool.map(lambda _: s.post(text * 1000, 'text/plain', key=f'k-race-{i}'), range(4)))
            check(f'four at once are one job ({i})', {g[0] for g in got} == {202} and len({g[1]['job'] for g in got}) == 1, got)
    (s.dir / 'note.txt').write_bytes(text)
    jobs = {s.coffer('submit', s.dir / 'note.txt', *s.gateway(), '--idempotency-key', 'by-hand')[1] for _ in range(2)}
    check('coffer submit --idempotency-key', len(jobs) == 1 and jobs != {''}, jobs)
    code, out, err = s.coffer('submit', s.dir / 'note.txt', *s.gateway(), '--idempotency-key', 'a b')
    check('which is checked here', code == 2 and 'letters' in err, err)


def killed(s, sent):
    rounds = int(os.environ.get('COFFER_KILLS', '40'))
    n = 0
    for i in range(rounds):
        for _ in range(random.randint(0, 1)):
            data = s.picture_bytes(1000 + n)
            sent[hashlib.sha256(data).hexdigest()] = f'{n}.jpg'
            s.put(f'{n}.jpg', data)
            n += 1
        p = subprocess.Popen([str(s.bin['coffer']), *map(str, s.watch('-j', '2'))], env=s.environment(), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        time.sleep(random.uniform(0.01, 0.12))
        if i % 4 == 3:
            s.restart_producer()
        p.send_signal(signal.SIGKILL)
        p.wait()
    code, out, err = s.once()
    check(f'{rounds} times kill -9 of the device, {rounds // 4} of the gateway: the rest goes', code == 0 and s.waiting() == []
          and [f.name for f in s.camera.iterdir() if f.name.endswith('.jpg')] == [], err)


def worked_off(s, sent):
    s.start_host()
    deadline = time.monotonic() + 40
    while s.queued() > 0 and time.monotonic() < deadline:
        time.sleep(0.2)
    listed = []
    while time.monotonic() < deadline:
        listed = [json.loads(x)['key'] for x in s.coffer('ls', '-r', f's3://{s.BUCKET}/results/', '--json', who='owner')[1].splitlines()]
        if len(listed) >= len(sent):
            break
        time.sleep(0.2)
    time.sleep(0.5)
    listed = [json.loads(x)['key'] for x in s.coffer('ls', '-r', f's3://{s.BUCKET}/results/', '--json', who='owner')[1].splitlines()]
    of = []
    for key in listed:
        code, out, err = s.coffer(*s.result_args(key.rsplit('/', 1)[1]), who='owner')
        of.append(json.loads(out)['sha256'] if code == 0 else err)
    check(f'each of {len(sent)} pictures was worked on, and none twice', sorted(of) == sorted(sent),
          f'{len(of)} results, {len(set(of))} different, {len(set(sent) - set(of))} missing {[x for x in of if x not in sent][:3]}')


def main():
    s, sent = System(BUILD, False), {}
    s.queued = lambda: int(s.awsdo(['sqs-count', s.queue_url('coffer-jobs')], 'auditor').stdout or -1)
    try:
        s.begin()
        body = 'grant_type=client_credentials&' + '&'.join((s.data / 'credentials/demo.oauth').read_text().split())
        token = subprocess.run(['curl', '-sS', '--cacert', str(s.data / 'tls/ca.pem'), '-d', '@-', f'https://localhost:{s.port}/oauth/token'],
                               input=body.encode(), capture_output=True, timeout=30)
        s.token = json.loads(token.stdout)['access_token']
        sealed_until_sent(s, sent)
        killed(s, sent)
        worked_off(s, sent)
        keys(s)
        wrong_use(s)
    except Exception as e:  # a broken set-up must show as a failed test
        check(f'the test itself: {type(e).__name__}: {e}', False, '\n'.join(s.tail(n) for n in ('coffer-local', 'coffer-producer', 'coffer-host')))
    finally:
        s.stop()
    return check.done()


sys.exit(main())
