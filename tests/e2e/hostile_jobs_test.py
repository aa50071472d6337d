#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What somebody can do who writes to the queue and the bucket, or sits between the enclave and both: forged, repeated and mixed-up jobs, old
and foreign objects, other metadata, lies about sizes; and what of the data is ever to be seen outside.
C-02 C-03 C-10 C-24 C-25 C-26 C-32 C-33 C-34 C-35"""
import base64, hashlib, json, os, shutil, struct, subprocess, sys, time, zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / 'tools'))
from hostile_host import BUILD, SOURCE, System, demo, field
from local import Checks

check = Checks()
SECRET = b'the number plate is K-OX 4711 and the face is known'


def picture_with_secret(path, source):
    """A picture that carries words which nobody outside may ever read: in a text chunk, uncompressed."""
    data = source.read_bytes()
    body = b'tEXt' + b'Comment\0' + SECRET
    chunk = struct.pack('>I', len(body) - 4) + body + struct.pack('>I', zlib.crc32(body))
    path.write_bytes(data[:33] + chunk + data[33:])


def job_message(s, job, **changed):
    return json.dumps({'version': 1, 'tenant': s.TENANT, 'job': job, 'bucket': s.BUCKET, 'key': f'jobs/{s.TENANT}/{job}', 'media_type': 'image/png',
                       'submitted_ms': int(time.time() * 1000), 'sealed_bytes': 1000, 'sealed_sha256': '00' * 32, **changed})


def with_messages(r, status, fields, body, messages):
    """ReceiveMessage's answer with these bodies in place of (or beside) what there is."""
    a = json.loads(body) if body else {}
    a['Messages'] = [{'Body': m, 'MD5OfBody': hashlib.md5(m.encode()).hexdigest(), 'MessageId': f'00000000-0000-4000-8000-{i:012}', 'ReceiptHandle': 'AQEB' + base64.b64encode(os.urandom(40)).decode(),
                      'Attributes': {'ApproximateReceiveCount': '1', 'SentTimestamp': '1'}} for i, m in enumerate(messages)]
    return 200, fields, json.dumps(a).encode()


class Between:
    """Sits in the enclave's TLS (the worst case), and remembers what went by."""

    def __init__(self, s):
        self.s, self.inject, self.answer_get, self.jobs = s, [], None, []
        self.h = s.host(tls=s.context_for('localhost'), on_answer=self.on_answer, on_request=self.on_request)
        self.h.launch()
        s.log('enclave.ready', 'enclave.not_started')

    def on_request(self, r):
        """Polls are short here, so that nobody waits for them."""
        return self.s.signed_again('consumer', r, json.dumps({**r.json(), 'WaitTimeSeconds': 1}).encode()) if r.target == 'ReceiveMessage' else None

    def on_answer(self, r, status, fields, body):
        if r.target == 'ReceiveMessage' and status == 200:
            self.jobs += [m['Body'] for m in json.loads(body or b'{}').get('Messages', [])]
            if self.inject:
                return with_messages(r, status, fields, b'', self.inject.pop(0))
        if r.method == 'GET' and self.answer_get:
            return self.answer_get(r, status, fields, body)
        return status, fields, body

    def decrypts(self):
        return sum(r.target == 'Decrypt' for r in self.h.seen)

    def gets(self):
        return [r.path.split('?')[0] for r in self.h.seen if r.method == 'GET']


def injected(s, between):
    """C-33: anybody who may send to the queue (or the host) writes jobs. None of them says what the objects' own contexts say."""
    real = s.submit(s.picture_file)
    assert s.status(real)[0] == 'done', s.tail('coffer-enclave')
    sealed = s.call('consumer', 's3', 'GET', f'/{s.BUCKET}/jobs/{s.TENANT}/{real}').body
    result = lambda job: s.call('owner', 's3', 'GET', f'/{s.BUCKET}/results/{s.TENANT}/{job}')
    forged = 'f' * 32
    put = s.call('producer', 's3', 'PUT', f'/{s.BUCKET}/jobs/{s.TENANT}/{forged}', sealed)
    cases = [('no JSON', 'hello', False), ('another version', job_message(s, forged, version=2), False), ('a member more', job_message(s, forged, destination='https://evil'), False),
             ('a member twice', job_message(s, forged)[:-1] + ',"job":"x"}', False), ('a key that is not the job\'s', job_message(s, forged, key=f'jobs/{s.TENANT}/{real}'), False),
             ('a path in the job\'s name', job_message(s, '../../results/x'), False), ('another bucket (C-34)', job_message(s, forged, bucket='attackers-bucket'), False),
             ('a megabyte', job_message(s, forged, media_type='x' * 1000000), False), ('no message at all', '', False),
             ('another job\'s object under this name (C-02, C-03)', job_message(s, forged), True), ('another tenant', job_message(s, real, tenant='other', key=f'jobs/other/{real}'), None),
             ('an object that is not there', job_message(s, 'e' * 32), None), ('the real object with another media type', job_message(s, real, media_type='text/plain'), True)]
    for name, message, fetched in cases:
        gets, decrypts, said = len(between.gets()), between.decrypts(), s.log_whole().count('"job.')
        between.inject.append([message])
        quiet = name in ('no message at all', 'a megabyte') # dropped by whoever reads the queue's answer
        ok = s.until(lambda: not between.inject and (quiet or s.log_whole().count('"job.') > said))
        word = s.log_whole().splitlines()[-1]
        check(f'C-33 an injected job with {name}: ' + ('no key is asked for' if fetched is None else 'refused' if fetched else 'refused before anything is fetched'),
              ok and result(forged).status in (403, 404) and between.decrypts() == decrypts and (fetched in (True, None) or len(between.gets()) == gets) and
              (quiet or '"job.refused"' in word or (fetched is None and '"job.later"' in word)), f'{put} {word}')
    job = s.submit(s.picture_file)
    check('and the next good job is done', s.status(job, 30)[0] == 'done', s.tail('coffer-enclave')[-400:])
    return real


