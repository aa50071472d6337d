#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How coffer-local is run: kill -9 at any moment, the audit log beside it, backup under load, check and repair, a full disk, scripted
faults, client certificates, metrics, signals, what set-up and status tell. COFFER_LONG=1 kills several hundred times."""
import http.client, json, os, pty, random, re, resource, shutil, signal, socket, subprocess, sys, tempfile, threading, time, urllib.request
from pathlib import Path

BUILD = Path(os.environ['COFFER_BUILD'])
LOCAL = BUILD / 'src' / 'prog' / 'coffer-local' / 'coffer-local'
COFFER = BUILD / 'src' / 'prog' / 'coffer' / 'coffer'
try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError
except ImportError:
    print('1..0 # SKIP python3 has no boto3')
    sys.exit(0)
MANIFEST = {'account': '111122223333', 'region': 'us-east-1', 'buckets': [{'name': 'bbb'}], 'queues': [{'name': 'qqq'}],
            'credentials': [{'name': 'root', 'root': True}]}
KILLS = 300 if os.environ.get('COFFER_LONG') else 8
ONLY = sys.argv[1:]
TESTS = []


def test(f):
    if not ONLY or f.__name__ in ONLY:
        TESTS.append(f)
    return f


class Server:
    def __init__(self, folder, data='d', **popen):
        self.folder, self.data, self.popen = Path(folder), Path(folder) / data, popen
        if not (self.data / 'ready').exists():
            (self.folder / 'manifest.json').write_text(json.dumps(MANIFEST))
            subprocess.run([LOCAL, 'init', '-d', self.data, '-m', self.folder / 'manifest.json'], check=True, stdout=subprocess.DEVNULL)

    def start(self, *args):
        self.p = subprocess.Popen([LOCAL, 'serve', '-d', self.data, '--listen', 'tcp:127.0.0.1:0', *args], stdout=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL, **self.popen)
        word, _, port = self.p.stdout.readline().decode().partition(' ')
        assert word == 'ready', 'coffer-local did not start'
        self.port = int(port)
        return self

    def end(self, how=signal.SIGTERM):
        self.p.send_signal(how)
        code = self.p.wait(30)
        self.p.stdout.close()
        return code

    def client(self, service, attempts=1, scheme='http', **kw):
        e = dict(line.split('=', 1) for line in (self.data / 'credentials' / 'root.env').read_text().split())
        return boto3.client(service, endpoint_url=f'{scheme}://localhost:{self.port}', region_name='us-east-1', aws_access_key_id=e['AWS_ACCESS_KEY_ID'],
                            aws_secret_access_key=e['AWS_SECRET_ACCESS_KEY'], verify=str(self.data / 'tls' / 'ca.pem'),
                            config=Config(retries={'max_attempts': attempts - 1}, s3={'addressing_style': 'path'}, connect_timeout=10, read_timeout=20, **kw))

    def run(self, *args, check=True):
        p = subprocess.run([LOCAL, args[0], '-d', self.data, *args[1:]], capture_output=True, text=True)
        assert not check or p.returncode == 0, p.stdout[-600:] + p.stderr
        return p

    def audit(self):
        p = subprocess.run([COFFER, 'audit', 'verify', '--json', self.data], capture_output=True, text=True)
        return p.returncode, json.loads(p.stdout)


def refused(code, call, **args):
    try:
        call(**args)
    except ClientError as e:
        assert e.response['Error']['Code'] == code, e
        return e.response
    raise AssertionError(f'no {code}')


def body_of(name):
    r = random.Random(name)
    return r.randbytes(r.choice([10, 5000, 70000, 300000]))


@test
def what_was_acknowledged_is_there_after_kill_9(folder):
    sv = Server(folder)
    there, gone, sent, keys = {}, set(), set(), [] # there: object -> whose body it has
    rng = random.Random(4)
    for turn in range(KILLS):
        sv.start()
        s3, sqs, kms = sv.client('s3'), sv.client('sqs'), sv.client('kms')
        queue = sqs.get_queue_url(QueueName='qqq')['QueueUrl']
        for name, whose in there.items() if turn == KILLS - 1 or turn < 3 else list(there.items())[-8:]:
            assert s3.get_object(Bucket='bbb', Key=name)['Body'].read() == body_of(whose), name
        for name in list(gone)[-8:]:
            refused('NoSuchKey', s3.get_object, Bucket='bbb', Key=name)
        for key in keys[-3:]:
            assert kms.describe_key(KeyId=key)['KeyMetadata']['KeyState'] == 'Enabled'
        timer = threading.Timer(rng.uniform(0.05, 0.4), lambda: os.kill(sv.p.pid, signal.SIGKILL))
        timer.start()
        n, doing = 0, None
        try:
            while True:
                n += 1
                name = f't{turn}-{n}'
                doing = name
                text = body_of(name)
                if n % 4 == 0:
                    up = s3.create_multipart_upload(Bucket='bbb', Key=name)['UploadId']
                    part = s3.upload_part(Bucket='bbb', Key=name, UploadId=up, PartNumber=1, Body=text)
                    s3.complete_multipart_upload(Bucket='bbb', Key=name, UploadId=up, MultipartUpload={'Parts': [{'PartNumber': 1, 'ETag': part['ETag']}]})
                else:
                    s3.put_object(Bucket='bbb', Key=name, Body=text)
                there[name] = name
                if n % 5 == 0:
                    s3.copy_object(Bucket='bbb', Key=name + 'c', CopySource={'Bucket': 'bbb', 'Key': name})
                    there[name + 'c'] = name
                if n % 3 == 0:
                    del there[name] # from here on either is right until the answer is here
                    s3.delete_object(Bucket='bbb', Key=name)
                    gone.add(name)
                sqs.send_message(QueueUrl=queue, MessageBody=name)
                sent.add(name)
                if n == 2:
                    keys.append(kms.create_key()['KeyMetadata']['KeyId'])
        except Exception as e: # the connection went with the server
            assert 'onnect' in str(e) or 'closed' in str(e) or 'endpoint' in str(e).lower() or 'ended' in str(e) or 'reset' in str(e), f'{doing}: {e!r}'
        timer.join()
        sv.p.wait(20)
        sv.p.stdout.close()
    sv.run('check')
    sv.start()
    sqs = sv.client('sqs')
    queue, got = sqs.get_queue_url(QueueName='qqq')['QueueUrl'], set()
    for _ in range(len(sent) + 20):
        m = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get('Messages')
        if not m:
            break
        got |= {x['Body'] for x in m}
    assert sent <= got, sent - got
    assert sv.end() == 0
    code, found = sv.audit()
    assert code == 0 and found['signatures'] > 0, found
    recorded = set()
    for line in (sv.data / 'audit.jsonl').read_text(errors='replace').splitlines():
        try:
            r = json.loads(line)
        except ValueError:
            continue
        if r['eventName'] in ('PutObject', 'CompleteMultipartUpload', 'CopyObject') and 'errorCode' not in r:
            recorded.add(r['requestParameters']['key'])
    assert set(there) | gone <= recorded, (set(there) | gone) - recorded


@test
def a_backup_under_load_is_a_data_directory(folder):
    sv = Server(folder).start()
    stop, done = threading.Event(), []

    def load(who):
        s3 = sv.client('s3')
        n = 0
        while not stop.is_set():
            name = f'l{who}-{n}'
            s3.put_object(Bucket='bbb', Key=name, Body=body_of(name))
            done.append(name)
            if n % 3 == 2:
                s3.delete_object(Bucket='bbb', Key=f'l{who}-{n - 1}')
            n += 1

    threads = [threading.Thread(target=load, args=(i,)) for i in range(3)]
    [t.start() for t in threads]
    while len(done) < 30:
        time.sleep(0.01)
    before = len(done)
    sv.run('backup', str(sv.folder / 'copy'))
    stop.set()
    [t.join() for t in threads]
    assert sv.end() == 0
    assert sv.run('backup', str(sv.folder / 'copy'), check=False).returncode == 1, 'a backup does not replace another'
    sv.run('backup', str(sv.folder / 'second'))
    copy = Server(folder, 'copy')
    copy.run('check')
    copy.start()
    s3 = copy.client('s3')
    seen = 0
    for page in s3.get_paginator('list_objects_v2').paginate(Bucket='bbb'):
        for o in page.get('Contents', []):
            assert s3.get_object(Bucket='bbb', Key=o['Key'])['Body'].read() == body_of(o['Key'])
            seen += 1
    assert seen >= before // 2, (seen, before)
    assert copy.end() == 0
    assert copy.audit()[0] == 0


@test
def damage_is_found_named_and_mended_without_guessing(folder):
    sv = Server(folder).start()
    s3 = sv.client('s3')
    s3.put_object(Bucket='bbb', Key='large', Body=b'x' * 1000000)
    s3.put_object(Bucket='bbb', Key='other', Body=b'y' * 1000000)
    assert sv.end() == 0
    sv.run('check')
    files = [f for f in (sv.data / 'blobs').glob('??/*')]
    assert len(files) == 2
    files[0].unlink()
    assert sv.run('check', check=False).returncode == 3
    p = sv.run('check', '--json', check=False)
    assert json.loads(p.stdout.splitlines()[0])['which'].startswith(files[0].name), p.stdout
    p = subprocess.run([LOCAL, 'serve', '-d', sv.data, '--listen', 'tcp:127.0.0.1:0'], capture_output=True, text=True, timeout=30)
    assert p.returncode == 1 and 'missing' in p.stderr, p
    sv.run('check', '--repair')
    sv.start()
    s3 = sv.client('s3')
    got = {}
    for key in ('large', 'other'):
        try:
            got[key] = len(s3.get_object(Bucket='bbb', Key=key)['Body'].read())
        except Exception as e: # 500, or cut short where the answer had begun
            assert not isinstance(e, ClientError) or e.response['ResponseMetadata']['HTTPStatusCode'] == 500, e
            got[key] = None
    assert sorted(got.values(), key=str) == [1000000, None], got
    for key in got:
        s3.delete_object(Bucket='bbb', Key=key)
    assert sv.end() == 0
    lines = (sv.data / 'audit.jsonl').read_bytes().splitlines(keepends=True)
    (sv.data / 'audit.jsonl').write_bytes(b''.join(lines[:-2]))
    p = subprocess.run([LOCAL, 'serve', '-d', sv.data, '--listen', 'tcp:127.0.0.1:0'], capture_output=True, text=True, timeout=30)
    assert p.returncode != 0 and 'audit log' in p.stderr and 'hint' in p.stderr, p
    sv.run('check', '--repair')
    sv.start()
    assert sv.end() == 0
    assert sv.audit()[0] == 0


@test
def altering_the_audit_log_is_noticed(folder):
    sv = Server(folder).start()
    s3 = sv.client('s3')
    for i in range(5):
        s3.put_object(Bucket='bbb', Key=f'k{i}', Body=b'x')
    assert sv.end() == 0
    code, found = sv.audit()
    assert code == 0 and found['whole'] and found['signedTo'] == found['lastRecord'] == 6, found
    path = sv.data / 'audit.jsonl'
    text = path.read_bytes()
    path.write_bytes(text.replace(b'"key":"k2"', b'"key":"k9"'))
    code, found = sv.audit()
    assert code == 3 and found['line'] == 4 and not found['whole'], found


@test
def a_full_disk_refuses_and_goes_on(folder):
    limit = 3 << 20 # a file's size, in place of a disk's: writing beyond it fails as on a full one, with another word

    def small():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    Server(folder)
    sv = Server(folder, preexec_fn=small).start()
    s3, kept, failed = sv.client('s3'), {}, 0
    for i in range(400):
        name, text = f'f{i}', os.urandom(20000 if i % 2 else 200000)
        try:
            s3.put_object(Bucket='bbb', Key=name, Body=text)
            kept[name] = text
        except ClientError as e:
            assert e.response['ResponseMetadata']['HTTPStatusCode'] in (500, 503), e
            failed += 1
            if failed > 5:
                break
    assert failed > 5 and len(kept) > 5
    resource.prlimit(sv.p.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    s3.put_object(Bucket='bbb', Key='after', Body=b'room')
    for name, text in kept.items():
        assert s3.get_object(Bucket='bbb', Key=name)['Body'].read() == text, name
    assert sv.end() == 0
    sv.popen = {}
    sv.run('check')
    assert sv.audit()[0] == 0


@test
def scripted_faults_come_as_they_were_asked_for(folder):
    sv = Server(folder).start()
    s3 = sv.client('s3')
    assert (sv.data / 'admin.sock').stat().st_mode & 0o777 == 0o600
    s3.put_object(Bucket='bbb', Key='k', Body=b'0' * 100000)
    sv.run('fault', 'add', '--service', 's3', '--operation', 'PutObject', '--status', '503', '--code', 'SlowDown', '--count', '2', '--skip', '1')
    for want in (None, 'SlowDown', 'SlowDown', None):
        if want:
            refused(want, s3.put_object, Bucket='bbb', Key=f'n{want}', Body=b'x')
        else:
            s3.put_object(Bucket='bbb', Key='n', Body=b'x')
    refused('NoSuchKey', s3.get_object, Bucket='bbb', Key='nSlowDown')
    assert json.loads(sv.run('fault', 'list').stdout)[0]['hits'] == 2
    sv.run('fault', 'clear')
    sv.run('fault', 'add', '--operation', 'GetObject', '--tamper', '--count', '1')
    try: # botocore compares the checksum
        assert s3.get_object(Bucket='bbb', Key='k')['Body'].read() != b'0' * 100000
    except Exception as e:
        assert 'checksum' in str(e).lower()
    assert s3.get_object(Bucket='bbb', Key='k')['Body'].read() == b'0' * 100000
    sv.run('fault', 'add', '--operation', 'GetObject', '--cut-after', '5000', '--count', '1')
    try:
        s3.get_object(Bucket='bbb', Key='k')['Body'].read()
        raise AssertionError('not cut')
    except AssertionError:
        raise
    except Exception:
        pass
    sv.run('fault', 'add', '--service', 'kms', '--latency', '300ms', '--count', '1')
    kms, at = sv.client('kms'), time.monotonic()
    kms.list_keys()
    assert time.monotonic() - at >= 0.3
    sv.run('fault', 'add', '--service', 'sqs', '--throttle', '--count', '1')
    refused('ThrottlingException', sv.client('sqs').list_queues)
    sv.run('fault', 'add', '--skew', '-2000', '--operation', 'ListBuckets', '--count', '1')
    refused('RequestTimeTooSkewed', s3.list_buckets)
    s3.list_buckets()
    draws = []
    for _ in range(2):
        sv.run('fault', 'clear')
        sv.run('fault', 'add', '--operation', 'HeadObject', '--status', '500', '--probability', '0.5', '--seed', '9')
        draw = []
        for _ in range(12):
            try:
                s3.head_object(Bucket='bbb', Key='k')
                draw.append(0)
            except ClientError:
                draw.append(1)
        draws.append(draw)
    assert draws[0] == draws[1] and 0 < sum(draws[0]) < 12, draws
    status = json.loads(sv.run('status', '--json').stdout)
    assert status['serving'] and status['faults'] == 1 and status['account'] == '111122223333', status
    assert sv.run('fault', 'add', check=False).returncode != 0
    assert sv.end() == 0


@test
def client_certificates_are_demanded_where_asked_for(folder):
    if not shutil.which('openssl'):
        return 'no openssl program'
    sv = Server(folder)
    f = sv.folder

    def sh(*args):
        subprocess.run(['openssl', *args], cwd=f, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    for name in ('ca', 'stranger'):
        sh('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', f'{name}.key', '-out', f'{name}.pem', '-subj', f'/CN={name}', '-days', '2')
        sh('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', f'{name}-client.key', '-out', f'{name}-client.csr', '-subj', '/CN=client')
        sh('x509', '-req', '-in', f'{name}-client.csr', '-CA', f'{name}.pem', '-CAkey', f'{name}.key', '-CAcreateserial', '-out', f'{name}-client.pem', '-days', '2')
        (f / f'{name}-both.pem').write_text((f / f'{name}-client.pem').read_text() + (f / f'{name}-client.key').read_text())
    sv.start('--client-ca', str(f / 'ca.pem'))
    assert sv.client('s3', scheme='https', client_cert=str(f / 'ca-both.pem')).list_buckets()['Buckets'][0]['Name'] == 'bbb'
    for scheme, cert in (('https', None), ('https', 'stranger-both.pem'), ('http', None)):
        try:
            sv.client('s3', scheme=scheme, client_cert=cert and str(f / cert)).list_buckets()
        except Exception as e:
            assert not isinstance(e, ClientError), e
        else:
            raise AssertionError(f'{scheme} with {cert} got in')
    assert sv.end() == 0


def read_metrics(sv):
    """By the text format's own rules: HELP and TYPE before the samples of a name, no series twice. -> text, {series: value}"""
    with urllib.request.urlopen((sv.data / 'metrics').read_text().strip(), timeout=10) as r:
        assert r.status == 200 and r.headers['Content-Type'].startswith('text/plain; version=0.0.4'), r.headers
        text = r.read().decode()
    types, found = {}, {}
    for line in text.splitlines():
        if line.startswith('# HELP '):
            name = line.split()[2]
            assert name not in types and len(line.split()) > 3, line
        elif line.startswith('# TYPE '):
            assert line.split()[2] == name, line
            types[name] = line.split()[3]
        else:
            m = re.fullmatch(r'([a-z_]+)((?:\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\})?) ([0-9.]+)', line)
            assert m and re.fullmatch(re.escape(name) + ('(_bucket|_sum|_count)' if types[name] == 'histogram' else ''), m[1]), line
            assert m[1] + m[2] not in found, line
            found[m[1] + m[2]] = float(m[3])
            assert types[name] != 'counter' or name.endswith('_total'), line
    return text, found


