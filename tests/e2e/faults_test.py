#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer put and get over a network and a service that fail in every way the fault proxy knows: what can be mended is tried again,
what cannot ends in a clear error and the right exit code, and a failed get leaves no file and no change in one."""
import base64, concurrent.futures as cf, json, os, re, shutil, socket, subprocess, sys, tempfile, time, traceback
from datetime import datetime, timezone
from pathlib import Path

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests' / 'tools'))
from fault_proxy import FaultProxy

PROG = BUILD / 'src' / 'prog'
SIZES = {'small': 1000, 'large': 3 << 20}
PARTS = ('--part-size', '5M')
RESULTS, CASES = [], []


def check(name, ok, evidence=''):
    RESULTS.append((name, bool(ok), '', evidence))


def case(name, f, *args, **more):
    """Cases run side by side: each has keys of its own, and rules that match no others."""
    CASES.append((name, f, args, more))


class World:
    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(prefix='coffer-faults-'))
        manifest = {'account': '111122223333', 'region': 'us-east-1', 'values': {}, 'buckets': [{'name': 'faults'}],
                    'credentials': [{'name': 'root', 'root': True}]}
        (self.dir / 'manifest.json').write_text(json.dumps(manifest))
        self.data = self.dir / 'local'
        self.local = subprocess.Popen([PROG / 'coffer-local' / 'coffer-local', 'serve', '--data', self.data, '--listen', 'tcp:127.0.0.1:0',
                                       '--manifest', self.dir / 'manifest.json'], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        line = self.local.stdout.readline().decode().split()
        assert line[:1] == ['ready'], 'coffer-local did not start'
        self.port = int(line[1])
        self.env = {'PATH': os.environ.get('PATH', '/usr/bin:/bin'), 'HOME': str(self.dir), 'LANG': 'C.UTF-8', 'AWS_EC2_METADATA_DISABLED': 'true',
                    'AWS_CA_BUNDLE': str(self.data / 'tls' / 'ca.pem'), 'NO_COLOR': '1', 'COFFER_STATE_DIR': str(self.dir / 'state'),
                    **dict(l.split('=', 1) for l in (self.data / 'credentials' / 'root.env').read_text().split())}
        self.file = {}
        for name, size in {**SIZES, 'parts': (16 << 20) + 1}.items():  # four parts or ranges of 5 MiB
            self.file[name] = self.dir / name
            self.file[name].write_bytes(os.urandom(size))

    def proxy(self):
        return FaultProxy(self.port, self.data / 'tls', log=self.dir / 'requests.jsonl')

    def stop(self):
        self.local.terminate()
        self.local.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)

    def coffer(self, *args, port=None, scheme='https', attempts=None):
        env = {**self.env, 'AWS_ENDPOINT_URL': f'{scheme}://localhost:{port or self.port}', **({'AWS_MAX_ATTEMPTS': str(attempts)} if attempts else {})}
        start = time.monotonic()
        p = subprocess.run([PROG / 'coffer' / 'coffer', *map(str, args)], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=60, cwd=self.dir)
        return p.returncode, p.stderr.decode(errors='replace').strip(), time.monotonic() - start

    def put(self, size, key):
        code, err, _ = self.coffer('put', self.file[size], f's3://faults/{key}')
        assert code == 0, err

    def stored(self, key):
        """What coffer-local holds, asked without the proxy; None where there is nothing."""
        out = self.dir / f'stored-{key.replace("/", "-")}'
        code, err, _ = self.coffer('get', f's3://faults/{key}', out)
        return out.read_bytes() if code == 0 else None


class Named:
    """What one case needs: a key, a folder for its targets, rules that match this key."""

    def __init__(self, world, proxy, name):
        self.world, self.p = world, proxy
        self.key = re.sub('[^a-z0-9]+', '-', name.lower().replace('-1 h', 'minus 1 h'))
        self.path = f'/{self.key}$'
        self.folder = world.dir / 'targets' / self.key
        self.folder.mkdir(parents=True)

    def rule(self, do, at=None, **more):
        return self.p.rule(do, at, path=self.path, **more)

    def put(self, size, *more, **how):
        return self.world.coffer('put', self.world.file[size], f's3://faults/{self.key}', *more, port=self.p.port, **how)

    def get(self, target='out', *more, **how):
        return self.world.coffer('get', f's3://faults/{self.key}', self.folder / target, *more, port=self.p.port, **how)

    def requests(self):
        return [r for r in self.p.seen(self.key) if re.search(self.path, r['path'])]

    def statuses(self):
        return [r['sent'] for r in self.requests()]


# each fault once: it is tried again and succeeds -----------------------------------------------------------------------------
def put_once(c, size, rule, sent=2, done=1, least=0.0, **how):
    c.rule(**rule)
    code, err, seconds = c.put(size, **how)
    seen = c.requests()
    assert code == 0, f'exit {code}: {err}'
    assert len(seen) == sent, f'{len(seen)} requests in place of {sent}: {seen}'
    assert sum(r['done'] for r in seen) == done, seen
    assert least <= seconds < 10, f'{seconds} s'
    assert c.world.stored(c.key) == c.world.file[size].read_bytes(), 'other bytes are stored'


def get_once(c, size, rule, sent=2, least=0.0, **how):
    c.world.put(size, c.key)
    c.rule(**rule)
    code, err, seconds = c.get(**how)
    seen = c.requests()
    assert code == 0, f'exit {code}: {err}'
    assert (c.folder / 'out').read_bytes() == c.world.file[size].read_bytes(), 'other bytes came'
    assert os.listdir(c.folder) == ['out'], os.listdir(c.folder)
    assert len(seen) == sent, f'{len(seen)} requests in place of {sent}: {seen}'
    assert least <= seconds < 10, f'{seconds} s'


# a fault that stays: a clear end, after as many attempts as it is worth ------------------------------------------------------
def put_always(c, size, rule, want, words, sent, stored=False, **how):
    c.rule(**{'times': 0, **rule})
    code, err, seconds = c.put(size, **how)
    seen = c.requests()
    assert code == want, f'exit {code} in place of {want}: {err}'
    assert all(w in err for w in words) and err.count('\n') <= 1, err
    assert len(seen) == sent, f'{len(seen)} requests in place of {sent}: {seen}'
    assert seconds < 10, f'{seconds} s'
    assert (c.world.stored(c.key) is not None) == stored


def get_always(c, size, rule, want, words, sent, **how):
    c.world.put(size, c.key)
    c.rule(**{'times': 0, **rule})
    (c.folder / 'old').write_bytes(b'what was there')
    for target in ('new', 'old'):
        before = len(c.requests())
        code, err, seconds = c.get(target, **how)
        seen = c.requests()[before:]
        assert code == want, f'exit {code} in place of {want}: {err}'
        assert all(w in err for w in words) and err.count('\n') <= 1, err
        assert sent is None or len(seen) == sent, f'{len(seen)} requests in place of {sent}: {seen}'
        assert seconds < 10, f'{seconds} s'
        assert os.listdir(c.folder) == ['old'], f'left behind: {os.listdir(c.folder)}'
        assert (c.folder / 'old').read_bytes() == b'what was there', 'the old file was changed'


def stalled(c, size, at):
    """Nothing moves any more: given up in the time that was said, and tried again as often as was said."""
    c.world.put(size, c.key)
    c.rule('stall', at, seconds=30, times=0, **({'after': 0.5} if at == 'reply-body' else {}))
    (c.folder / 'old').write_bytes(b'what was there')
    code, err, seconds = c.get('old', '--stall-time', '1', attempts=2)
    assert code == 4 and 1.5 < seconds < 9, f'exit {code} after {seconds} s: {err}'
    assert os.listdir(c.folder) == ['old'] and (c.folder / 'old').read_bytes() == b'what was there'


def redirected(c, verb, size, status, code):
    """Once, it is signed for that region and sent to the same address; a second one is an error."""
    c.rule('answer', status=status, code=code, times=0, headers={'Location': f'https://localhost:{c.p.port}/stolen/{c.key}', 'x-amz-bucket-region': 'eu-west-1'})
    code_, err, _ = c.put(size) if verb == 'put' else c.get()
    assert code_ == 1 and code in err and os.listdir(c.folder) == [], f'{code_} {err}'
    assert [r['scope'] for r in c.requests()] == ['us-east-1/s3', 'eu-west-1/s3'], c.requests()
    assert not c.p.seen(f'stolen/{c.key}')


def answer(status, code='', **more):
    return {'do': 'answer', 'status': status, 'code': code, **more}


for at in ('reply-head', 'reply-body'):
    case(f'get small: stalled for good at {at} ends in time', stalled, 'small', at)
SLOW_DOWN = answer(503, 'SlowDown')
CUTS = [{'do': do, 'at': at} for at in ('head', 'reply', 'reply-head') for do in ('reset', 'close')]
for size in SIZES:
    for cut in CUTS + [{'do': 'reset', 'at': 'body'}, {'do': 'close', 'at': 'body'}]:
        case(f'put {size}: {cut["do"]} at {cut["at"]}, then stored', put_once, size, cut, done=2 if cut['at'].startswith('reply') else 1)
    for cut in CUTS:
        case(f'get {size}: {cut["do"]} at {cut["at"]}, then whole', get_once, size, cut)
    for name, rule in (('500 InternalError', answer(500, 'InternalError')), ('503 SlowDown', SLOW_DOWN),
                       ('503 before the body was read', {**SLOW_DOWN, 'early': True}), ('500 that is no XML', answer(500, body='<html>oops'))):
        case(f'put {size}: {name} once, then stored', put_once, size, rule)
        case(f'get {size}: {name} once, then whole', get_once, size, rule)
    for do in ('reset', 'close'):
        case(f'get {size}: {do} amid the body, then whole', get_once, size, {'do': do, 'at': 'reply-body'})
        case(f'get {size}: {do} amid the body, for ever: an error', get_always, size, {'do': do, 'at': 'reply-body', 'after': 0}, 1, ['localhost:'], None)
    case(f'get {size}: one byte changed', get_always, size, {'do': 'alter', 'flip': 0.5}, 3, ['checksum', 'CRC64NVME'], 1)
    case(f'get {size}: another checksum told', get_always, size, {'do': 'alter', 'headers': {'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA='}}, 3, ['checksum'], 1)
    case(f'get {size}: a checksum that is none', get_always, size, {'do': 'alter', 'headers': {'x-amz-checksum-crc64nvme': '!!'}}, 1, ['malformed checksum'], 1)
    case(f'get {size}: a shorter length told', get_always, size, {'do': 'alter', 'headers': {'Content-Length': '500'}}, 3, ['checksum'], 1)
    case(f'get {size}: no length told', get_always, size, {'do': 'alter', 'headers': {'Content-Length': None, 'Connection': 'close'}}, 1, ['without length'], 1)
    case(f'put {size}: one byte changed on the way', put_always, size, {'do': 'alter', 'flip_request': 0.5}, 3, ['BadDigest', 'altered on its way'], 1)
    code, word = (3, 'XAmzContentSHA256Mismatch') if size == 'small' else (1, 'SignatureDoesNotMatch')  # signed whole, signed in chunks
    case(f'put {size}: one byte changed on the way, plain HTTP', put_always, size, {'do': 'alter', 'flip_request': 0.5}, code, [word], 1, scheme='http')
    case(f'put {size}: another checksum told', put_always, size, {'do': 'alter', 'headers': {'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA='}}, 3, ['checksums differ'], 1,
         stored=True)
    for status, code in ((307, 'TemporaryRedirect'), (301, 'PermanentRedirect')):
        rule = answer(status, code, headers={'Location': 'https://localhost:1/stolen'})
        case(f'put {size}: {status} is not followed', put_always, size, rule, 1, [code, str(status)], 1)
        case(f'get {size}: {status} is not followed', get_always, size, rule, 1, [code, str(status)], 1)
        case(f'put {size}: {status} that names a region', redirected, 'put', size, status, code)
        case(f'get {size}: {status} that names a region', redirected, 'get', size, status, code)
case('put over plain HTTP: reset amid the body, then stored', put_once, 'large', {'do': 'reset', 'at': 'body'}, scheme='http')
case('get over plain HTTP: reset before the reply, then whole', get_once, 'large', {'do': 'reset', 'at': 'reply'}, scheme='http')
case('put: 503 with Retry-After waits as long', put_once, 'small', {**SLOW_DOWN, 'headers': {'Retry-After': '1'}}, least=1)
case('get: 503 with Retry-After waits as long', get_once, 'small', {**SLOW_DOWN, 'headers': {'Retry-After': '1'}}, least=1)
case('get: a body that pauses is waited for', get_once, 'large', {'do': 'stall', 'at': 'reply-body', 'seconds': 1}, sent=1, least=1)
case('put: a reader that pauses is waited for', put_once, 'large', {'do': 'stall', 'at': 'body', 'seconds': 1}, sent=1, least=1)
case('get: two failures are one fewer than three attempts', get_once, 'small', {**SLOW_DOWN, 'times': 2}, sent=3)
for n, how in ((3, {}), (1, {'attempts': 1}), (2, {'attempts': 2}), (5, {'attempts': 5})):
    case(f'put: 503 for ever ends after {n} attempts{"" if how else ", the default"}', put_always, 'large', SLOW_DOWN, 4, ['SlowDown', '503'], n, **how)
    case(f'get: 500 for ever ends after {n} attempts{"" if how else ", the default"}', get_always, 'small', answer(500, 'InternalError'), 4, ['InternalError', '500'], n, **how)
case('put: resets for ever end after 2 attempts', put_always, 'large', {'do': 'reset', 'at': 'body'}, 1, ['localhost:'], 2, attempts=2)
case('get: resets for ever end after 2 attempts', get_always, 'small', {'do': 'reset', 'at': 'head'}, 1, ['localhost:'], 2, attempts=2)
case('put: 403 AccessDenied is not tried again', put_always, 'small', answer(403, 'AccessDenied'), 1, ['AccessDenied'], 1)
case('get: 403 AccessDenied is not tried again', get_always, 'small', answer(403, 'AccessDenied'), 1, ['AccessDenied'], 1)
case('get: a reply that is no HTTP', get_always, 'small', answer(200, headers={'Content-Length': 'many'}), 1, ['malformed'], 3)


# cases of their own ----------------------------------------------------------------------------------------------------------
def create_only(c):
    """The first answer is lost; the second says that the object is there: it is ours, and that is told by its checksum."""
    c.rule('reset', 'reply', method='PUT')
    code, err, _ = c.put('large', '--create-only')
    assert code == 0, err
    assert [r['status'] for r in c.requests()] == [200, 412, 200], c.requests()
    assert c.world.stored(c.key) == c.world.file['large'].read_bytes()


def create_only_of_another(c):
    """As before, but what is there is somebody else's."""
    c.world.put('small', c.key)
    c.rule('close', 'head', method='PUT')
    code, err, _ = c.put('large', '--create-only')
    assert code == 1 and 'PreconditionFailed' in err, f'{code} {err}'
    assert c.world.stored(c.key) == c.world.file['small'].read_bytes()


