# SPDX-License-Identifier: Apache-2.0
"""A client of coffer-local that remembers what was acknowledged and when, and judges by it what a data folder holds later. "When" is the
length of the log of powercut.so: a change whose answer came at a length below the cut's must be there, one that was asked for before the
cut may be, and nothing else."""
import base64, hashlib, json, os, random, re, signal, socket, subprocess, tempfile, threading, time
from urllib.parse import quote
from local import ACCOUNT, BUILD, COFFER, KEY, LOCAL
from rawaws import Signer

LIBRARY = BUILD / 'tests/powercut.so'
ROOT_POLICY = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'AWS': f'arn:aws:iam::{ACCOUNT}:root'},
                                                       'Action': 'kms:*', 'Resource': '*'}]}
MANIFEST = {'account': ACCOUNT, 'region': 'us-east-1', 'credentials': [{'name': 'root', 'root': True}],
            'keys': [{'id': KEY.split('/')[1], 'policy': ROOT_POLICY}], 'queues': [{'name': 'q'}],
            'buckets': [{'name': 'plain', 'encryption': {'algorithm': 'AES256'}}, {'name': 'versions', 'versioning': True}]}
JSON = {'sqs': ('AmazonSQS', '1.0'), 'kms': ('TrentService', '1.1')}


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f'{status} {body[:300]!r}')
        self.status = status


class Client:
    """One connection, plain HTTP."""

    def __init__(self, data, port):
        e = dict(line.split('=', 1) for line in (data / 'credentials/root.env').read_text().split())
        self.port, self.s = port, None
        self.signers = {s: Signer(e['AWS_ACCESS_KEY_ID'], e['AWS_SECRET_ACCESS_KEY'], f'127.0.0.1:{port}', service=s) for s in ('s3', 'sqs', 'kms')}
        self.request_id = ''

    def ask(self, raw):
        """-> status, header fields, body. OSError: no whole answer came."""
        if self.s is None:
            self.s = socket.create_connection(('127.0.0.1', self.port), timeout=30)
            self.f = self.s.makefile('rb')
        self.s.sendall(raw)
        line = self.f.readline()
        if not line.startswith(b'HTTP/1.1 '):
            raise ConnectionResetError('no answer')
        fields = {}
        while (field := self.f.readline().rstrip()):
            name, _, value = field.partition(b':')
            fields[name.lower().decode()] = value.strip().decode()
        n = 0 if line[9:12] == b'204' else int(fields['content-length'])
        body = self.f.read(n)
        if len(body) < n:
            raise ConnectionResetError('half an answer')
        return int(line[9:12]), fields, body

    def _checked(self, raw):
        status, fields, body = self.ask(raw)
        self.request_id = fields.get('x-amz-request-id') or fields.get('x-amzn-requestid', '')
        if status >= 300:
            raise Refused(status, body)
        return fields, body

    def s3(self, method, path, body=b'', query='', **more):
        return self._checked(self.signers['s3'].request(method, path, body, query, **more))

    def call(self, service, operation, **args):
        prefix, version = JSON[service]
        return json.loads(self._checked(self.signers[service].request('POST', '/', json.dumps(args).encode(), payload='',
            content_type=f'application/x-amz-json-{version}', x_amz_target=f'{prefix}.{operation}'))[1] or b'{}')

    def close(self):
        if self.s is not None:
            self.f.close()
            self.s.close()
            self.s = None


class Server:
    """coffer-local serve on a folder; env: of powercut.environment, or None."""

    def __init__(self, data, env=None, *options):
        self.data, self.errors = data, tempfile.TemporaryFile()
        self.p = subprocess.Popen([LOCAL, 'serve', '-d', data, '--listen', 'tcp:127.0.0.1:0', '--plain', *options], stdout=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL, stderr=self.errors, env=env)
        line = self.p.stdout.readline().split()
        self.port = int(line[1]) if line[:1] == [b'ready'] else 0
        if self.port == 0:
            self.p.wait(20)

    def told(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors='replace')

    def client(self):
        return Client(self.data, self.port)

    def end(self, how=signal.SIGTERM):
        if self.p.poll() is None:
            self.p.send_signal(how)
        code = self.p.wait(30)
        self.p.stdout.close()
        self.errors.close()
        return code


