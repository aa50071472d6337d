#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What AWS refuses at the edges of S3's API, coffer-local refuses with the same status and code, and does nothing; and what no bucket here
ever has it tells as AWS tells of a bucket without it."""
import base64, hashlib, http.client, socket, sys, zlib
from pathlib import Path
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
from local import Checks, Local
from rawaws import Signer
try:
    import boto3
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.config import Config
    from botocore.credentials import Credentials
    from botocore.exceptions import ClientError
except ImportError:
    print('1..0 # SKIP python3 has no boto3')
    sys.exit(0)

check = Checks()
VERSION = 'A' * 32 # well formed, and of nothing


class World:
    def __init__(self):
        self.local = Local('bkt', 'ver-v')
        e = self.local.env()
        self.credentials = Credentials(e['AWS_ACCESS_KEY_ID'], e['AWS_SECRET_ACCESS_KEY'])
        self.s3 = boto3.client('s3', endpoint_url=f'http://localhost:{self.local.port}', region_name='us-east-1',
                               aws_access_key_id=e['AWS_ACCESS_KEY_ID'], aws_secret_access_key=e['AWS_SECRET_ACCESS_KEY'],
                               config=Config(s3={'addressing_style': 'path'}, retries={'max_attempts': 1}, parameter_validation=False))

    def raw(self, method, path, body=b'', **headers):
        """-> status, code, header fields, body"""
        request = AWSRequest(method, f'http://localhost:{self.local.port}{path}', data=body,
                             headers={k.replace('_', '-'): v for k, v in headers.items()})
        request.headers['x-amz-content-sha256'] = hashlib.sha256(body).hexdigest()
        S3SigV4Auth(self.credentials, 's3', 'us-east-1').add_auth(request)
        c = http.client.HTTPConnection('localhost', self.local.port, timeout=20)
        c.request(method, path, body=body or None, headers=dict(request.headers.items()))
        r = c.getresponse()
        text = r.read()
        c.close()
        code = text.split(b'<Code>')[1].split(b'</Code>')[0].decode() if b'<Code>' in text else None
        return r.status, code, {k.lower(): v for k, v in r.getheaders()}, text

    def refused(self, name, status, code, call, **args):
        try:
            got = call(**args)
            got = got.get('ResponseMetadata', {}).get('HTTPStatusCode')
        except ClientError as e:
            got = e.response['ResponseMetadata']['HTTPStatusCode'], e.response['Error']['Code']
        check(name, got == (status, code), f'{got} in place of {status} {code}')

    def refused_raw(self, name, status, code, *args, **headers):
        got = self.raw(*args, **headers)
        check(name, got[:2] == (status, code), f'{got[:2]} in place of {status} {code}')


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, 'big')).decode()


def versions(w):
    s3 = w.s3
    v = s3.put_object(Bucket='ver-v', Key='k', Body=b'1')['VersionId']
    for name, call, args in (('get', s3.get_object, {}), ('delete', s3.delete_object, {}), ('tags', s3.get_object_tagging, {}),
                             ('attributes', s3.get_object_attributes, {'ObjectAttributes': ['ETag']})):
        w.refused(f'what can be no version id: {name}', 400, 'InvalidArgument', call, Bucket='ver-v', Key='k', VersionId='../../etc', **args)
        if name != 'delete':
            w.refused(f'a version that is not there: {name}', 404, 'NoSuchVersion', call, Bucket='ver-v', Key='k', VersionId=VERSION, **args)
    w.refused('a version to copy', 400, 'InvalidArgument', s3.copy_object, Bucket='bkt', Key='c', CopySource='ver-v/k?versionId=nonsense')
    w.refused('a version marker without a key', 400, 'InvalidArgument', s3.list_object_versions, Bucket='ver-v', VersionIdMarker=v)
    w.refused('a version marker that can be none', 400, 'InvalidArgument', s3.list_object_versions, Bucket='ver-v', KeyMarker='k', VersionIdMarker='x')
    w.refused('a state of versioning that is none', 400, 'MalformedXML', s3.put_bucket_versioning, Bucket='ver-v',
              VersioningConfiguration={'Status': 'Disabled'})
    check('and the version is there still', s3.get_object(Bucket='ver-v', Key='k', VersionId=v)['Body'].read() == b'1')
    marker = s3.delete_object(Bucket='ver-v', Key='k')['VersionId']
    status, _, fields, _ = w.raw('HEAD', f'/ver-v/k?versionId={marker}')
    check('of a delete marker its date is told', (status, fields.get('x-amz-delete-marker'), 'last-modified' in fields) == (405, 'true', True), fields)


def buckets(w):
    for name in ('xn--name', 'sthree-name', 'amzn-s3-demo-name', 'name-s3alias', 'name--ol-s3', 'name.mrap', 'name--table-s3'):
        w.refused(f'a name that S3 keeps: {name}', 400, 'InvalidBucketName', w.s3.create_bucket, Bucket=name)
    w.refused('us-east-1 is no location', 400, 'InvalidLocationConstraint', w.s3.create_bucket, Bucket='far',
              CreateBucketConfiguration={'LocationConstraint': 'us-east-1'})
    w.refused('nor is what is formed like none', 400, 'InvalidLocationConstraint', w.s3.create_bucket, Bucket='far',
              CreateBucketConfiguration={'LocationConstraint': 'somewhere'})
    w.refused('nor is another region', 400, 'IllegalLocationConstraintException', w.s3.create_bucket, Bucket='far',
              CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})
    for n in (0, 10001):
        w.refused(f'a list of {n} buckets', 400, 'InvalidArgument', w.s3.list_buckets, MaxBuckets=n)
    w.s3.create_bucket(Bucket='begun')
    for key in ('a', 'b/c'):
        up = w.s3.create_multipart_upload(Bucket='begun', Key=key)['UploadId']
        w.s3.upload_part(Bucket='begun', Key=key, UploadId=up, PartNumber=1, Body=b'x' * 300000)
    w.s3.delete_bucket(Bucket='begun')
    w.s3.create_bucket(Bucket='begun')
    left = w.s3.list_multipart_uploads(Bucket='begun').get('Uploads', [])
    files = [p for p in (w.local.data / 'blobs').rglob('*') if p.is_file() and not p.name.startswith('slots-')]
    check('uploads that were begun go with their bucket', left == [] and files == [], (left, files))


def unset(w):
    s3 = w.s3
    for call, code in ((s3.get_bucket_cors, 'NoSuchCORSConfiguration'), (s3.get_bucket_website, 'NoSuchWebsiteConfiguration'),
                       (s3.get_bucket_lifecycle_configuration, 'NoSuchLifecycleConfiguration'),
                       (s3.get_bucket_replication, 'ReplicationConfigurationNotFoundError')):
        w.refused(code, 404, code, call, Bucket='bkt')
    w.refused('NoSuchConfiguration', 404, 'NoSuchConfiguration', s3.get_bucket_metrics_configuration, Bucket='bkt', Id='all')
    for call, said in ((s3.get_bucket_logging, {}), (s3.get_bucket_notification_configuration, {}), (s3.get_bucket_accelerate_configuration, {}),
                       (s3.get_bucket_request_payment, {'Payer': 'BucketOwner'}), (s3.list_bucket_inventory_configurations, {'IsTruncated': False})):
        got = call(Bucket='bkt')
        got.pop('ResponseMetadata')
        check(f'{call.__name__}: nothing is set', got == said, got)
    w.refused_raw('what is newer than this is not taken for a list', 501, 'NotImplemented', 'GET', '/bkt?metadataConfiguration')


def checksums(w):
    right = crc32(b'x')
    w.refused_raw('an algorithm that is none', 400, 'InvalidRequest', 'PUT', '/bkt/s', b'x', x_amz_sdk_checksum_algorithm='CRC99', x_amz_checksum_crc32=right)
    w.refused_raw('another algorithm than the value', 400, 'InvalidRequest', 'PUT', '/bkt/s', b'x', x_amz_sdk_checksum_algorithm='SHA256',
                  x_amz_checksum_crc32=right)
    w.refused_raw('a checksum by what nobody knows', 400, 'InvalidRequest', 'PUT', '/bkt/s', b'x', x_amz_checksum_crc99=right)
    w.refused('a type that is none', 400, 'InvalidRequest', w.s3.create_multipart_upload, Bucket='bkt', Key='s', ChecksumAlgorithm='CRC32', ChecksumType='HALF')
    w.refused_raw('a part of no upload', 400, 'InvalidArgument', 'PUT', '/bkt/s?partNumber=1', b'x')
    w.refused_raw('an upload without the part', 400, 'InvalidArgument', 'PUT', '/bkt/s?uploadId=abc', b'x')
    w.refused_raw('bytes to append', 501, 'NotImplemented', 'PUT', '/bkt/s', b'x', x_amz_write_offset_bytes='0')
    w.refused('none of them was written', 404, 'NoSuchKey', w.s3.get_object, Bucket='bkt', Key='s')


def copies(w):
    w.s3.put_object(Bucket='bkt', Key='source', Body=b'x')
    for source in ('bkt/%ZZ', '', 'bkt', 'bkt/', '192.168.1.1/k', 'bkt/source?versionId='):
        w.refused_raw(f'a copy of {source!r}', 400, 'InvalidArgument', 'PUT', '/bkt/target', x_amz_copy_source=source)
    w.refused('none of them was made', 404, 'NoSuchKey', w.s3.get_object, Bucket='bkt', Key='target')
    w.refused('a redirect to nowhere', 400, 'InvalidRedirectLocation', w.s3.put_object, Bucket='bkt', Key='r', Body=b'', WebsiteRedirectLocation='x')


def completions(w):
    s3 = w.s3
    up = s3.create_multipart_upload(Bucket='bkt', Key='joined', ChecksumAlgorithm='SHA256')['UploadId']
    part = s3.upload_part(Bucket='bkt', Key='joined', UploadId=up, PartNumber=1, Body=b'x', ChecksumAlgorithm='SHA256')
    good = {'PartNumber': 1, 'ETag': part['ETag'], 'ChecksumSHA256': part['ChecksumSHA256']}
    complete = lambda more={}, **p: dict(call=s3.complete_multipart_upload, Bucket='bkt', Key='joined', UploadId=up,
                                        MultipartUpload={'Parts': [{k: v for k, v in {**good, **p}.items() if v is not None}]}, **more)
    for name, code, args in (
            ('part number 0', 'InvalidArgument', complete(PartNumber=0)), ('a part without its ETag', 'MalformedXML', complete(ETag=None)),
            ('a part without its checksum', 'InvalidRequest', complete(ChecksumSHA256=None)),
            ('a part with two checksums', 'InvalidArgument', complete(ChecksumCRC32='AAAAAA==')),
            ('a checksum that can be none', 'InvalidArgument', complete(ChecksumSHA256='!')),
            ('a checksum of other bytes', 'InvalidPart', complete(ChecksumSHA256='A' * 43 + '=')),
            ('the other type', 'InvalidRequest', complete({'ChecksumType': 'FULL_OBJECT'}))):
        w.refused(f'a completion with {name}', 400, code, **args)
    w.refused_raw('a completion without a body', 400, 'InvalidRequest', 'POST', f'/bkt/joined?uploadId={up}')
    for body in (b'<Foo/>', b'<CompleteMultipartUpload/>'):
        w.refused_raw(f'a completion by {body!r}', 400, 'MalformedXML', 'POST', f'/bkt/joined?uploadId={up}', body)
    args = complete()
    told = args.pop('call')(**args)
    again = s3.complete_multipart_upload(**args)
    check('then it is done, and asked again answered again', told['ETag'] == again['ETag'] and told['ChecksumSHA256'].endswith('-1'), (told, again))


def tags(w):
    put = lambda text: dict(call=w.s3.put_object, Bucket='bkt', Key='t', Body=b'', Tagging=text)
    w.refused('eleven tags', 400, 'BadRequest', **put('&'.join(f'a{i}=b' for i in range(11))))
    w.refused('one tag twice', 400, 'InvalidArgument', **put('a=1&a=2'))
    w.refused('a tag without a key', 400, 'InvalidArgument', **put('='))
    w.refused('a key that cannot be', 400, 'InvalidTag', **put('a%28=1'))
    w.refused('a value that cannot be', 400, 'InvalidTag', **put('a=1%2A'))
    w.s3.put_object(Bucket='bkt', Key='t', Body=b'', Tagging='a&&b=&c=d&')
    got = {t['Key']: t['Value'] for t in w.s3.get_object_tagging(Bucket='bkt', Key='t')['TagSet']}
    check('tags without values', got == {'a': '', 'b': '', 'c': 'd'}, got)


def locks(w):
    w.s3.create_bucket(Bucket='locked', ObjectLockEnabledForBucket=True)
    config = lambda **retention: dict(call=w.s3.put_object_lock_configuration, Bucket='locked', ObjectLockConfiguration={
        'ObjectLockEnabled': 'Enabled', 'Rule': {'DefaultRetention': {'Mode': 'GOVERNANCE', **retention}}})
    for period in ({'Days': 0}, {'Days': -1}, {'Days': 36501}, {'Years': 101}):
        w.refused(f'a default retention of {period}', 400, 'InvalidArgument', **config(**period))
    args = config(Days=1)
    args.pop('call')(**args)
    w.refused_raw('what will be retained has a checksum', 400, 'InvalidRequest', 'PUT', '/locked/k', b'x')
    status = w.raw('PUT', '/locked/k', b'x', x_amz_checksum_crc32=crc32(b'x'))[0]
    check('then it is taken', status == 200, status)


def sent(w, request):
    """-> status, code"""
    sock = socket.create_connection(('localhost', w.local.port))
    sock.settimeout(20)
    sock.sendall(request)
    r = http.client.HTTPResponse(sock)
    r.begin()
    text = r.read()
    sock.close()
    return r.status, text.split(b'<Code>')[1].split(b'</Code>')[0].decode() if b'<Code>' in text else None, text


def wire(w):
    e = w.local.env()
    host = f'localhost:{w.local.port}'
    signer = Signer(e['AWS_ACCESS_KEY_ID'], e['AWS_SECRET_ACCESS_KEY'], host)
    w.s3.put_object(Bucket='bkt', Key='wire', Body=b'0123456789')

    def chunked(pieces):
        lines = lambda n: len(b'%x' % n) + len(';chunk-signature=') + 64 + 2 + n + 2
        head = signer.request('PUT', '/bkt/chunks', payload='STREAMING-AWS4-HMAC-SHA256-PAYLOAD', length=False, content_encoding='aws-chunked',
                              content_length=str(sum(lines(len(p)) for p in pieces) + lines(0)), x_amz_decoded_content_length=str(sum(map(len, pieces))))
        body, signature = b'', signer.signature
        for piece in pieces + [b'']:
            signature = signer.chunk(piece, signature)
            body += b'%x;chunk-signature=%s\r\n%s\r\n' % (len(piece), signature.encode(), piece)
        return head + body

    trailed = lambda line, announced='x-amz-checksum-crc32': signer.request(
        'PUT', '/bkt/chunks', b'5\r\nhello\r\n0\r\n' + line + b'\r\n', payload='STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        content_encoding='aws-chunked', x_amz_decoded_content_length='5', x_amz_trailer=announced)
    undated = b'\r\n'.join(l for l in signer.request('GET', '/bkt/wire').split(b'\r\n') if not l.startswith(b'x-amz-date'))
    asks = lambda *lines: '\r\n'.join(('OPTIONS /bkt/wire HTTP/1.1', f'Host: {host}', *lines, '', '')).encode()
    for name, request, want in (
            ('a small chunk that is not the last', chunked([b'a' * 8191, b'b']), (403, 'InvalidChunkSizeError')),
            ('of chunks the last may be small', chunked([b'a' * 8192, b'b']), (200, None)),
            ('a trailing checksum that can be none', trailed(b'x-amz-checksum-crc32:!!!\r\n'), (400, 'InvalidRequest')),
            ('a trailer that nobody knows', trailed(b'x-amz-news:1\r\n', 'x-amz-news'), (400, 'InvalidRequest')),
            ('no date', undated, (403, 'AccessDenied')),
            ('another region', signer.but(region='eu-west-1').request('GET', '/bkt/wire'), (400, 'AuthorizationHeaderMalformed')),
            ('another region in a URL', signer.but(region='eu-west-1').presigned('GET', '/bkt/wire'), (400, 'AuthorizationQueryParametersError')),
            ('uploads of a key', signer.request('GET', '/bkt/wire', query='uploads'), (400, 'InvalidRequest')),
            ('versions of a key', signer.request('GET', '/bkt/wire', query='versions'), (400, 'InvalidRequest')),
            ('a page of another origin', asks('Origin: http://a', 'Access-Control-Request-Method: GET'), (403, 'AccessForbidden')),
            ('a page of no origin', asks(), (400, 'BadRequest'))):
        got = sent(w, request)
        check(name, got[:2] == want, f'{got} in place of {want}')
        if want[1] == 'InvalidChunkSizeError':
            check('it is said which and how small', b'<Chunk>2</Chunk><BadChunkSize>8191</BadChunkSize>' in got[2], got[2])
    far = boto3.client('s3', endpoint_url=f'http://{host}', region_name='eu-west-1', aws_access_key_id=e['AWS_ACCESS_KEY_ID'],
                       aws_secret_access_key=e['AWS_SECRET_ACCESS_KEY'], config=Config(s3={'addressing_style': 'path'}))
    check('who is told the region signs for it', far.get_object(Bucket='bkt', Key='wire')['Body'].read() == b'0123456789')


def main():
    w = World()
    try:
        for part in (versions, buckets, unset, checksums, copies, completions, tags, locks, wire):
            try:
                part(w)
            except Exception as e: # a broken part is a failure, not the end of the others
                check(part.__name__, False, repr(e))
    finally:
        w.local.close()
    return check.done()


if __name__ == '__main__':
    sys.exit(main())