def signed_at(request):
    return datetime.strptime(request['headers']['x-amz-date'], '%Y%m%dT%H%M%SZ').replace(tzinfo=timezone.utc).timestamp()


def crc64nvme(data):
    """Base64, bit by bit: another way than ours."""
    crc = 0xffffffffffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x9a6c9329ac4bc9b5 if crc & 1 else 0)
    return base64.b64encode((crc ^ 0xffffffffffffffff).to_bytes(8, 'big')).decode()


def skew(c, hours, verb):
    """The service says it is another hour: the next attempt is signed with that. (The rest is answered in coffer-local's place,
    whose clock is right.)"""
    body = b'set right'
    c.rule('answer', status=403, code='RequestTimeTooSkewed', date_offset=3600 * hours)
    c.rule('answer', status=200, body=body if verb == 'get' else '', headers={'x-amz-server-side-encryption': 'AES256',
           'x-amz-checksum-crc64nvme': crc64nvme(body if verb == 'get' else c.world.file['small'].read_bytes())})
    code, err, _ = c.get() if verb == 'get' else c.put('small')
    first, second = c.requests()
    assert code == 0, err
    assert abs(signed_at(second) - signed_at(first) - 3600 * hours) < 30, (first, second)
    assert verb == 'put' or (c.folder / 'out').read_bytes() == body