@test
def metrics_tell_what_was_done_as_prometheus_wants_it(folder):
    sv = Server(folder).start('--metrics', 'tcp:127.0.0.1:0')
    s3, sqs = sv.client('s3'), sv.client('sqs')

    def requests(service, operation, status):
        return f'coffer_local_requests_total{{service="{service}",operation="{operation}",status="{status}"}}'

    before = read_metrics(sv)[1]
    for i in range(3):
        s3.put_object(Bucket='bbb', Key=f'k{i}', Body=b'x' * 100000)
    s3.delete_object(Bucket='bbb', Key='k0')
    refused('NoSuchKey', s3.get_object, Bucket='bbb', Key='none')
    for i in range(4): # names that clients make up
        c = http.client.HTTPConnection('localhost', sv.port, timeout=10)
        c.request('POST', '/', b'{}', {'X-Amz-Target': f'TrentService.MadeUp{i}', 'Content-Type': 'application/x-amz-json-1.1'})
        assert c.getresponse().status in (400, 403)
        c.close()
    sv.run('fault', 'add', '--operation', 'HeadObject', '--status', '503', '--count', '1')
    refused('503', s3.head_object, Bucket='bbb', Key='k1')
    url = sqs.get_queue_url(QueueName='qqq')['QueueUrl']
    poll = threading.Thread(target=lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20))
    poll.start()
    while read_metrics(sv)[1]['coffer_local_long_polls_waiting'] == 0:
        assert poll.is_alive()
    sv.client('sqs').send_message(QueueUrl=url, MessageBody='m')
    poll.join()
    text, m = read_metrics(sv)
    assert m[requests('s3', 'PutObject', '2xx')] == 3 and m[requests('s3', 'GetObject', '4xx')] == 1, text
    assert m[requests('kms', 'other', '4xx')] == 4 and 'MadeUp' not in text, text
    assert m[requests('s3', 'HeadObject', '5xx')] == m['coffer_local_faults_injected_total'] == 1, text
    assert m[requests('sqs', 'ReceiveMessage', '2xx')] == 1 and m['coffer_local_long_polls_waiting'] == 0, text
    labels = 'service="s3",operation="PutObject",status="2xx"'
    rising = [v for k, v in m.items() if k.startswith('coffer_local_request_duration_seconds_bucket{' + labels)]
    assert rising == sorted(rising) and len(rising) == 16 and rising[-1] == 3 == m[f'coffer_local_request_duration_seconds_count{{{labels}}}'], rising
    assert 0 < m[f'coffer_local_request_duration_seconds_sum{{{labels}}}'] < 60
    assert 200000 <= m['coffer_local_store_body_bytes'] - before['coffer_local_store_body_bytes'] < 201000, 'two bodies and their seals'
    assert m['coffer_local_store_bodies'] - before['coffer_local_store_bodies'] == 2
    assert m['coffer_local_commits_total{result="kept"}'] >= 5 and m['coffer_local_commits_total{result="failed"}'] == 0
    assert m['coffer_local_audit_records_total'] > before['coffer_local_audit_records_total']
    assert m['coffer_local_store_database_bytes'] > 4096 and m['process_resident_memory_bytes'] > 1 << 20 and m['coffer_local_connections_open'] >= 1
    assert abs(m['process_start_time_seconds'] - time.time()) < 600 and 'coffer_local_build_info{version="' in text
    for path, method, want in (('/', 'GET', 404), ('/metrics', 'POST', 405)):
        c = http.client.HTTPConnection('localhost', int(re.search(r':(\d+)/', (sv.data / 'metrics').read_text())[1]), timeout=10)
        c.request(method, path)
        assert c.getresponse().status == want
        c.close()
    assert sv.end() == 0
    sv.start('--metrics', 'tcp:127.0.0.1:0')
    assert read_metrics(sv)[1]['coffer_local_store_body_bytes'] == m['coffer_local_store_body_bytes'], 'sizes outlive a restart'
    assert sv.end() == 0
    if not shutil.which('promtool'):
        return 'all but promtool, which is not installed'
    p = subprocess.run(['promtool', 'check', 'metrics'], input=text, capture_output=True, text=True)
    assert p.returncode == 0 and not p.stdout.strip() + p.stderr.strip(), p.stdout + p.stderr


