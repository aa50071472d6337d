#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer put, get, ls, rm and presign against S3 servers of other people's making: moto_server and npm's s3rver, each where it can be
had, and one that is running already ($COFFER_JUDGE_URL with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; $COFFER_JUDGE_KMS_KEY for
SSE-KMS; Ceph RGW before 18 wants AWS_REQUEST_CHECKSUM_CALCULATION=when_required); boto3 reads there what coffer wrote, and the reverse. What a server cannot do is skipped with a word."""
import hashlib, json, os, random, shutil, signal, socket, subprocess, sys, tempfile, time, urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'tools'))
from local import BUILD, COFFER, Checks

try:
    import boto3
    from botocore.config import Config
except ImportError:
    boto3 = None
check = Checks()
MIB = 1 << 20
S3RVER = '3.7.1'


class Server:
    """can: what of sse-s3, sse-kms, sse-c, tags, create-only, resume it can; env: more of the environment"""

    def __init__(self, name, url, keys, can, env=None, kms_key=None):
        self.name, self.url, self.can, self.kms_key = name, url, can, kms_key
        self.tmp = Path(tempfile.mkdtemp(prefix='coffer-test-'))
        clean = {k: v for k, v in os.environ.items() if not k.startswith(('AWS_', 'COFFER_STATE'))}
        self.env = clean | {'AWS_ENDPOINT_URL': url, 'AWS_ACCESS_KEY_ID': keys[0], 'AWS_SECRET_ACCESS_KEY': keys[1], 'AWS_REGION': 'us-east-1',
                            'AWS_DEFAULT_REGION': 'us-east-1', 'AWS_EC2_METADATA_DISABLED': 'true', 'HOME': str(self.tmp),
                            'COFFER_STATE_DIR': str(self.tmp / 'state')} | (env or {})
        self.bucket = f'coffer-{os.getpid()}'
        self.s3 = None
        if boto3 is not None:
            self.s3 = boto3.client('s3', endpoint_url=url, region_name='us-east-1', aws_access_key_id=keys[0], aws_secret_access_key=keys[1],
                                   config=Config(s3={'addressing_style': 'path'}, request_checksum_calculation='when_required',
                                                 response_checksum_validation='when_required', retries={'max_attempts': 1}))

    def coffer(self, *argv, stdin=None, **env):
        p = subprocess.run([str(COFFER), *map(str, argv)], input=stdin, capture_output=True, timeout=120, cwd=self.tmp, env=self.env | env,
                           **({} if stdin is not None else {'stdin': subprocess.DEVNULL}))
        return p.returncode, p.stdout, p.stderr.decode(errors='replace')


def modes_of(v):
    modes = {'none': ([], {})}
    if 'sse-s3' in v.can:
        modes['sse-s3'] = (['-e', 'sse-s3'], {'ServerSideEncryption': 'AES256'})
    if 'sse-kms' in v.can:
        key = {'SSEKMSKeyId': v.kms_key} if v.kms_key else {}
        modes['sse-kms'] = (['-e', 'sse-kms', *(['--kms-key-id', v.kms_key] if v.kms_key else [])], {'ServerSideEncryption': 'aws:kms', **key})
    if 'sse-c' in v.can:
        modes['sse-c'] = (['-e', 'sse-c', '--key-file', 'key'], {'SSECustomerAlgorithm': 'AES256', 'SSECustomerKey': (v.tmp / 'key').read_bytes()})
    return modes


def exchange(v):
    (v.tmp / 'key').write_bytes(os.urandom(32))
    data = random.randbytes(20 * MIB + 1)
    for mode, (options, theirs) in modes_of(v).items():
        reads = options if mode == 'sse-c' else []
        for size in (0, 1, 100_000, 3 * MIB, 8 * MIB + 1, len(data)):
            (v.tmp / 'file').write_bytes(data[:size])
            code, out, err = v.coffer('put', 'file', f's3://{v.bucket}/{mode}/{size}', *options, '--json')
            code2, out2, err2 = v.coffer('get', f's3://{v.bucket}/{mode}/{size}', 'back', *reads)
            ok = code == 0 and code2 == 0 and (v.tmp / 'back').read_bytes() == data[:size]
            if v.s3 is not None:
                more = theirs if mode == 'sse-c' else {}
                ok = ok and v.s3.get_object(Bucket=v.bucket, Key=f'{mode}/{size}', **more)['Body'].read() == data[:size]
                v.s3.put_object(Bucket=v.bucket, Key=f'boto/{mode}/{size}', Body=data[:size], **theirs)
                code, out, err3 = v.coffer('get', f's3://{v.bucket}/boto/{mode}/{size}', '-', *reads)
                ok = ok and code == 0 and out == data[:size]
            (v.tmp / 'back').unlink(missing_ok=True)
            check(f'{v.name}: {mode}, {size} bytes, both ways' + (', by boto3 too' if v.s3 else ''), ok, err + err2)
    if v.s3 is not None:
        up = v.s3.create_multipart_upload(Bucket=v.bucket, Key='parts')['UploadId']
        cut = [data[:6 * MIB], data[6 * MIB:12 * MIB], data[12 * MIB:]]
        etags = [v.s3.upload_part(Bucket=v.bucket, Key='parts', UploadId=up, PartNumber=i + 1, Body=p)['ETag'] for i, p in enumerate(cut)]
        v.s3.complete_multipart_upload(Bucket=v.bucket, Key='parts', UploadId=up,
                                       MultipartUpload={'Parts': [{'PartNumber': i + 1, 'ETag': e} for i, e in enumerate(etags)]})
        code, out, err = v.coffer('get', f's3://{v.bucket}/parts', 'back')
        check(f'{v.name}: an object that boto3 sent in parts', code == 0 and (v.tmp / 'back').read_bytes() == data, err)
    code, out, err = v.coffer('put', '-', f's3://{v.bucket}/pipe', stdin=data)
    code2, out, err2 = v.coffer('get', f's3://{v.bucket}/pipe', '-')
    check(f'{v.name}: pipes', code == 0 and code2 == 0 and out == data, err + err2)
    return data


def rest(v, data):
    for i in range(30):
        (v.tmp / f'tree/a/{i}').parent.mkdir(parents=True, exist_ok=True)
        (v.tmp / f'tree/a/{i}').write_bytes(data[i * 1000:(i + 1) * 1000])
    code, out, err = v.coffer('put', '-r', 'tree', f's3://{v.bucket}/t/')
    code2, out, err2 = v.coffer('get', '-r', f's3://{v.bucket}/t/', 'down')
    same = all((v.tmp / f'down/a/{i}').read_bytes() == data[i * 1000:(i + 1) * 1000] for i in range(30))
    check(f'{v.name}: a folder up and down', code == 0 and code2 == 0 and same, err + err2)
    code, out, err = v.coffer('ls', '-r', f's3://{v.bucket}/t/', '--json')
    check(f'{v.name}: ls', code == 0 and len(out.splitlines()) == 30, err)
    code, out, err = v.coffer('rm', '-r', f's3://{v.bucket}/t/')
    check(f'{v.name}: rm', code == 0 and v.coffer('ls', '-r', f's3://{v.bucket}/t/')[0] == 1, err)
    code, out, err = v.coffer('presign', f's3://{v.bucket}/none/100000')
    check(f'{v.name}: a presigned URL', code == 0 and urllib.request.urlopen(out.decode().strip()).read() == data[:100_000], err)
    code, out, err = v.coffer('get', f's3://{v.bucket}/nothing', 'back')
    check(f'{v.name}: no such key is an error, with nothing written', code == 1 and not (v.tmp / 'back2').exists(), err)
    code, out, err = v.coffer('roundtrip', 'file', f's3://{v.bucket}/rt/', '--json', '--remove')
    check(f'{v.name}: roundtrip', code == 0 and json.loads(out)['same'] is True, err)
    if 'tags' in v.can and v.s3 is not None:
        v.coffer('put', 'key', f's3://{v.bucket}/tagged', '--tag', 'a=1')
        check(f'{v.name}: tags', v.s3.get_object_tagging(Bucket=v.bucket, Key='tagged')['TagSet'] == [{'Key': 'a', 'Value': '1'}])
    if 'create-only' in v.can:
        code, out, err = v.coffer('put', 'key', f's3://{v.bucket}/none/1', '--create-only')
        check(f'{v.name}: create-only of what is there', code == 1 and 'PreconditionFailed' in err, f'{code} {err}')
    else:
        check.skip(f'{v.name}: create-only', 'this server knows no conditions of writing')
    if 'sse-c' in v.can:
        (v.tmp / 'other').write_bytes(os.urandom(32))
        code, out, err = v.coffer('get', f's3://{v.bucket}/sse-c/100000', 'wrong', '-e', 'sse-c', '--key-file', 'other')
        check(f'{v.name}: another sse-c key gets nothing', code != 0 and not (v.tmp / 'wrong').exists(), f'{code} {err}')
    if 'signatures' in v.can:
        code, out, err = v.coffer('ls', f's3://{v.bucket}/', AWS_SECRET_ACCESS_KEY='wrong')
        check(f'{v.name}: a wrong secret', code == 1 and 'SignatureDoesNotMatch' in err, err)
    if 'resume' in v.can:
        (v.tmp / 'big').write_bytes(data)
        for i in range(12):
            p = subprocess.Popen([str(COFFER), 'put', '-q', 'big', f's3://{v.bucket}/killed', '--limit-rate', '100M'], env=v.env, cwd=v.tmp,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(random.uniform(0.01, 0.2))
            p.send_signal(signal.SIGKILL)
            p.wait()
        code, out, err = v.coffer('put', '-q', 'big', f's3://{v.bucket}/killed')
        check(f'{v.name}: 12 times kill -9 of a put, then it goes on', code == 0 and v.coffer('get', f's3://{v.bucket}/killed', '-')[1] == data, err)


def wait_for(port, process):
    for _ in range(400):
        try:
            socket.create_connection(('127.0.0.1', port), 1).close()
            return True
        except OSError:
            if process.poll() is not None:
                return False
            time.sleep(0.1)
    return False


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def judge(v, process=None):
    try:
        if v.s3 is not None and v.name != 's3rver':
            v.s3.create_bucket(Bucket=v.bucket)
        rest(v, exchange(v))
    except Exception as e:
        check(f'{v.name}: the test itself', False, f'{type(e).__name__}: {e}')
    finally:
        if process is not None:
            process.terminate()
            process.wait(20)
        shutil.rmtree(v.tmp, ignore_errors=True)


def moto():
    server = shutil.which('moto_server')
    if server is None or boto3 is None:
        check.skip('moto_server', 'moto_server or boto3 is not here')
        return
    port = free_port()
    p = subprocess.Popen([server, '-H', '127.0.0.1', '-p', str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if not wait_for(port, p):
        p.kill()
        check.skip('moto_server', 'it does not answer')
        return
    # It keeps no SSE-C keys, any signature is good to it, and where it says CRC64NVME it means another sum.
    judge(Server('moto', f'http://127.0.0.1:{port}', ('x', 'x'), {'sse-s3', 'sse-kms', 'tags', 'resume'},
                 {'AWS_RESPONSE_CHECKSUM_VALIDATION': 'when_required'}), p)


def s3rver():
    place = BUILD / f'node-s3rver-{S3RVER}'
    if not shutil.which('npm') or not shutil.which('node'):
        check.skip('s3rver', 'no npm here')
        return
    if not (place / 'complete').exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / 'package.json').write_text('{"private": true}')
        try:
            p = subprocess.run(['npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', f's3rver@{S3RVER}'], cwd=place, capture_output=True,
                               timeout=150)
        except subprocess.TimeoutExpired:
            p = None
        if p is None or p.returncode != 0:
            check.skip('s3rver', 'npm gives no packages')
            return
        (place / 'complete').touch()
    port, data = free_port(), tempfile.mkdtemp(prefix='coffer-test-')
    bucket = f'coffer-{os.getpid()}'
    p = subprocess.Popen(['node', str(place / 'node_modules/.bin/s3rver'), '-d', data, '-a', '127.0.0.1', '-p', str(port), '--silent',
                          '--configure-bucket', bucket], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ, NODE_NO_WARNINGS='1'))
    if not wait_for(port, p):
        p.kill()
        check.skip('s3rver', 'it does not answer')
        return
    url, keys = f'http://127.0.0.1:{port}', ('S3RVER', 'S3RVER')
    v = Server('s3rver', url, keys, set())
    (v.tmp / 'big').write_bytes(os.urandom(9 * MIB))
    code, out, err = v.coffer('put', 'big', f's3://{bucket}/framed')
    check('s3rver: it stores a streamed body\'s framing, which is noticed', code == 3 and 'bytes, not the' in err and 'when_required' in err, err)
    shutil.rmtree(v.tmp)
    # It knows neither encryption nor aws-chunked bodies.
    judge(Server('s3rver', url, keys, set(), {'AWS_REQUEST_CHECKSUM_CALCULATION': 'when_required'}), p)
    shutil.rmtree(data, ignore_errors=True)


def given():
    url = os.environ.get('COFFER_JUDGE_URL')
    if not url:
        check.skip('another server', 'COFFER_JUDGE_URL names none')
        return
    kms = os.environ.get('COFFER_JUDGE_KMS_KEY')
    can = set(os.environ.get('COFFER_JUDGE_CAN', 'sse-c tags signatures resume create-only').split()) | ({'sse-kms'} if kms else set())
    env = {k: v for k, v in os.environ.items() if k in ('AWS_REQUEST_CHECKSUM_CALCULATION', 'AWS_RESPONSE_CHECKSUM_VALIDATION')}
    judge(Server('given', url, (os.environ['AWS_ACCESS_KEY_ID'], os.environ['AWS_SECRET_ACCESS_KEY']), can, env, kms))


def main():
    for server in (moto, s3rver, given):
        server()
    return check.done()


sys.exit(main())