def wrong_clock(c):
    """A service that insists ends it after one correction."""
    c.rule('answer', status=403, code='RequestTimeTooSkewed', date_offset=3600, times=0)
    code, err, _ = c.put('small')
    assert code == 1 and 'RequestTimeTooSkewed' in err and 'clock' in err and len(c.requests()) == 2, f'{code} {err} {c.requests()}'


def lying_clock(c):
    """Only one reply says so, and it is wrong: coffer-local refuses the corrected one, and nothing is stored."""
    c.rule('answer', status=403, code='RequestTimeTooSkewed', date_offset=3600)
    code, err, _ = c.put('small')
    assert code == 1 and 'RequestTimeTooSkewed' in err and len(c.requests()) == 2, f'{code} {err} {c.requests()}'
    assert c.world.stored(c.key) is None


for verb in ('put', 'get'):
    for hours in (1, -1):
        case(f'{verb}: a clock {hours:+d} h off is corrected by the Date of the refusal', skew, hours, verb)
case('put: a clock is corrected once', wrong_clock)
case('put: a refusal with a false Date stores nothing', lying_clock)
case('put --create-only: the first answer is lost, and it is done all the same', create_only)
case('put --create-only: another object is not taken for ours', create_only_of_another)


# objects in parts and ranges -------------------------------------------------------------------------------------------------
STEPS = {'create': ('POST', '^uploads'), 'part': ('PUT', 'partNumber=2(&|$)'), 'complete': ('POST', 'uploadId=')}