def begin_upload(sv, key):
    """The head of a PUT that the server has taken, and half of its body."""
    url = sv.client('s3', signature_version='s3v4').generate_presigned_url('put_object', Params={'Bucket': 'bbb', 'Key': key})
    s = socket.create_connection(('localhost', sv.port), timeout=20)
    s.sendall(f'PUT {url.split(str(sv.port), 1)[1]} HTTP/1.1\r\nHost: localhost:{sv.port}\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n'.encode())
    got = s.recv(1000)
    assert got.startswith(b'HTTP/1.1 100'), got
    s.sendall(b'01234')
    return s


def until_refused(sv):
    while True:
        try:
            socket.create_connection(('localhost', sv.port), timeout=5).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError: # it stood in the line of a listener that closed just then
            pass
        assert sv.p.poll() is None, 'ended too early'


@test
def a_server_that_is_to_stop_lets_open_exchanges_end(folder):
    sv = Server(folder).start('--metrics', 'tcp:127.0.0.1:0')
    idle = socket.create_connection(('localhost', sv.port), timeout=20)
    url = sv.client('sqs').get_queue_url(QueueName='qqq')['QueueUrl']
    gone = []

    def poll():
        try:
            gone.append(sv.client('sqs').receive_message(QueueUrl=url, WaitTimeSeconds=20))
        except Exception as e:
            gone.append(e)

    poller = threading.Thread(target=poll)
    poller.start()
    while read_metrics(sv)[1]['coffer_local_long_polls_waiting'] == 0:
        assert poller.is_alive()
    s = begin_upload(sv, 'whole')
    at = time.monotonic()
    sv.p.send_signal(signal.SIGTERM)
    until_refused(sv)
    poller.join(20)
    assert isinstance(gone[0], Exception) and not isinstance(gone[0], ClientError), gone
    assert idle.recv(10) == b''
    s.sendall(b'56789')
    assert s.recv(1000).startswith(b'HTTP/1.1 200')
    assert sv.p.wait(20) == 0 and time.monotonic() - at < 4.5, 'it ends with its last exchange'
    sv.p.stdout.close()
    sv.start()
    assert sv.client('s3').get_object(Bucket='bbb', Key='whole')['Body'].read() == b'0123456789'
    s, at = begin_upload(sv, 'half'), time.monotonic()
    sv.p.send_signal(signal.SIGINT)
    until_refused(sv)
    sv.p.send_signal(signal.SIGTERM)
    assert sv.p.wait(20) == 0 and time.monotonic() - at < 4.5, 'a second signal ends it at once'
    assert s.recv(1000) == b''
    sv.p.stdout.close()
    sv.start()
    refused('NoSuchKey', sv.client('s3').get_object, Bucket='bbb', Key='half')
    s, at = begin_upload(sv, 'stuck'), time.monotonic()
    assert sv.end() == 0 and 4.5 < time.monotonic() - at < 20, 'who does not end is not waited for longer'
    assert sv.audit()[0] == 0