class Thing:
    """What was done to one thing, one after the other: [value afterwards, log's length when asked, and when answered, request]"""

    def __init__(self, before=(None,)):
        self.before, self.past = list(before), []

    def allowed(self, cut):
        sure, maybe = self.before, []
        for value, asked, answered, _ in self.past:
            if answered is not None and answered <= cut:
                sure, maybe = [value], []
            elif asked < cut:
                maybe.append(value)
        return sure + maybe


class World:
    """Things by name: ('object', key), ('versions', key), ('message', body), ('alias', name), ('part', key, upload, number).
    after: (world, cut) that this one goes on from."""

    def __init__(self, log, after=None):
        self.log, self.things, self.lock, self.receives, self.ciphers, self.failed, self.sure = log, {}, threading.Lock(), {}, {}, [], []
        if after is not None:
            old, cut = after
            self.things = {name: Thing(thing.allowed(cut)) for name, thing in old.things.items()}
            self.receives = {body: [(0, n) for when, n in all_ if when <= cut] for body, all_ in old.receives.items()}
            self.ciphers, self.sure = dict(old.ciphers), old.acknowledged(cut)

    def now(self):
        return os.stat(self.log).st_size

    def do(self, client, name, value, act):
        """value: what the thing is once act is acknowledged"""
        with self.lock:
            thing = self.things.setdefault(name, Thing())
        entry = [value, self.now(), None, '']
        thing.past.append(entry)
        got = act()
        entry[3] = client.request_id
        entry[2] = self.now()
        return got

    def acknowledged(self, cut):
        """-> identifiers of the requests of changes"""
        entries = [entry for thing in self.things.values() for entry in thing.past if entry[2] is not None and entry[2] <= cut]
        return self.sure + [entry[3] for entry in entries if entry[3]]

    def answers(self):
        return sorted({entry[2] for thing in self.things.values() for entry in thing.past if entry[2] is not None})


def random_body(rng, size):
    data = rng.randbytes(size)
    return data, hashlib.sha256(data).hexdigest()


SIZES = (1000, 100_000, 1_000_000, 40_000, 300_000, 1000, 30_000, 100_000)


def objects(w, c, rng, go_on, prefix=''):
    n, there = 0, set()
    while go_on():
        key = f'{prefix}o{rng.randrange(8)}'
        if key in there and rng.random() < 0.25: # deleting nothing changes nothing: its record may be lost
            there.remove(key)
            w.do(c, ('object', key), None, lambda: c.s3('DELETE', f'/plain/{key}'))
        else:
            data, digest = random_body(rng, SIZES[n % len(SIZES)] + rng.randrange(50))
            w.do(c, ('object', key), digest, lambda: c.s3('PUT', f'/plain/{key}', data))
            there.add(key)
        n += 1
        if n % 5 == 0:
            c.s3('GET', '/plain', query='list-type=2&max-keys=2')


def versions(w, c, rng, go_on, prefix=''):
    past = {}
    while go_on():
        key = f'{prefix}v{rng.randrange(3)}'
        so_far = past.setdefault(key, ())
        if rng.random() < 0.25:
            past[key] = so_far + (None,)
            w.do(c, ('versions', key), past[key], lambda: c.s3('DELETE', f'/versions/{key}'))
        else:
            data, digest = random_body(rng, rng.choice((500, 50_000, 270_000)))
            past[key] = so_far + (digest,)
            w.do(c, ('versions', key), past[key], lambda: c.s3('PUT', f'/versions/{key}', data))