def step(request):
    kind = next((n for n, (m, q) in STEPS.items() if n != 'part' and request['method'] == m and re.search(q, request['query'])), None)
    number = re.search('partNumber=([0-9]+)', request['query'])
    return kind or (f'part {number.group(1)}' if number and request['method'] == 'PUT' else request['method'])


def parts_once(c, where, rule, *more):
    """One fault at one step of a put in parts: that request alone is sent again."""
    method, query = STEPS[where]
    c.rule(**rule, method=method, query=query)
    code, err, seconds = c.put('parts', *PARTS, *more)
    seen = c.requests()
    assert code == 0, f'exit {code}: {err}; {[(step(r), r["fault"], r["sent"]) for r in seen]}'
    assert seconds < 10 and c.world.stored(c.key) == c.world.file['parts'].read_bytes(), 'other bytes are stored'
    again = sorted(step(r) for r in seen if step(r) not in ('HEAD',))
    faulty = [step(r) for r in seen if r['fault']]
    want = sorted(['create', 'complete', 'part 1', 'part 2', 'part 3', 'part 4'] + faulty)
    assert len(faulty) == 1 and again == want, f'{again} in place of {want}'


def parts_go_on(c):
    """A part that fails for good ends the put with "later"; the same command then sends what is missing and no more."""
    rule = c.rule('answer', status=503, code='SlowDown', times=0, method='PUT', query='partNumber=4(&|$)')
    code, err, _ = c.put('parts', *PARTS, '--jobs', '1')
    assert code == 4 and 'SlowDown' in err, f'{code} {err}'
    assert c.world.stored(c.key) is None and [step(r) for r in c.requests()].count('part 4') == 3
    rule['do'], before = 'pass', len(c.requests())
    code, err, _ = c.put('parts', *PARTS, '--jobs', '1')
    steps = [step(r) for r in c.requests()[before:]]
    assert code == 0 and sorted(steps) == ['GET', 'complete', 'part 4'], f'{code} {err} {steps}'
    assert c.world.stored(c.key) == c.world.file['parts'].read_bytes()


