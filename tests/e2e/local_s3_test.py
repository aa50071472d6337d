#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local's S3 judged by boto3 and the AWS CLI over plain HTTP and TLS, by raw requests, and by kill -9."""
import base64, datetime, hashlib, io, json, os, shutil, signal, socket, subprocess, sys, tempfile, threading, time
from pathlib import Path

BUILD = Path(os.environ['COFFER_BUILD'])
LOCAL = BUILD / 'src' / 'prog' / 'coffer-local' / 'coffer-local'
try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError
    import botocore.exceptions
except ImportError:
    print('1..0 # SKIP python3 has no boto3')
    sys.exit(0)
if not LOCAL.exists():
    print(f'1..0 # SKIP {LOCAL} is not built')
    sys.exit(0)


class Server:
    def __init__(self, data, *args):
        self.data, self.args, self.p = Path(data), args, None
        self.start()

    def start(self):
        self.p = subprocess.Popen([LOCAL, 'serve', '--data', self.data, '--listen', 'tcp:127.0.0.1:0', *self.args],
                                  stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        line = self.p.stdout.readline().decode().split()
        assert line[:1] == ['ready'], 'coffer-local did not start'
        self.port = int(line[1])

    def kill(self, how=signal.SIGKILL):
        self.p.send_signal(how)
        code = self.p.wait(20)
        self.p.stdout.close()
        return code

    def env(self, who='root'):
        return dict(line.split('=', 1) for line in (self.data / 'credentials' / f'{who}.env').read_text().split())

    def s3(self, who='root', scheme='https', **config):
        e = self.env(who)
        return boto3.client('s3', endpoint_url=f'{scheme}://localhost:{self.port}', region_name='us-east-1',
                            aws_access_key_id=e['AWS_ACCESS_KEY_ID'], aws_secret_access_key=e['AWS_SECRET_ACCESS_KEY'],
                            aws_session_token=e.get('AWS_SESSION_TOKEN'), verify=str(self.data / 'tls' / 'ca.pem'),
                            config=Config(retries={'max_attempts': 1}, s3={'addressing_style': 'path'}, **config))


def refused(code, call, **args):
    try:
        call(**args)
    except ClientError as e:
        got = e.response['Error']['Code']
        assert got == code or str(e.response['ResponseMetadata']['HTTPStatusCode']) == code, f'{got} in place of {code}: {e}'
        return e.response
    raise AssertionError(f'no {code}')


TESTS = []
ONLY = sys.argv[1:]


def test(f):
    if not ONLY or f.__name__ in ONLY:
        TESTS.append(f)
    return f


@test
def objects_come_back_whole_over_http_and_tls(sv):
    for scheme in ('http', 'https'):
        s3 = sv.s3(scheme=scheme)
        b = f'round-{scheme}'
        s3.create_bucket(Bucket=b)
        # chunks, what is gathered, runs of four chunks, and what is hashed by another thread: their edges
        for size in (0, 1, 65535, 65536, 65537, 131072, 262080, 262081, 262144, 262145, 524289, (1 << 20) - 1, 1 << 20, (5 << 20) + 1, 300001):
            data = os.urandom(size)
            put = s3.put_object(Bucket=b, Key=f'k/ä {size}+%', Body=data, Metadata={'a': 'b'}, ContentType='image/x', CacheControl='no-store',
                                Tagging='t=1&u=%20')
            assert put['ETag'] == f'"{hashlib.md5(data).hexdigest()}"'
            got = s3.get_object(Bucket=b, Key=f'k/ä {size}+%')
            assert got['Body'].read() == data and got['Metadata'] == {'a': 'b'} and got['ContentType'] == 'image/x'
            assert got['CacheControl'] == 'no-store' and got['TagCount'] == 2 and got['ServerSideEncryption'] == 'AES256'
            assert 'ContentEncoding' not in got or got['ContentEncoding'] == ''
            copy = s3.copy_object(Bucket=b, Key='copy', CopySource={'Bucket': b, 'Key': f'k/ä {size}+%'})['CopyObjectResult']
            assert copy['ETag'] == put['ETag'] and s3.get_object(Bucket=b, Key='copy')['Body'].read() == data
        for first, last in ((0, 0), (65535, 65536), (65536, 65536), (131071, 200000), (300000, 400000)):
            got = s3.get_object(Bucket=b, Key='k/ä 300001+%', Range=f'bytes={first}-{last}')
            assert got['Body'].read() == data[first:last + 1], (first, last)
        assert s3.get_object(Bucket=b, Key='k/ä 300001+%', Range='bytes=-7')['Body'].read() == data[-7:]
        refused('InvalidRange', s3.get_object, Bucket=b, Key='k/ä 300001+%', Range='bytes=300001-')
        assert s3.head_object(Bucket=b, Key='k/ä 0+%')['ContentLength'] == 0


@test
def every_checksum_is_verified_and_kept(sv):
    s3 = sv.s3()
    s3.create_bucket(Bucket='sums')
    for alg in ('CRC32', 'SHA1', 'SHA256'):
        s3.put_object(Bucket='sums', Key=alg, Body=b'123456789', ChecksumAlgorithm=alg)
        head = s3.head_object(Bucket='sums', Key=alg, ChecksumMode='ENABLED')
        assert head[f'Checksum{alg}'] and head['ChecksumType'] == 'FULL_OBJECT'
    good = {'CRC32C': base64.b64encode(bytes.fromhex('e3069283')).decode(),
            'CRC64NVME': base64.b64encode(bytes.fromhex('ae8b14860a799888')).decode()}
    for alg, value in good.items():
        s3.put_object(Bucket='sums', Key=alg, Body=b'123456789', **{f'Checksum{alg}': value})
        assert s3.head_object(Bucket='sums', Key=alg, ChecksumMode='ENABLED')[f'Checksum{alg}'] == value
        refused('BadDigest', s3.put_object, Bucket='sums', Key='bad', Body=b'123456780', **{f'Checksum{alg}': value})
    md5 = base64.b64encode(hashlib.md5(b'other').digest()).decode()
    refused('BadDigest', s3.put_object, Bucket='sums', Key='bad', Body=b'123456789', ContentMD5=md5)
    refused('InvalidDigest', s3.put_object, Bucket='sums', Key='bad', Body=b'123456789', ContentMD5='zz')
    refused('404', s3.head_object, Bucket='sums', Key='bad')


@test
def multipart_uploads_join(sv):
    s3 = sv.s3()
    s3.create_bucket(Bucket='parts')
    data = os.urandom(13 * 1024 * 1024 + 5)
    cut = [data[:5 << 20], data[5 << 20:11 << 20], data[11 << 20:]]
    for alg, kind in (('CRC32', 'COMPOSITE'), ('SHA256', 'COMPOSITE'), ('CRC32', 'FULL_OBJECT')):
        up = s3.create_multipart_upload(Bucket='parts', Key='m', ChecksumAlgorithm=alg, ChecksumType=kind)['UploadId']
        done = []
        for i, part in enumerate(cut, 1):
            r = s3.upload_part(Bucket='parts', Key='m', UploadId=up, PartNumber=i, Body=part, ChecksumAlgorithm=alg)
            done.append({'PartNumber': i, 'ETag': r['ETag'], f'Checksum{alg}': r[f'Checksum{alg}']})
        assert [p['Size'] for p in s3.list_parts(Bucket='parts', Key='m', UploadId=up)['Parts']] == [len(c) for c in cut]
        assert [u['Key'] for u in s3.list_multipart_uploads(Bucket='parts')['Uploads']] == ['m']
        refused('InvalidPartOrder', s3.complete_multipart_upload, Bucket='parts', Key='m', UploadId=up, MultipartUpload={'Parts': done[::-1]})
        r = s3.complete_multipart_upload(Bucket='parts', Key='m', UploadId=up, MultipartUpload={'Parts': done}, ChecksumType=kind)
        want = hashlib.md5(b''.join(hashlib.md5(c).digest() for c in cut)).hexdigest()
        assert r['ETag'] == f'"{want}-3"', r['ETag']
        assert s3.get_object(Bucket='parts', Key='m')['Body'].read() == data
        assert s3.get_object(Bucket='parts', Key='m', Range='bytes=5242870-11534340')['Body'].read() == data[5242870:11534341]
        part = s3.get_object(Bucket='parts', Key='m', PartNumber=2)
        assert part['Body'].read() == cut[1] and part['PartsCount'] == 3
        if kind == 'FULL_OBJECT':
            whole = s3.put_object(Bucket='parts', Key='w', Body=data, ChecksumAlgorithm=alg)
            assert r[f'Checksum{alg}'] == whole[f'Checksum{alg}']
    up = s3.create_multipart_upload(Bucket='parts', Key='n')['UploadId']
    etag = s3.upload_part(Bucket='parts', Key='n', UploadId=up, PartNumber=1, Body=b'x')['ETag']
    s3.upload_part(Bucket='parts', Key='n', UploadId=up, PartNumber=2, Body=b'y')
    refused('InvalidPart', s3.complete_multipart_upload, Bucket='parts', Key='n', UploadId=up,
            MultipartUpload={'Parts': [{'PartNumber': 1, 'ETag': '"00"'}]})
    refused('EntityTooSmall', s3.complete_multipart_upload, Bucket='parts', Key='n', UploadId=up,
            MultipartUpload={'Parts': [{'PartNumber': 1, 'ETag': etag}, {'PartNumber': 2, 'ETag': s3.list_parts(Bucket='parts', Key='n', UploadId=up)['Parts'][1]['ETag']}]})
    s3.abort_multipart_upload(Bucket='parts', Key='n', UploadId=up)
    refused('NoSuchUpload', s3.list_parts, Bucket='parts', Key='n', UploadId=up)
    up = s3.create_multipart_upload(Bucket='parts', Key='c')['UploadId']
    r = s3.upload_part_copy(Bucket='parts', Key='c', UploadId=up, PartNumber=1, CopySource='parts/m', CopySourceRange='bytes=10-6000000')
    s3.complete_multipart_upload(Bucket='parts', Key='c', UploadId=up, MultipartUpload={'Parts': [{'PartNumber': 1, 'ETag': r['CopyPartResult']['ETag']}]})
    assert s3.get_object(Bucket='parts', Key='c')['Body'].read() == data[10:6000001]


@test
def conditions_hold(sv):
    s3 = sv.s3()
    s3.create_bucket(Bucket='conds')
    etag = s3.put_object(Bucket='conds', Key='k', Body=b'1', IfNoneMatch='*')['ETag']
    refused('PreconditionFailed', s3.put_object, Bucket='conds', Key='k', Body=b'2', IfNoneMatch='*')
    refused('PreconditionFailed', s3.put_object, Bucket='conds', Key='k', Body=b'2', IfMatch='"00"')
    refused('NoSuchKey', s3.put_object, Bucket='conds', Key='none', Body=b'2', IfMatch='"00"')
    refused('304', s3.get_object, Bucket='conds', Key='k', IfNoneMatch=etag)
    refused('PreconditionFailed', s3.get_object, Bucket='conds', Key='k', IfMatch='"00"')
    assert s3.get_object(Bucket='conds', Key='k')['Body'].read() == b'1'
    s3.put_object(Bucket='conds', Key='k', Body=b'3', IfMatch=etag)
    assert s3.get_object(Bucket='conds', Key='k')['Body'].read() == b'3'
    results = []

    def create(i):
        try:
            sv.s3().put_object(Bucket='conds', Key='once', Body=b'%d' % i, IfNoneMatch='*')
            results.append(i)
        except ClientError as e:
            assert e.response['Error']['Code'] == 'PreconditionFailed'
    threads = [threading.Thread(target=create, args=(i,)) for i in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(results) == 1, f'{len(results)} of 8 created it'


@test
def lists_page_and_group(sv):
    s3 = sv.s3()
    s3.create_bucket(Bucket='lists')
    keys = sorted(['a', 'b/1', 'b/2', 'b/c/3', 'b!', 'd/', 'd/x', 'é/1', 'z&<"'], key=lambda k: k.encode())
    for k in keys:
        s3.put_object(Bucket='lists', Key=k, Body=b'')
    for size in (1, 2, 3, 1000):
        pages = s3.get_paginator('list_objects_v2').paginate(Bucket='lists', PaginationConfig={'PageSize': size})
        assert [o['Key'] for p in pages for o in p.get('Contents', [])] == keys
        pages = list(s3.get_paginator('list_objects_v2').paginate(Bucket='lists', Delimiter='/', PaginationConfig={'PageSize': size}))
        assert [o['Key'] for p in pages for o in p.get('Contents', [])] == ['a', 'b!', 'z&<"']
        assert [c['Prefix'] for p in pages for c in p.get('CommonPrefixes', [])] == ['b/', 'd/', 'é/']
        pages = list(s3.get_paginator('list_objects').paginate(Bucket='lists', Delimiter='/', Prefix='b/', PaginationConfig={'PageSize': size}))
        assert [o['Key'] for p in pages for o in p.get('Contents', [])] == ['b/1', 'b/2']
        assert [c['Prefix'] for p in pages for c in p.get('CommonPrefixes', [])] == ['b/c/']
    assert s3.list_objects_v2(Bucket='lists', StartAfter='b/2', MaxKeys=1)['Contents'][0]['Key'] == 'b/c/3'
    assert s3.list_objects_v2(Bucket='lists', MaxKeys=0)['KeyCount'] == 0
    r = s3.delete_objects(Bucket='lists', Delete={'Objects': [{'Key': k} for k in keys]})
    assert len(r['Deleted']) == len(keys)
    s3.delete_bucket(Bucket='lists')
    refused('NoSuchBucket', s3.list_objects_v2, Bucket='lists')


@test
def versions_and_delete_markers(sv):
    s3 = sv.s3()
    s3.create_bucket(Bucket='vers')
    s3.put_object(Bucket='vers', Key='k', Body=b'null')
    s3.put_bucket_versioning(Bucket='vers', VersioningConfiguration={'Status': 'Enabled'})
    ids = [s3.put_object(Bucket='vers', Key='k', Body=b'%d' % i)['VersionId'] for i in range(3)]
    assert len(set(ids)) == 3
    marker = s3.delete_object(Bucket='vers', Key='k')
    assert marker['DeleteMarker']
    r = refused('NoSuchKey', s3.get_object, Bucket='vers', Key='k')
    assert r['ResponseMetadata']['HTTPHeaders']['x-amz-delete-marker'] == 'true'
    refused('MethodNotAllowed', s3.get_object, Bucket='vers', Key='k', VersionId=marker['VersionId'])
    assert s3.get_object(Bucket='vers', Key='k', VersionId=ids[1])['Body'].read() == b'1'
    assert s3.get_object(Bucket='vers', Key='k', VersionId='null')['Body'].read() == b'null'
    for size in (1, 2, 100):
        pages = list(s3.get_paginator('list_object_versions').paginate(Bucket='vers', PaginationConfig={'PageSize': size}))
        got = [v['VersionId'] for p in pages for v in p.get('Versions', [])]
        assert got == ids[::-1] + ['null'], got
        assert [m['IsLatest'] for p in pages for m in p.get('DeleteMarkers', [])] == [True]
        assert not any(v['IsLatest'] for p in pages for v in p.get('Versions', []))
    s3.delete_object(Bucket='vers', Key='k', VersionId=marker['VersionId'])
    assert s3.get_object(Bucket='vers', Key='k')['Body'].read() == b'2'
    s3.delete_object(Bucket='vers', Key='k', VersionId=ids[2])
    assert s3.get_object(Bucket='vers', Key='k')['Body'].read() == b'1'
    s3.put_bucket_versioning(Bucket='vers', VersioningConfiguration={'Status': 'Suspended'})
    assert 'VersionId' not in s3.put_object(Bucket='vers', Key='k', Body=b'again')  # AWS tells none of a put while it is suspended,
    assert s3.copy_object(Bucket='vers', Key='k', CopySource='vers/k', MetadataDirective='REPLACE')['VersionId'] == 'null'  # but of a copy
    assert len(s3.list_object_versions(Bucket='vers')['Versions']) == 3
    refused('BucketNotEmpty', s3.delete_bucket, Bucket='vers')


@test
def customer_keys_are_checked_at_every_step(sv):
    s3 = sv.s3()
    s3.create_bucket(Bucket='ssec')
    key, other = os.urandom(16).hex(), os.urandom(16).hex()
    c = {'SSECustomerAlgorithm': 'AES256', 'SSECustomerKey': key}
    refused('AccessDenied', s3.put_object, Bucket='ssec', Key='k', Body=b'x', **c)  # refused on new buckets since April 2026
    s3.put_bucket_encryption(Bucket='ssec', ServerSideEncryptionConfiguration={'Rules': [
        {'ApplyServerSideEncryptionByDefault': {'SSEAlgorithm': 'AES256'}, 'BlockedEncryptionTypes': {'EncryptionType': ['NONE']}}]})
    data = os.urandom(200000)
    s3.put_object(Bucket='ssec', Key='k', Body=data, **c)
    got = s3.get_object(Bucket='ssec', Key='k', **c)
    assert got['Body'].read() == data and got['SSECustomerAlgorithm'] == 'AES256' and 'ServerSideEncryption' not in got
    refused('InvalidRequest', s3.get_object, Bucket='ssec', Key='k')
    refused('400', s3.head_object, Bucket='ssec', Key='k')
    refused('AccessDenied', s3.get_object, Bucket='ssec', Key='k', SSECustomerAlgorithm='AES256', SSECustomerKey=other)
    refused('403', s3.head_object, Bucket='ssec', Key='k', SSECustomerAlgorithm='AES256', SSECustomerKey=other)
    refused('InvalidEncryptionAlgorithmError', s3.put_object, Bucket='ssec', Key='z', Body=b'', SSECustomerAlgorithm='aws:kms', SSECustomerKey=key)
    refused('InvalidArgument', s3.put_object, Bucket='ssec', Key='z', Body=b'', SSECustomerAlgorithm='AES256', SSECustomerKey='short')
    refused('InvalidArgument', s3.put_object, Bucket='ssec', Key='z', Body=b'', SSECustomerKeyMD5='AAAAAAAAAAAAAAAAAAAAAA==', **c)
    refused('InvalidArgument', s3.put_object, Bucket='ssec', Key='z', Body=b'', ServerSideEncryption='AES256', **c)
    s3.put_object(Bucket='ssec', Key='p', Body=b'p')
    refused('InvalidRequest', s3.get_object, Bucket='ssec', Key='p', **c)
    big = os.urandom(6 << 20)
    up = s3.create_multipart_upload(Bucket='ssec', Key='m', **c)['UploadId']
    refused('InvalidRequest', s3.upload_part, Bucket='ssec', Key='m', UploadId=up, PartNumber=1, Body=big)
    refused('InvalidRequest', s3.upload_part, Bucket='ssec', Key='m', UploadId=up, PartNumber=1, Body=big, SSECustomerAlgorithm='AES256', SSECustomerKey=other)
    r = s3.upload_part(Bucket='ssec', Key='m', UploadId=up, PartNumber=1, Body=big, **c)
    s3.complete_multipart_upload(Bucket='ssec', Key='m', UploadId=up, MultipartUpload={'Parts': [{'PartNumber': 1, 'ETag': r['ETag']}]})
    assert s3.get_object(Bucket='ssec', Key='m', **c)['Body'].read() == big
    s3.copy_object(Bucket='ssec', Key='copy', CopySource='ssec/k', CopySourceSSECustomerAlgorithm='AES256', CopySourceSSECustomerKey=key)
    assert s3.get_object(Bucket='ssec', Key='copy')['Body'].read() == data
    refused('InvalidRequest', s3.copy_object, Bucket='ssec', Key='copy', CopySource='ssec/k')


@test
def kms_encryption_asks_the_key_policy(sv):
    s3 = sv.s3()
    s3.create_bucket(Bucket='ssek')
    data = os.urandom(100000)
    put = s3.put_object(Bucket='ssek', Key='k', Body=data, ServerSideEncryption='aws:kms')
    assert put['ServerSideEncryption'] == 'aws:kms' and put['SSEKMSKeyId'].startswith('arn:aws:kms:')
    got = s3.get_object(Bucket='ssek', Key='k')
    assert got['Body'].read() == data and got['SSEKMSKeyId'] == put['SSEKMSKeyId']
    refused('KMS.NotFoundException', s3.put_object, Bucket='ssek', Key='n', Body=b'', ServerSideEncryption='aws:kms', SSEKMSKeyId='arn:aws:kms:us-east-1:111122223333:key/none')
    refused('AccessDenied', s3.put_object, Bucket='ssek', Key='n', Body=b'', ServerSideEncryption='aws:kms', SSEKMSKeyId='alias/coffer-data')
    refused('InvalidArgument', s3.put_object, Bucket='ssek', Key='n', Body=b'', SSEKMSKeyId='alias/coffer-data')
    s3.put_bucket_encryption(Bucket='ssek', ServerSideEncryptionConfiguration={'Rules': [
        {'ApplyServerSideEncryptionByDefault': {'SSEAlgorithm': 'aws:kms'}, 'BucketKeyEnabled': True}]})
    put = s3.put_object(Bucket='ssek', Key='d', Body=b'default')
    assert put['ServerSideEncryption'] == 'aws:kms' and put['BucketKeyEnabled']
    s3.upload_fileobj(io.BytesIO(data * 90), 'ssek', 'big')
    assert s3.get_object(Bucket='ssek', Key='big')['Body'].read() == data * 90


@test
def nothing_lies_on_disk_in_the_clear(sv):
    s3 = sv.s3()
    s3.create_bucket(Bucket='clear')
    word = b'COFFER-PLAINTEXT-MARK-' * 4000
    s3.put_object(Bucket='clear', Key='small', Body=word[:200])
    s3.put_object(Bucket='clear', Key='large', Body=word)
    secret = sv.env()['AWS_SECRET_ACCESS_KEY'].encode()
    seen = 0
    for f in sv.data.rglob('*'):
        if f.is_file() and 'credentials' not in f.parts:
            text = f.read_bytes()
            seen += len(text)
            assert b'PLAINTEXT-MARK' not in text, f
            if f.name.startswith('audit'):
                assert secret not in text
    assert seen > len(word)
    for f in [sv.data / 'master.key', *(sv.data / 'credentials').iterdir()]:
        assert f.stat().st_mode & 0o077 == 0, f


@test
def policies_decide(sv):
    root, device, producer, owner = sv.s3(), sv.s3('device'), sv.s3('producer'), sv.s3('owner')
    producer.put_object(Bucket='coffer-local', Key='jobs/demo/1', Body=b'job')
    refused('AccessDenied', producer.get_object, Bucket='coffer-local', Key='jobs/demo/1')
    refused('AccessDenied', device.put_object, Bucket='coffer-local', Key='jobs/demo/2', Body=b'job')
    refused('AccessDenied', root.put_object, Bucket='coffer-local', Key='jobs/demo/3', Body=b'job')
    refused('AccessDenied', root.delete_object, Bucket='coffer-local', Key='jobs/demo/1')
    device.put_object(Bucket='coffer-local', Key='edge/1', Body=b'img')
    refused('AccessDenied', sv.s3('device', scheme='http').put_object, Bucket='coffer-local', Key='edge/2', Body=b'img')  # no TLS
    refused('403', owner.head_object, Bucket='coffer-local', Key='edge/absent')  # who may not list learns nothing
    refused('AccessDenied', owner.put_object, Bucket='coffer-local', Key='results/demo/1', Body=b'forged')
    refused('MalformedPolicy', root.put_bucket_policy, Bucket='ssek', Policy='{"Version":"2012-10-17","Statement":[{"Effect":"Allow"}]}')
    policy = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': '*', 'Action': 's3:GetObject', 'Resource': 'arn:aws:s3:::clear/small'}]}
    refused('AccessDenied', root.put_bucket_policy, Bucket='clear', Policy=json.dumps(policy))  # public access is blocked
    root.delete_public_access_block(Bucket='clear')
    root.put_bucket_policy(Bucket='clear', Policy=json.dumps(policy))
    assert json.loads(root.get_bucket_policy(Bucket='clear')['Policy']) == policy
    assert raw(sv.port, b'GET /clear/small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n').startswith(b'HTTP/1.1 200')
    assert raw(sv.port, b'GET /clear/large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n').startswith(b'HTTP/1.1 403')
    root.delete_bucket_policy(Bucket='clear')
    assert raw(sv.port, b'GET /clear/small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n').startswith(b'HTTP/1.1 403')


def raw(port, request):
    with socket.create_connection(('127.0.0.1', port), 10) as s:
        s.sendall(request)
        out = b''
        while True:
            piece = s.recv(65536)
            if not piece:
                return out
            out += piece


@test
def signatures_are_checked(sv):
    e = sv.env()
    wrong = boto3.client('s3', endpoint_url=f'http://localhost:{sv.port}', region_name='us-east-1', aws_access_key_id=e['AWS_ACCESS_KEY_ID'],
                         aws_secret_access_key='x' * 40, config=Config(retries={'max_attempts': 1}))
    refused('SignatureDoesNotMatch', wrong.list_buckets)
    nobody = boto3.client('s3', endpoint_url=f'http://localhost:{sv.port}', region_name='us-east-1', aws_access_key_id='AKIANOBODY',
                          aws_secret_access_key='x' * 40, config=Config(retries={'max_attempts': 1}))
    refused('InvalidAccessKeyId', nobody.list_buckets)
    elsewhere = boto3.client('s3', endpoint_url=f'http://localhost:{sv.port}', region_name='eu-west-1', aws_access_key_id=e['AWS_ACCESS_KEY_ID'],
                             aws_secret_access_key=e['AWS_SECRET_ACCESS_KEY'], config=Config(retries={'max_attempts': 1}))
    refused('AuthorizationHeaderMalformed', elsewhere.list_buckets) # of a bucket's request boto3 would sign for the region it is told
    role = sv.env('producer')
    no_token = boto3.client('s3', endpoint_url=f'http://localhost:{sv.port}', region_name='us-east-1', aws_access_key_id=role['AWS_ACCESS_KEY_ID'],
                            aws_secret_access_key=role['AWS_SECRET_ACCESS_KEY'], config=Config(retries={'max_attempts': 1}))
    refused('InvalidAccessKeyId', no_token.list_buckets)
    s3 = sv.s3(scheme='http', signature_version='s3v4')
    url = s3.generate_presigned_url('get_object', Params={'Bucket': 'clear', 'Key': 'small'}, ExpiresIn=60)
    target = url.split(f':{sv.port}', 1)[1].encode()
    get = lambda t: raw(sv.port, b'GET %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n\r\n' % (t, sv.port))
    assert get(target).startswith(b'HTTP/1.1 200')
    assert get(target.replace(b'/clear/small', b'/clear/large')).startswith(b'HTTP/1.1 403')
    assert get(target.replace(b'Expires=60', b'Expires=61')).startswith(b'HTTP/1.1 403')
    s3.put_object(Bucket='clear', Key='signed', Body=b'body', ChecksumAlgorithm='SHA256')  # plain HTTP: the payload's hash is signed
    assert s3.get_object(Bucket='clear', Key='signed')['Body'].read() == b'body'


@test
def command_line_of_aws(sv):
    aws = shutil.which('aws')
    if aws is None:
        return 'there is no aws command'
    with tempfile.TemporaryDirectory() as d:
        env = {'PATH': os.environ['PATH'], 'HOME': d, 'AWS_ENDPOINT_URL': f'https://localhost:{sv.port}', 'AWS_CA_BUNDLE': str(sv.data / 'tls' / 'ca.pem'),
               **{k: v for k, v in os.environ.items() if k.startswith('PYENV')}, **sv.env()}
        data = os.urandom(9 << 20)
        (Path(d) / 'up').mkdir()
        (Path(d) / 'up' / 'big').write_bytes(data)
        (Path(d) / 'up' / 'small').write_bytes(b'small')
        run = lambda *a: subprocess.run([aws, 's3', *a], env=env, check=True, capture_output=True, cwd=d, timeout=120).stdout
        run('mb', 's3://cli')
        run('sync', 'up', 's3://cli/x')
        assert b'big' in run('ls', '--recursive', 's3://cli')
        run('sync', 's3://cli/x', 'down')
        assert (Path(d) / 'down' / 'big').read_bytes() == data
        run('rm', '--recursive', 's3://cli')
        run('rb', 's3://cli')


@test
def acknowledged_objects_survive_kill_9(sv):
    """Twenty rounds: writers put, the server is killed amid them, and after a restart every acknowledged object is whole."""
    s3 = sv.s3(scheme='http')
    s3.create_bucket(Bucket='crash')
    kept, lost = {}, []
    for turn in range(20):
        stop = threading.Event()

        def write(i, s3):
            n = 0
            while not stop.is_set():
                key, data = f'{turn}/{i}/{n}', os.urandom((100, 40000, 200000)[n % 3])
                try:
                    s3.put_object(Bucket='crash', Key=key, Body=data)
                except (ClientError, botocore.exceptions.BotoCoreError):
                    return
                kept[key] = hashlib.sha256(data).digest()
                n += 1
        threads = [threading.Thread(target=write, args=(i, sv.s3(scheme='http'))) for i in range(4)]
        [t.start() for t in threads]
        deadline = time.monotonic() + 0.05 + 0.02 * turn
        while time.monotonic() < deadline:
            pass
        sv.kill()
        stop.set()
        [t.join() for t in threads]
        sv.start()
    s3 = sv.s3(scheme='http')
    for key, digest in kept.items():
        try:
            if hashlib.sha256(s3.get_object(Bucket='crash', Key=key)['Body'].read()).digest() != digest:
                lost.append(key)
        except ClientError:
            lost.append(key)
    assert not lost, f'{len(lost)} of {len(kept)} acknowledged objects are gone or damaged: {lost[:5]}'
    assert len(kept) > 50, f'only {len(kept)} objects were written'
    tmp = list((sv.data / 'blobs' / 'tmp').iterdir())
    assert not tmp, f'{len(tmp)} temporary files are left'


@test
def locked_versions_outlive_everything(sv):
    s3 = sv.s3()
    s3.create_bucket(Bucket='locked', ObjectLockEnabledForBucket=True)
    until = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=1)
    kept = s3.put_object(Bucket='locked', Key='k', Body=b'kept', ObjectLockMode='GOVERNANCE', ObjectLockRetainUntilDate=until)['VersionId']
    s3.put_object_legal_hold(Bucket='locked', Key='k', LegalHold={'Status': 'ON'})
    s3.delete_object(Bucket='locked', Key='k')
    sv.kill()
    sv.start()
    s3 = sv.s3()
    refused('NoSuchKey', s3.get_object, Bucket='locked', Key='k')
    refused('AccessDenied', s3.delete_object, Bucket='locked', Key='k', VersionId=kept, BypassGovernanceRetention=True)
    s3.put_object_legal_hold(Bucket='locked', Key='k', VersionId=kept, LegalHold={'Status': 'OFF'})
    refused('AccessDenied', s3.delete_object, Bucket='locked', Key='k', VersionId=kept)
    head = s3.head_object(Bucket='locked', Key='k', VersionId=kept)
    assert (head['ObjectLockMode'], head['ObjectLockRetainUntilDate'], head['ObjectLockLegalHoldStatus']) == ('GOVERNANCE', until, 'OFF'), head
    assert s3.get_object(Bucket='locked', Key='k', VersionId=kept)['Body'].read() == b'kept'
    refused('BucketNotEmpty', s3.delete_bucket, Bucket='locked')
    s3.delete_object(Bucket='locked', Key='k', VersionId=kept, BypassGovernanceRetention=True)
    refused('NoSuchVersion', s3.get_object, Bucket='locked', Key='k', VersionId=kept)


@test
def it_stops_when_told(sv):
    assert sv.kill(signal.SIGTERM) == 0


def main():
    data = tempfile.mkdtemp(prefix='coffer-s3-')
    sv = Server(data)
    print(f'1..{len(TESTS)}')
    try:
        for i, t in enumerate(TESTS, 1):
            try:
                why = t(sv)
                print(f'ok {i} - {t.__name__}' + (f' # SKIP {why}' if why else ''), flush=True)
            except Exception as e:  # a failed test is a line, and the others go on
                print(f'not ok {i} - {t.__name__}\n# {type(e).__name__}: {str(e)[:600]}', flush=True)
                import traceback
                for line in traceback.format_exc().splitlines()[-8:]:
                    print('#', line)
    finally:
        if sv.p.poll() is None:
            sv.kill()
        shutil.rmtree(data, ignore_errors=True)


main()