def messages(w, c, rng, go_on, prefix=''):
    url = c.call('sqs', 'GetQueueUrl', QueueName='q')['QueueUrl']
    n = 0
    while go_on():
        for _ in range(3):
            body = f'{prefix}m{n} ' + 'x' * rng.choice((10, 3000, 180_000))
            w.do(c, ('message', body), True, lambda: c.call('sqs', 'SendMessage', QueueUrl=url, MessageBody=body))
            n += 1
        got = c.call('sqs', 'ReceiveMessage', QueueUrl=url, MaxNumberOfMessages=4, VisibilityTimeout=0 if prefix else rng.randrange(2),
                     AttributeNames=['ApproximateReceiveCount']) # those in flight must be to be had again when they are judged
        for m in got.get('Messages', []):
            w.receives.setdefault(m['Body'], []).append((w.now(), int(m['Attributes']['ApproximateReceiveCount'])))
            if rng.random() < 0.85:
                w.do(c, ('message', m['Body']), None, lambda: c.call('sqs', 'DeleteMessage', QueueUrl=url, ReceiptHandle=m['ReceiptHandle']))


def keys_and_parts(w, c, rng, go_on, prefix=''):
    n = 0
    while go_on():
        key = c.call('kms', 'CreateKey', Description='made')['KeyMetadata']['KeyId']
        w.do(c, ('alias', f'alias/{prefix}a{n}'), key, lambda: c.call('kms', 'CreateAlias', AliasName=f'alias/{prefix}a{n}', TargetKeyId=key))
        w.ciphers[key] = c.call('kms', 'Encrypt', KeyId=key, Plaintext=base64.b64encode(key.encode()).decode())['CiphertextBlob']
        big = n == 1
        name, path = f'{prefix}multi{n}', f'/plain/{prefix}multi{n}'
        upload = re.search(rb'<UploadId>([^<]+)<', c.s3('POST', path, query='uploads=')[1])[1].decode()
        parts = [rng.randbytes(5 << 20) if big and i == 0 else rng.randbytes(rng.choice((70_000, 400_000))) for i in range(2 if big else 1)]
        tags = [w.do(c, ('part', name, upload, i), hashlib.md5(part).hexdigest(),
                     lambda: c.s3('PUT', path, part, f'partNumber={i}&uploadId={upload}'))[0]['etag'] for i, part in enumerate(parts, 1)]
        if n % 3 != 2:
            done = ''.join(f'<Part><PartNumber>{i}</PartNumber><ETag>{tag}</ETag></Part>' for i, tag in enumerate(tags, 1))
            done = f'<CompleteMultipartUpload>{done}</CompleteMultipartUpload>'
            for i in range(1, len(parts) + 1): # the parts go with it
                w.things['part', name, upload, i].past.append([None, w.now(), None, ''])
            w.do(c, ('object', name), hashlib.sha256(b''.join(parts)).hexdigest(), lambda: c.s3('POST', path, done.encode(), f'uploadId={upload}'))
            for i in range(1, len(parts) + 1):
                w.things['part', name, upload, i].past[-1][2] = w.now()
        n += 1
        time.sleep(0.02)


WORKERS = (objects, versions, messages, keys_and_parts)


def work(w, server, seed, seconds=None, rounds=None, prefix='', workers=WORKERS, pause_s=0.02):
    """All workers side by side, for so long, or so many rounds each."""
    end = time.monotonic() + (seconds or 3600)

    def run(i, worker):
        c, left = server.client(), [rounds]

        def go_on():
            if left[0] is not None:
                left[0] -= 1
            time.sleep(pause_s)
            return time.monotonic() < end and (left[0] is None or left[0] >= 0)
        try:
            worker(w, c, random.Random(f'{seed} {i}'), go_on, prefix)
        except (OSError, Refused) as e:
            w.failed.append(e)
        c.close()
    threads = [threading.Thread(target=run, args=(i, worker)) for i, worker in enumerate(workers)]
    [t.start() for t in threads]
    [t.join() for t in threads]