def repeated(s, between, real):
    """C-32, C-10: the same message again."""
    message = next(m for m in between.jobs if real in m)
    path = f'/{s.BUCKET}/results/{s.TENANT}/{real}'
    before = s.call('owner', 's3', 'GET', path)
    between.inject += [[message]] * 3
    s.until(lambda: s.log_whole().count('"job.done_before"') >= 3)
    after = s.call('owner', 's3', 'GET', path)
    versions = s.call('root', 's3', 'GET', f'/{s.BUCKET}', query=f'prefix=results%2F{s.TENANT}%2F{real}&versions=').body.count(b'<VersionId>')
    check('C-10 C-32 a job that comes again and again: its result stays the first one, as the only version', before.status == 200 and before.body == after.body and versions == 1 and s.log_whole().count('"job.done_before"') == 3,
          f'{before} {after} {versions} {s.tail("coffer-enclave")[-300:]}')


def stale(s, between):
    """C-10: S3, or whoever answers for it, serves what once was right."""
    first, second = s.submit(s.picture_file), None
    s.status(first)
    old = s.call('consumer', 's3', 'GET', f'/{s.BUCKET}/jobs/{s.TENANT}/{first}').body

    def serve_old(r, status, fields, body):
        return (200, [(n, v) for n, v in fields if not n.lower().startswith('x-amz-checksum')], old) if f'/jobs/{s.TENANT}/' in r.path else (status, fields, body)
    between.answer_get = serve_old
    second = s.submit(s.picture_file)
    state = s.status(second)
    between.answer_get = None
    check('C-10 an old object in the place of the new one', state == ('refused', 'context-differs'), state)

    # the owner is given an old, right result and receipt in the place of the new
    third, fourth = s.submit(s.other_picture), 'c' * 32 # a job that the host keeps from the enclave
    assert s.status(third)[0] == 'done'
    old = s.call('owner', 's3', 'GET', f'/{s.BUCKET}/results/{s.TENANT}/{third}').body
    over = s.call('consumer', 's3', 'PUT', f'/{s.BUCKET}/results/{s.TENANT}/{third}', old)
    check('C-10 with the host\'s credentials no result is written over', over.status == 403, over)
    put = s.call('consumer', 's3', 'PUT', f'/{s.BUCKET}/results/{s.TENANT}/{fourth}', old, if_none_match='*')
    out = s.dir / 'stale.out'
    code, _, err = s.coffer(*s.result_args(fourth), '-o', out, who='owner')
    check('C-10 another job\'s result and receipt in the place of a result: the owner is told, and gets nothing', put.status == 200 and code == 3 and not out.exists(), f'{put} {code} {err}')


def metadata(s, between):
    """C-35: what stands beside an object is anybody's to write."""
    def lie(r, status, fields, body):
        kept = [(n, v) for n, v in fields if n.lower() not in ('content-type', 'etag', 'x-amz-version-id', 'last-modified')]
        return status, kept + [('Content-Type', 'text/html'), ('x-amz-meta-tenant', 'other'), ('x-amz-meta-results-key', 'arn:aws:kms:us-east-1:444455556666:key/evil'),
                               ('x-amz-meta-destination', 'https://evil.example/'), ('x-amz-website-redirect-location', 'https://evil.example/'), ('ETag', '"00"'),
                               ('x-amz-version-id', 'evil'), ('Location', 'https://evil.example/')], body
    between.answer_get = lie
    job = s.submit(s.picture_file)
    state = s.status(job)
    between.answer_get = None
    out = s.dir / 'metadata.out'
    code, said, err = s.coffer(*s.result_args(job), '-o', out, '--json', '--input', s.picture_file, who='owner')
    proof = json.loads(said or b'{}')
    check('C-35 other type, tenant, destination and key in an object\'s metadata: nothing of it is believed', state[0] == 'done' and code == 0 and proof['tenant'] == s.TENANT and
          proof['results_key_arn'] == s.key_arn('results') and set(between.h.targets) == {f'localhost:{s.port}'}, f'{state} {code} {err} {between.h.targets}')