def parts_given_up(c):
    """With --no-resume nothing is kept of a put that failed: the upload is taken back, though the first try of that is lost too."""
    c.rule('answer', status=503, code='SlowDown', times=0, method='PUT', query='partNumber=3(&|$)')
    c.rule('reset', 'head', method='DELETE')
    code, err, _ = c.put('parts', *PARTS, '--no-resume')
    assert code == 4 and 'SlowDown' in err, f'{code} {err}'
    assert [r['status'] for r in c.requests() if r['method'] == 'DELETE'] == [None, 204], c.requests()


def never_joined(c):
    """Failures told in the body of a 200 are as temporary as those told by a status, and end as those do."""
    c.rule('answer', status=200, code='InternalError', times=0, method='POST', query='uploadId=')
    code, err, _ = c.put('parts', *PARTS)
    assert code == 4 and 'InternalError' in err and [step(r) for r in c.requests()].count('complete') == 3, f'{code} {err} {c.requests()}'
    assert c.world.stored(c.key) is None


def taken(c):
    """Somebody was first: the parts are of no use to anybody and are taken back."""
    c.world.put('small', c.key)
    code, err, _ = c.put('parts', *PARTS, '--create-only')
    assert code == 1 and 'PreconditionFailed' in err and 'goes on' not in err, f'{code} {err}'
    assert [r['status'] for r in c.requests() if r['method'] == 'DELETE'] == [204], c.requests()
    assert c.world.stored(c.key) == c.world.file['small'].read_bytes()