def _objects_there(c):
    listed = c.s3('GET', '/plain', query='list-type=2')[1].decode()
    assert '<IsTruncated>false<' in listed
    return {m[1] for m in re.finditer('<Key>([^<]+)</Key>', listed)}


def judge_objects(w, c, cut, rng, sample):
    wrong, there = [], _objects_there(c)
    known = {name[1]: thing for name, thing in w.things.items() if name[0] == 'object'}
    wrong += [f'object {key}: nobody made it' for key in there - set(known)]
    fresh = [k for k, t in known.items() if any(abs((e[2] or e[1]) - cut) < 3_000_000 for e in t.past)]
    looked = set(fresh) | set(rng.sample(sorted(known), min(sample, len(known))))
    for key, thing in known.items():
        allowed = thing.allowed(cut)
        if key not in there or key not in looked:
            if (key in there) not in [v is not None for v in allowed]:
                wrong.append(f'object {key}: {"there" if key in there else "gone"}')
            continue
        try:
            got = hashlib.sha256(c.s3('GET', f'/plain/{quote(key)}')[1]).hexdigest()
        except (Refused, OSError) as e:
            got = f'unreadable: {e}'
            c.close()
        if got not in allowed:
            wrong.append(f'object {key}: {got[:100]}, not of {[a and a[:8] for a in allowed]}')
    return wrong


def judge_versions(w, c, cut):
    wrong = []
    listed = c.s3('GET', '/versions', query='versions=')[1].decode()
    found = {}
    for m in re.finditer(r'<(Version|DeleteMarker)>(.*?)</\1>', listed, re.S):
        key, version = re.search('<Key>([^<]+)<', m[2])[1], re.search('<VersionId>([^<]+)<', m[2])[1]
        found.setdefault(key, []).append((m[1] == 'DeleteMarker', version))
    for name, thing in w.things.items():
        if name[0] != 'versions':
            continue
        allowed = [v or () for v in thing.allowed(cut)]
        got = []
        for marker, version in reversed(found.pop(name[1], [])):
            try:
                bytes_ = b'' if marker else c.s3('GET', f'/versions/{name[1]}', query=f'versionId={quote(version)}')[1]
                got.append(None if marker else hashlib.sha256(bytes_).hexdigest())
            except (Refused, OSError) as e:
                got.append(f'unreadable: {e}')
                c.close()
        if tuple(got) not in allowed:
            wrong.append(f'versions of {name[1]}: {[g and g[:60] for g in got]}, not of {[[g and g[:8] for g in a] for a in allowed]}')
    return wrong + [f'versions of {key}: nobody made them' for key in found]


def judge_messages(w, c, cut):
    wrong, found = [], {}
    url = c.call('sqs', 'GetQueueUrl', QueueName='q')['QueueUrl']
    while True:
        got = c.call('sqs', 'ReceiveMessage', QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600, AttributeNames=['ApproximateReceiveCount'])
        if not got.get('Messages'):
            break
        for m in got['Messages']:
            if m['Body'] in found:
                wrong.append(f'message {m["Body"][:12]}: there twice')
            found[m['Body']] = int(m['Attributes']['ApproximateReceiveCount'])
    for name, thing in w.things.items():
        if name[0] == 'message' and (True if name[1] in found else None) not in thing.allowed(cut):
            wrong.append(f'message {name[1][:12]}: {"there" if name[1] in found else "gone"}')
        counts = [n for when, n in w.receives.get(name[1], []) if when <= cut] if name[0] == 'message' else []
        if counts and name[1] in found and found[name[1]] <= max(counts):
            wrong.append(f'message {name[1][:12]}: received {found[name[1]]} times, {max(counts)} were acknowledged before')
    return wrong + [f'message {body[:12]}: nobody sent it' for body in set(found) - {n[1] for n in w.things if n[0] == 'message'}]