@test
def sighup_lets_the_audit_log_be_moved_away(folder):
    sv = Server(folder).start()
    s3 = sv.client('s3')
    s3.put_object(Bucket='bbb', Key='before', Body=b'x')
    new, old = sv.data / 'audit.jsonl', sv.data / f'audit-{1:016}.jsonl'
    new.rename(old)
    s3.put_object(Bucket='bbb', Key='between', Body=b'x') # still goes to the file that was moved
    sv.p.send_signal(signal.SIGHUP)
    while not new.exists():
        assert s3.list_buckets()['Buckets'] and sv.p.poll() is None
    s3.put_object(Bucket='bbb', Key='after', Body=b'x')
    assert '"key":"after"' in new.read_text() and '"key":"after"' not in old.read_text()
    assert '"key":"before"' in old.read_text() and '"key":"between"' in old.read_text() and '"key":"between"' not in new.read_text()
    sv.p.send_signal(signal.SIGHUP) # nothing was moved: nothing happens
    s3.put_object(Bucket='bbb', Key='last', Body=b'x')
    assert sv.end() == 0
    code, found = sv.audit()
    assert code == 0 and found['whole'] and found['lastRecord'] >= 6, found
    sv.start()
    assert sv.end() == 0
    assert sv.audit()[0] == 0