def part_altered(c, rule, words):
    c.rule(**rule, method='PUT', query='partNumber=2(&|$)')
    code, err, _ = c.put('parts', *PARTS)
    assert code == 3 and all(w in err for w in words), f'{code} {err}'
    assert c.world.stored(c.key) is None


def ranges(c, rule, want, words, nth):
    """A fault in one of the ranges of a get."""
    c.world.put('parts', c.key)
    c.rule(**rule, nth=nth)
    (c.folder / 'old').write_bytes(b'what was there')
    code, err, seconds = c.get('old', *PARTS)
    assert code == want and all(w in err for w in words), f'exit {code} in place of {want}: {err}'
    assert (c.folder / 'old').read_bytes() == (b'what was there' if want else c.world.file['parts'].read_bytes()), 'the target'
    assert seconds < 10 and any(r['fault'] for r in c.requests())
    if want == 0:
        moved = sum(r['reply_bytes'] for r in c.requests())
        assert os.listdir(c.folder) == ['old'] and moved < (30 << 20), f'{os.listdir(c.folder)}, {moved} bytes moved'
    else:  # a second run makes it good, from whatever was kept
        code, err, _ = c.get('old', *PARTS)
        assert code == 0 and (c.folder / 'old').read_bytes() == c.world.file['parts'].read_bytes(), f'again: {code} {err}'
        assert os.listdir(c.folder) == ['old'], os.listdir(c.folder)


for where in STEPS:
    for rule in ({'do': 'reset', 'at': 'head'}, {'do': 'reset', 'at': 'reply'}, {'do': 'close', 'at': 'reply-head'}, answer(500, 'InternalError'), SLOW_DOWN):
        name = f'{rule["do"]} {rule.get("at") or rule["code"]}'
        case(f'put in parts: {name} at {where}: that alone is sent again', parts_once, where, rule)