def judge_keys(w, c, cut):
    wrong = []
    found = {a['AliasName']: a.get('TargetKeyId') for a in c.call('kms', 'ListAliases', Limit=100)['Aliases']}
    for name, thing in w.things.items():
        if name[0] == 'alias':
            if found.get(name[1]) not in thing.allowed(cut):
                wrong.append(f'{name[1]}: {found.get(name[1])}')
            elif (key := found.get(name[1])) in w.ciphers:
                got = base64.b64decode(c.call('kms', 'Decrypt', CiphertextBlob=w.ciphers[key])['Plaintext']).decode()
                if got != key:
                    wrong.append(f'{name[1]}: its key decrypts to something else')
    return wrong


def judge_parts(w, c, cut):
    wrong = []
    for (name, upload) in {n[1:3] for n in w.things if n[0] == 'part'}:
        try:
            listed = c.s3('GET', f'/plain/{name}', query=f'uploadId={quote(upload)}')[1].decode()
        except Refused as e:
            listed = '' if e.status == 404 else str(e)
        found = {int(m[1]): m[2] for m in re.finditer(r'<PartNumber>(\d+)</PartNumber>.*?<ETag>(?:&quot;|")([0-9a-f]+)', listed, re.S)}
        for n, thing in w.things.items():
            if n[:3] == ('part', name, upload) and found.get(n[3]) not in thing.allowed(cut):
                wrong.append(f'part {n[3]} of {name}: {found.get(n[3])}, not of {thing.allowed(cut)}')
    return wrong


def judge(w, c, cut, rng, sample=4, messages=True):
    """-> what is wrong with what is served, as of the cut; looking at messages takes them"""
    wrong = judge_objects(w, c, cut, rng, sample)
    for part in (judge_versions, *([judge_messages] if messages else []), judge_keys, judge_parts):
        wrong += part(w, c, cut)
    return wrong


def run(*argv, env=None):
    p = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, env=env)
    return p.returncode, p.stdout.decode(errors='replace')


def judge_offline(w, data, cut, check):
    """The audit log verifies and has a record of each acknowledged change; coffer-local check (where asked for) finds nothing."""
    wrong = []
    code, out = run(COFFER, 'audit', 'verify', '--from-start', data)
    if code != 0:
        wrong.append(f'audit verify: {out}')
    text = ''.join(f.read_text(errors='replace') for f in sorted(data.glob('audit*.jsonl')))
    recorded = re.findall(r'"requestID":"([^"]+)"', text)
    wrong += [f'request {i} has {recorded.count(i)} records' for i in set(recorded) if recorded.count(i) > 1][:3]
    recorded = set(recorded)
    wrong += [f'request {i} was acknowledged and has no record' for i in w.acknowledged(cut) if i not in recorded][:3]
    if check:
        code, out = run(LOCAL, 'check', '-d', data)
        if code != 0 or not out.endswith('is in order\n'):
            wrong.append(f'check, exit {code}: {out}')
    return wrong


def judge_folder(w, data, cut, rng, check_first, how_to_end=signal.SIGTERM):
    """Everything of a folder after a cut. -> [what is wrong]"""
    wrong = []
    if check_first:
        code, out = run(LOCAL, 'check', '-d', data)
        if code != 0 or not out.endswith('is in order\n'):
            return [f'check, exit {code}: {out}']
    server = Server(data)
    if server.port == 0:
        wrong.append(f'it does not start: {server.told()}')
        server.end()
        return wrong
    c = server.client()
    try:
        wrong += judge(w, c, cut, rng)
    except (Refused, OSError) as e:
        wrong.append(f'a call fails: {e!r}')
    c.close()
    code = server.end(how_to_end)
    if how_to_end == signal.SIGTERM and code != 0:
        wrong.append(f'it ended with {code}')
    return wrong + judge_offline(w, data, cut, not check_first)