@test
def set_up_prints_what_to_paste(folder):
    (Path(folder) / 'manifest.json').write_text(json.dumps({**MANIFEST, 'users': [{'name': 'bob', 'policies': []}],
                                                            'credentials': [{'name': 'bob', 'user': 'bob'}, {'name': 'root', 'root': True}]}))
    make = lambda *args, **kw: subprocess.Popen([LOCAL, *args, '-m', Path(folder) / 'manifest.json'], stdin=subprocess.DEVNULL, **kw)
    p = make('init', '-d', Path(folder) / 'a', stdout=subprocess.PIPE, text=True)
    out = p.communicate(timeout=30)[0]
    assert p.returncode == 0 and '\nidentities: bob root\n' in out and '\nto be root ' in out, out
    env = subprocess.run([LOCAL, 'env', '-d', Path(folder) / 'a', 'root'], capture_output=True, text=True, check=True).stdout
    assert 'export AWS_SECRET_ACCESS_KEY=' in env and out.endswith(env), (out, env)
    for where, with_terminal in (('b', False), ('c', True)):
        data = Path(folder) / where
        mine, theirs = pty.openpty() if with_terminal else os.pipe()
        p = make('serve', '-d', data, '--listen', 'tcp:127.0.0.1:0', stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        assert p.stdout.readline().startswith(b'ready ')
        text = b''
        while (b'export AWS_CA_BUNDLE' if with_terminal else b'to be root') not in text:
            text += os.read(mine, 4096)
        p.send_signal(signal.SIGTERM)
        assert p.wait(20) == 0 and p.stdout.read() == b'', 'standard output has the port alone'
        p.stdout.close()
        text = text.decode().replace('\r', '')
        assert 'identities: bob root\n' in text
        secret = (data / 'credentials' / 'root.env').read_text().split('AWS_SECRET_ACCESS_KEY=')[1].split()[0]
        assert (secret in text) == with_terminal, 'a secret is for a terminal, and for no log'
        os.close(mine)


@test
def status_counts_what_there_is(folder):
    sv = Server(folder).start()
    s3, sqs = sv.client('s3'), sv.client('sqs')
    sv.client('kms').create_key()
    was = json.loads(sv.run('status', '--json').stdout)
    s3.create_bucket(Bucket='versions')
    s3.put_bucket_versioning(Bucket='versions', VersioningConfiguration={'Status': 'Enabled'})
    for body in (b'x' * 50000, b'y' * 100, b'z'):
        s3.put_object(Bucket='versions', Key='k', Body=body)
    url = sqs.get_queue_url(QueueName='qqq')['QueueUrl']
    for i in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(i))
    assert sqs.receive_message(QueueUrl=url)['Messages']
    now = json.loads(sv.run('status', '--json').stdout)
    grown = {k: now[k] - was[k] for k in ('buckets', 'objects', 'objectVersions', 'keys', 'queues', 'messagesWaiting', 'messagesHidden', 'bodies')}
    assert grown == {'buckets': 1, 'objects': 1, 'objectVersions': 3, 'keys': 0, 'queues': 0, 'messagesWaiting': 2, 'messagesHidden': 1, 'bodies': 3}, grown
    assert was['keys'] == 1 and was['queues'] == 1 and 50101 <= now['bodyBytes'] - was['bodyBytes'] < 50400 and now['databaseBytes'] > 4096
    words = f"2 buckets, 1 object (3 versions), {now['keys']} key, 1 queue, 2 messages waiting (and 1 in flight or delayed)\n"
    served = sv.run('status').stdout
    assert served.startswith('serving https://localhost:') and words in served and 'database ' in served, served
    assert sv.end() == 0
    assert sv.run('status').stdout.startswith('not served\n' + words)
    last = json.loads(sv.run('status', '--json').stdout)
    assert last['serving'] is False and {k: last[k] for k in grown} == {k: now[k] for k in grown}, last