case('put in parts: reset amid a part, then stored', parts_once, 'part', {'do': 'reset', 'at': 'body'})
case('put in parts: complete answers 200 with an error in its body, then stored', parts_once, 'complete', answer(200, 'InternalError'))
case('put in parts: complete answers 200 with an error for ever', never_joined)
case('put in parts, --create-only: what is there stays, and no part is left', taken)
case('put in parts, --create-only: the answer to complete is lost', parts_once, 'complete', {'do': 'reset', 'at': 'reply'}, '--create-only')
case('put in parts: the same command goes on where one failed', parts_go_on)
case('put in parts: --no-resume takes back what failed', parts_given_up)
case('put in parts: one byte of a part changed on the way', part_altered, {'do': 'alter', 'flip_request': 0.5}, ['BadDigest'])
case('put in parts: another checksum of a part told', part_altered, {'do': 'alter', 'headers': {'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA='}}, ['part 2'])
for nth in (1, 3):
    for rule in ({'do': 'reset', 'at': 'head'}, {'do': 'reset', 'at': 'reply-head'}, {'do': 'reset', 'at': 'reply-body', 'after': 1 << 20},
                 {'do': 'close', 'at': 'reply-body', 'after': 1 << 20}, SLOW_DOWN):
        case(f'get in ranges: {rule["do"]} {rule.get("at") or rule["code"]} in request {nth}, then whole', ranges, rule, 0, [], nth)
    case(f'get in ranges: one byte changed in request {nth}', ranges, {'do': 'alter', 'flip': 1000}, 3, ['checksum'], nth)
case('get in ranges: another range than asked for', ranges, {'do': 'alter', 'headers': {'Content-Range': 'bytes 0-5242879/16777217'}}, 1, ['another range'], 3)
case('get in ranges: the object is replaced meanwhile', ranges, {'do': 'alter', 'headers': {'ETag': '"other"'}}, 1, ['replaced'], 3)
case('get in ranges: the whole in place of a range', ranges, answer(200, body='x' * 1000, headers={'ETag': '"x"'}), 1, ['replaced'], 3)


def connections(world):
    """Faults before a request: a proxy of its own, since no key tells these connections apart."""
    for do in ('reset', 'close'):
        with world.proxy() as p:
            p.rule(do, 'connection')
            code, err, _ = world.coffer('put', world.file['large'], f's3://faults/connection-{do}', port=p.port)
            check(f'put: {do} before anything was read, then stored', code == 0 and world.stored(f'connection-{do}') == world.file['large'].read_bytes(), err)
            p.clear()
            p.rule(do, 'connection', times=0)
            target = world.dir / f'connection-{do}'
            code, err, _ = world.coffer('get', f's3://faults/connection-{do}', target, port=p.port)
            check(f'get: {do} before anything was read, for ever: an error after three attempts',
                  code == 1 and f'localhost:{p.port}' in err and len(p.seen(fault=f'{do} connection')) == 4 and not target.exists(), f'{code} {err} {p.seen()}')
    with socket.socket() as s:  # bound, so that nobody else gets the port
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
        code, err, _ = world.coffer('put', world.file['small'], 's3://faults/nobody', port=port)
    check('put: nobody listens: the error names the address', code == 1 and f'localhost:{port}' in err, f'{code} {err}')
    with world.proxy() as p:
        p.rule('stall', 'connection', seconds=30)
        code, err, seconds = world.coffer('put', world.file['small'], 's3://faults/mute', port=p.port)
        check('put: a peer that is silent at TLS is given up within seconds, and tried again', code == 0 and 4 < seconds < 9, f'{code} {err} {seconds}')


def run(world, proxy, name, f, args, more):
    try:
        f(Named(world, proxy, name), *args, **more)
        check(name, True)
    except Exception as e:  # a failed case is a line, and the others go on
        check(name, False, f'{type(e).__name__}: {str(e)[:1500]}\n' + ''.join(traceback.format_exc().splitlines(True)[-4:]))


def main():
    world = World()
    try:
        with world.proxy() as proxy, cf.ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(connections, world)] + [pool.submit(run, world, proxy, *c) for c in CASES]
            for job in jobs:
                job.result()
    except Exception as e:  # a broken set-up must show as a failed test
        check(f'the test itself: {type(e).__name__}: {e}', False, traceback.format_exc())
    finally:
        world.stop()
    print(f'1..{len(RESULTS)}')
    for i, (name, ok, why, evidence) in enumerate(RESULTS, 1):
        print(f'{"ok" if ok else "not ok"} {i} - {name}{" # SKIP " + why if why else ""}')
        if not ok:
            print('\n'.join('# ' + line for line in str(evidence).splitlines()[-25:]))


main()