def sizes(s, between):
    """C-25: sizes that are not what they say, over what the enclave will hold."""
    def grow(r, status, fields, body):
        return status, fields, body + bytes(3 << 20)
    between.answer_get = grow
    job = s.submit(s.picture_file)
    state = s.status(job)
    between.answer_get = None
    pid = between.h.enclave['pid']
    peak = int(next(line for line in Path(f'/proc/{pid}/status').read_text().splitlines() if line.startswith('VmHWM')).split()[1])
    check('C-25 an object that is larger than the enclave holds: refused, memory stays small', state[0] == 'refused' and state[1] in ('object-unreadable', 'too-large') and peak < 40000, f'{state} {peak}')
    between.inject.append([job_message(s, 'd' * 32, sealed_bytes=1 << 50)])
    check('C-25 a job that says it is a petabyte: refused, nothing fetched', s.until(lambda: f'"job":"{"d" * 32}","why":"too-large"' in s.log_whole(), 30) and
          not any('d' * 32 in path for path in between.gets()), s.tail('coffer-enclave')[-300:])

    def cut(r, status, fields, body):
        return status, fields, body[:len(body) // 2]
    between.answer_get = cut
    state = s.status(s.submit(s.picture_file))
    between.answer_get = None
    check('C-10 half an object: refused', state[0] == 'refused', state)


def leaks(s, between):
    """C-26: everything that lies on the machine, in the bucket and in the logs afterwards."""
    out = s.dir / 'leak.out'
    job = s.submit(s.picture_file)
    s.status(job)
    code, _, err = s.coffer(*s.result_args(job), '-o', out, '--input', s.picture_file, who='owner')
    facts = json.loads(out.read_text())
    for f in [*s.mine, *s.dir.glob('*.out')]:
        f.unlink()
    bad = [SECRET, facts['dhash'].encode() if len(str(facts['dhash'])) >= 12 else SECRET, facts['sha256'].encode(), bytes.fromhex(facts['sha256'])]
    of_picture = bad[:]
    for who in ('consumer', 'producer', 'owner'):
        bad += [v.encode() for v in s.credentials_of(who)[1:] if v]
    found = []
    for path in s.dir.rglob('*'):
        if path.is_file() and 'credentials' not in path.parts:
            data = path.read_bytes()
            found += [f'{path.relative_to(s.dir)}: {b[:12]!r}' for b in (of_picture if path.name.startswith('store.') else bad) if b in data] # IAM's own store knows its secrets
    check('C-26 neither the picture, nor its digest, nor the result, nor a secret key is in any file, log, database or object', code == 0 and not found, f'{code} {err} {found}')
    traffic = [b for r, _, body in between.h.answers for b in of_picture if b in body or b in r.body]
    check('C-26 nor in anything that passed inside the enclave\'s own TLS', not traffic and len(between.h.answers) > 50, traffic)
    words = set()
    for line in s.log_whole().splitlines():
        try:
            words |= set(json.loads(line))
        except ValueError:
            words.add(f'no JSON: {line[:60]}')
    check('C-26 the log\'s lines are of a fixed vocabulary of members', words <= {'time', 'level', 'component', 'event', 'why', 'tenant', 'job', 'recipient_rsa_bits', 'origin', 'error', 'by_ms'}, words)


class Jobs(System):
    def set_up(self):
        self.more_config = {'max_bytes': 2 << 20}
        super().set_up()
        demo.root_certificate(self)
        self.start_producer()
        self.picture_file, self.other_picture = self.dir / 'mine' / 'picture.png', self.dir / 'mine' / 'other.png'
        self.picture_file.parent.mkdir()
        self.mine = [self.picture_file, self.other_picture, self.dir / 'mine' / 'plain.png']
        subprocess.run([str(self.picture), str(self.mine[2]), '3'], check=True)
        subprocess.run([str(self.picture), str(self.other_picture), '4'], check=True)
        picture_with_secret(self.picture_file, self.mine[2])

    def log_whole(self):
        try:
            return (self.dir / 'coffer-enclave.log').read_text(errors='replace')
        except OSError:
            return ''


def main():
    s = Jobs(BUILD, False)
    try:
        s.set_up()
        between = Between(s)
        real = injected(s, between)
        repeated(s, between, real)
        stale(s, between)
        metadata(s, between)
        sizes(s, between)
        leaks(s, between)
    except Exception as e:  # a broken set-up must show as a failed test
        import traceback
        check(f'the test itself: {type(e).__name__}: {e}', False, traceback.format_exc() + '\n'.join(s.tail(n) for n in ('coffer-local', 'coffer-enclave', 'coffer-producer')))
    finally:
        s.stop()
    return check.done()


sys.exit(main())