@test
def a_database_that_was_not_closed_in_order_is_checked(folder):
    sv = Server(folder).start()
    s3 = sv.client('s3')
    for i in range(60):
        s3.put_object(Bucket='bbb', Key=f'k{i}', Body=os.urandom(20000))
    assert (sv.data / 'serving').exists()
    assert sv.end() == 0 and not (sv.data / 'serving').exists()
    sv.start().end(signal.SIGKILL)
    sv.popen = {'stderr': subprocess.PIPE} # whole, though not closed: it is looked at, and served
    sv.start()
    assert b'its database is checked' in sv.p.stderr.readline()
    sv.p.stderr.close()
    assert sv.client('s3').get_object(Bucket='bbb', Key='k7')['ContentLength'] == 20000
    sv.end(signal.SIGKILL)
    sv.popen = {'stderr': subprocess.DEVNULL}
    sv.start().end() # SQLite's log is in the database now
    whole = (sv.data / 'store.db').read_bytes()
    page = int.from_bytes(whole[16:18], 'big')
    rng = random.Random(3)

    def start_damaged(n, marked):
        """What a start says of a copy whose database has one damaged page; None: it serves."""
        copy = sv.folder / f'copy-{n}-{marked}'
        shutil.copytree(sv.data, copy, ignore=shutil.ignore_patterns('*.sock'))
        with (copy / 'store.db').open('r+b') as f:
            f.seek(n * page)
            f.write(rng.randbytes(64))
        if marked:
            (copy / 'serving').touch()
        p = subprocess.Popen([LOCAL, 'serve', '-d', copy, '--listen', 'tcp:127.0.0.1:0'], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             stdin=subprocess.DEVNULL, text=True)
        served = p.stdout.readline().startswith('ready')
        if served:
            p.terminate()
        err = p.communicate(timeout=30)[1]
        assert served or p.returncode == 1, err
        return None if served else err

    told = 0
    for n in rng.sample(range(2, len(whole) // page), 40):
        err = start_damaged(n, True)
        if err and not start_damaged(n, False): # what a start does not notice by itself
            told += 1
            assert 'the database is damaged' in err and 'hint: ' in err and 'coffer-local backup' in err, err
            break
    assert told == 1


@test
def a_damaged_log_is_refused_and_named(folder):
    """Records of the store's log that others follow were acknowledged: they are not left out."""
    sv = Server(folder).start()
    s3 = sv.client('s3')
    for i in range(5):
        s3.put_object(Bucket='bbb', Key=f'k{i}', Body=os.urandom(2000))
    sv.end(signal.SIGKILL)
    log = max(sv.data.glob('store.log-*'), key=lambda p: len(p.read_bytes().rstrip(b'\0')))
    whole = log.read_bytes()
    log.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    p = sv.run('serve', '--listen', 'tcp:127.0.0.1:0', check=False)
    assert p.returncode == 1 and f'{log.name} is damaged at byte 0' in p.stderr and 'coffer-local backup' in p.stderr, p.stderr
    p = sv.run('check', '--repair', check=False)
    assert p.returncode == 1 and log.name in p.stderr, p.stderr # nor is it mended by leaving them out
    log.write_bytes(whole)
    sv.popen = {'stderr': subprocess.DEVNULL}
    s3 = sv.start().client('s3')
    assert all(s3.get_object(Bucket='bbb', Key=f'k{i}')['ContentLength'] == 2000 for i in range(5))
    sv.end()


@test
def memory_is_given_back_after_work(folder):
    sv = Server(folder).start()
    s3 = sv.client('s3')
    body = os.urandom(30000)

    def resident():
        return next(int(line.split()[1]) for line in Path(f'/proc/{sv.p.pid}/status').read_text().splitlines() if line.startswith('VmRSS'))

    before = resident()
    for i in range(400):
        s3.put_object(Bucket='bbb', Key=f'k{i}', Body=body)
    worked = resident()
    assert worked > before + 4096, (before, worked)
    until = time.monotonic() + 20
    while resident() > before + 2048 and time.monotonic() < until:
        time.sleep(0.2)
    assert resident() <= before + 2048, (before, worked, resident())
    assert s3.get_object(Bucket='bbb', Key='k7')['Body'].read() == body
    sv.end()


def main():
    print(f'1..{len(TESTS)}')
    failed = 0
    for i, t in enumerate(TESTS, 1):
        name = t.__name__.replace('_', ' ')
        with tempfile.TemporaryDirectory(prefix='co-') as folder:
            try:
                skip = t(folder)
                print(f'ok {i} - {name}' + (f' # SKIP {skip}' if skip else ''), flush=True)
            except Exception as e:
                import traceback
                failed += 1
                print(f'not ok {i} - {name}', flush=True)
                print('# ' + traceback.format_exc().replace('\n', '\n# '), flush=True)
    return 1 if failed else 0


sys.exit(main())
