#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What coffer-local's S3 tells beside status and code: the members of an error that name what it is about, and those of answers that AWS has
in some cases and not in others. Each is what a captured answer of AWS has."""
import base64, socket, sys, time, zlib
from html import unescape
from pathlib import Path
sys.path.insert(0, str(Path(__file__).resolve().parent))
from s3_strict_test import World, check, sent  # skips where there is no boto3
from rawaws import Signer
from botocore.exceptions import ClientError

NONE = object()
VERSION = 'A' * 32


def told(name, call, code, message=None, status=400, **members):
    """The call fails with this code, and the error has these members (NONE: it does not) beside those that every error has."""
    params = members.pop('params')
    try:
        call(**params)
        got = 'nothing'
        good = False
    except ClientError as e:
        got = e.response['Error']
        wanted = {k: v for k, v in members.items() if v is not NONE}
        have = {k: v for k, v in got.items() if k not in ('Code', 'Message', 'Resource', 'RequestId', 'HostId')}
        good = (e.response['ResponseMetadata']['HTTPStatusCode'], got['Code']) == (status, code) and have == wanted and message in (None, got['Message'])
    check(name, good, got)


def arguments(w):
    s3 = w.s3
    told('encoding-type', s3.list_objects_v2, 'InvalidArgument', params=dict(Bucket='bkt', EncodingType='x'), ArgumentName='encoding-type', ArgumentValue='x')
    told('a negative max-keys', s3.list_objects_v2, 'InvalidArgument', 'Argument maxKeys must be an integer between 0 and 2147483647',
         params=dict(Bucket='bkt', MaxKeys=-1), ArgumentName='maxKeys', ArgumentValue='-1')
    told('a negative max-keys of versions', s3.list_object_versions, 'InvalidArgument', 'max-keys cannot be negative',
         params=dict(Bucket='bkt', MaxKeys=-1), ArgumentName='maxKeys', ArgumentValue='-1')
    told('no number', s3.list_objects_v2, 'InvalidArgument', 'Provided max-keys not an integer or within integer range',
         params=dict(Bucket='bkt', MaxKeys=1 << 31), ArgumentName='max-keys', ArgumentValue=str(1 << 31))
    told('a continuation token, without its value', s3.list_objects_v2, 'InvalidArgument', params=dict(Bucket='bkt', ContinuationToken=''),
         ArgumentName='continuation-token')
    told('a region that is none', s3.list_buckets, 'InvalidArgument', 'Argument value eu-somewhere is not a valid AWS Region',
         params=dict(BucketRegion='eu-somewhere'), ArgumentName='bucket-region')
    told('another region', s3.list_buckets, 'InvalidArgument', 'Requests with bucket-region specified must be made to the corresponding regional endpoint',
         params=dict(BucketRegion='eu-west-1'), ArgumentName='bucket-region')
    told('a part number', s3.upload_part, 'InvalidArgument', params=dict(Bucket='bkt', Key='k', UploadId='x', PartNumber=0, Body=b''),
         ArgumentName='partNumber', ArgumentValue='0')
    told('a version id where nothing has versions', s3.get_object, 'InvalidArgument', 'Invalid version id specified',
         params=dict(Bucket='bkt', Key='k', VersionId=VERSION), ArgumentName='versionId', ArgumentValue=VERSION)
    told('and to delete', s3.delete_object, 'InvalidArgument', params=dict(Bucket='bkt', Key='k', VersionId=VERSION), ArgumentName='versionId', ArgumentValue=VERSION)
    errors = s3.delete_objects(Bucket='bkt', Delete={'Objects': [{'Key': 'k', 'VersionId': VERSION}]})['Errors']
    check('of many it is not found', [(e['Code'], e['VersionId']) for e in errors] == [('NoSuchVersion', VERSION)], errors)
    told('a canned ACL that is none', s3.put_object, 'InvalidArgument', params=dict(Bucket='bkt', Key='k', ACL='secret'),
         ArgumentName='x-amz-acl', ArgumentValue='secret')
    told('an ownership that is none', s3.create_bucket, 'InvalidArgument', 'Invalid x-amz-object-ownership header: Mine',
         params=dict(Bucket='owned', ObjectOwnership='Mine'), ArgumentName='x-amz-object-ownership')
    told('tags that are none', s3.put_object, 'InvalidArgument', params=dict(Bucket='bkt', Key='k', Tagging='a=1,b=2'),
         ArgumentName='x-amz-tagging', ArgumentValue='a=1,b=2')
    told('attributes', s3.get_object_attributes, 'InvalidArgument', params=dict(Bucket='bkt', Key='there', ObjectAttributes=['Colour']),
         ArgumentName='x-amz-object-attributes', ArgumentValue='Colour')
    told('a lock where none can be', s3.put_object, 'InvalidRequest', 'Bucket is missing ObjectLockConfiguration',
         params=dict(Bucket='bkt', Key='k', ObjectLockLegalHoldStatus='ON'))
    told('a lock to read where none can be', s3.get_object_retention, 'InvalidRequest', 'Bucket is missing Object Lock Configuration',
         params=dict(Bucket='bkt', Key='there'))
    told('a hold to read where none can be', s3.get_object_legal_hold, 'InvalidRequest', params=dict(Bucket='bkt', Key='there'))
    for call, more in ((s3.delete_object, {'Key': 'k'}), (s3.delete_objects, {'Delete': {'Objects': [{'Key': 'k'}]}})):
        told(f'{call.__name__}: nothing to bypass', call, 'InvalidArgument', params=dict(Bucket='bkt', BypassGovernanceRetention=True, **more),
             ArgumentName='x-amz-bypass-governance-retention')


def members(w):
    s3 = w.s3
    for call, code in ((s3.get_bucket_tagging, 'NoSuchTagSet'), (s3.get_bucket_policy, 'NoSuchBucketPolicy'), (s3.get_bucket_cors, 'NoSuchCORSConfiguration'),
                       (s3.get_object_lock_configuration, 'ObjectLockConfigurationNotFoundError')):
        told(code, call, code, status=404, params=dict(Bucket='bkt'), BucketName='bkt')
    told('BucketNotEmpty', s3.delete_bucket, 'BucketNotEmpty', status=409, params=dict(Bucket='bkt'), BucketName='bkt')
    told('InvalidRange', s3.get_object, 'InvalidRange', status=416, params=dict(Bucket='bkt', Key='there', Range='bytes=10-20'),
         RangeRequested='bytes=10-20', ActualObjectSize='1')
    told('InvalidPartNumber', s3.get_object, 'InvalidPartNumber', status=416, params=dict(Bucket='bkt', Key='there', PartNumber=2),
         PartNumberRequested='2', ActualPartCount='1')
    told('InvalidStorageClass', s3.put_object, 'InvalidStorageClass', params=dict(Bucket='bkt', Key='k', StorageClass='ATTIC'), StorageClassRequested='ATTIC')
    told('InvalidTag', s3.put_object_tagging, 'InvalidTag', params=dict(Bucket='bkt', Key='there', Tagging={'TagSet': [{'Key': 'a', 'Value': '{}'}]}),
         TagKey='a', TagValue='{}')
    told('NoSuchUpload', s3.list_parts, 'NoSuchUpload', status=404, params=dict(Bucket='bkt', Key='k', UploadId='none'), UploadId='none')
    told('InvalidDigest', s3.put_object, 'InvalidDigest', params=dict(Bucket='bkt', Key='k', Body=b'x', ContentMD5='000'), **{'Content-MD5': '000'})
    wrong = base64.b64encode(bytes(16)).decode()
    told('BadDigest', s3.put_object, 'BadDigest', params=dict(Bucket='bkt', Key='k', Body=b'x', ContentMD5=wrong),
         ExpectedDigest='0' * 32, CalculatedDigest='ndTkYSaMgDT1yFZOFVxnpg==')
    for header, value in (('IfMatch', 'none'), ('IfUnmodifiedSince', 1), ('IfNoneMatch', '*'), ('IfModifiedSince', None)):
        name = {'IfMatch': 'If-Match', 'IfUnmodifiedSince': 'If-Unmodified-Since', 'IfNoneMatch': 'If-None-Match', 'IfModifiedSince': 'If-Modified-Since'}[header]
        if header == 'IfModifiedSince':
            time.sleep(max(0, 2.1 - (time.time() - w.since)))
            value = time.time() - 1
        told(f'a copy {name}', s3.copy_object, 'PreconditionFailed', status=412, params=dict(Bucket='bkt', Key='c', CopySource='bkt/there', **{f'CopySource{header}': value}),
             Condition=f'x-amz-copy-source-{name}')
    s3.delete_object(Bucket='ver-v', Key='gone')
    for call, more, method in ((s3.get_object_tagging, {}, 'GET'), (s3.put_object_tagging, {'Tagging': {'TagSet': []}}, 'PUT'), (s3.delete_object_tagging, {}, 'DELETE')):
        told(f'{call.__name__} of a delete marker', call, 'MethodNotAllowed', status=405, params=dict(Bucket='ver-v', Key='gone', **more),
             Method=method, ResourceType='DeleteMarker')


def uploads(w):
    s3 = w.s3
    up = s3.create_multipart_upload(Bucket='bkt', Key='up')['UploadId']
    args = dict(Bucket='bkt', Key='up', UploadId=up)
    small, etag = b'x', '9dd4e461268c8034f5c8564e155c67a6'
    given = s3.upload_part(PartNumber=1, Body=small, **args)
    check('a part is told the checksum that it came with', given.get('ChecksumCRC32') == base64.b64encode(zlib.crc32(small).to_bytes(4, 'big')).decode(), given)
    s3.upload_part(PartNumber=2, Body=small, **args)
    part = s3.list_parts(**args)['Parts'][0]
    check('and in a list of an upload without an algorithm none is told', not [k for k in part if k.startswith('Checksum')], part)
    parts = lambda *numbers: dict(MultipartUpload={'Parts': [{'PartNumber': n, 'ETag': etag} for n in numbers]}, **args)
    told('EntityTooSmall', s3.complete_multipart_upload, 'EntityTooSmall', params=parts(1, 2), ProposedSize='1', MinSizeAllowed='5242880', PartNumber='1', ETag=etag)
    told('InvalidPart', s3.complete_multipart_upload, 'InvalidPart', params=parts(3), UploadId=up, PartNumber='3', ETag=etag)
    told('InvalidPartOrder', s3.complete_multipart_upload, 'InvalidPartOrder', params=parts(2, 1), UploadId=up)
    s3.put_object(Bucket='bkt', Key='up', Body=b'meanwhile')
    now = s3.head_object(Bucket='bkt', Key='up')['ETag']
    told('an object that was written since', s3.complete_multipart_upload, 'ConditionalRequestConflict', status=409, params=dict(IfMatch=now, **parts(1)),
         Condition='If-Match', Key='up')
    done = s3.complete_multipart_upload(**parts(1))
    check('it ends with a CRC-64/NVME of the whole', (done.get('ChecksumCRC64NVME'), done.get('ChecksumType')) ==
          (base64.b64encode(crc64nvme(small)).decode(), 'FULL_OBJECT'), done)
    attributes = s3.get_object_attributes(Bucket='bkt', Key='up', ObjectAttributes=['ObjectParts', 'Checksum'])
    check('of its parts the number is told', attributes['ObjectParts'] == {'TotalPartsCount': 1}, attributes)
    one = s3.get_object(Bucket='bkt', Key='up', PartNumber=1, ChecksumMode='ENABLED')
    check('and of one of them no checksum', not [k for k in one if k.startswith('Checksum')], one.keys())
    up = s3.create_multipart_upload(Bucket='bkt', Key='sum', ChecksumAlgorithm='SHA256')['UploadId']
    p = s3.upload_part(Bucket='bkt', Key='sum', UploadId=up, PartNumber=1, Body=small, ChecksumAlgorithm='SHA256')
    one = {'PartNumber': 1, 'ETag': p['ETag']}
    told('a type without an algorithm', s3.create_multipart_upload, 'InvalidRequest', 'The x-amz-checksum-type header can only be used with the '
         'x-amz-checksum-algorithm header.', params=dict(Bucket='bkt', Key='k', ChecksumType='FULL_OBJECT'))
    told('a checksum of another algorithm', s3.complete_multipart_upload, 'BadDigest', 'The crc32 you specified for part 1 did not match what we received.',
         params=dict(Bucket='bkt', Key='sum', UploadId=up, MultipartUpload={'Parts': [{**one, 'ChecksumCRC32': 'AAAAAA=='}]}))
    done = s3.complete_multipart_upload(Bucket='bkt', Key='sum', UploadId=up, MultipartUpload={'Parts': [{**one, 'ChecksumSHA256': p['ChecksumSHA256']}]})
    told_sum = s3.get_object_attributes(Bucket='bkt', Key='sum', ObjectAttributes=['Checksum'])['Checksum']['ChecksumSHA256']
    check('the composite ends in the number of parts, but not among the attributes', done['ChecksumSHA256'] == told_sum + '-1', (done, told_sum))


def listings(w):
    s3 = w.s3
    s3.create_bucket(Bucket='listed', CreateBucketConfiguration={'Tags': [{'Key': 'a', 'Value': 'b'}]})
    check('a bucket may begin with tags', s3.get_bucket_tagging(Bucket='listed')['TagSet'] == [{'Key': 'a', 'Value': 'b'}])
    told('with tags it is not made again', s3.create_bucket, 'BucketAlreadyOwnedByYou', status=409, BucketName='listed',
         params=dict(Bucket='listed', CreateBucketConfiguration={'Tags': [{'Key': 'a', 'Value': 'b'}]}))
    for key in ('f/a/1', 'f/a/2', 'f/b c~*', 'g'):
        s3.put_object(Bucket='listed', Key=key)
    page = s3.list_objects(Bucket='listed', Prefix='f/', Delimiter='/', Marker='f/a/1')
    check('a marker inside a group stands for all of it', ([k['Key'] for k in page['Contents']], 'CommonPrefixes' in page) == (['f/b c~*'], False), page)
    check('an owner has no display name any more', page['Contents'][0]['Owner'] == {'ID': '111122223333'}, page)
    text = w.raw('GET', '/listed?list-type=2&encoding-type=url&prefix=f%2Fb&max-keys=2000')[3]
    check('the coding of names is not that of a URI', b'<Key>f/b+c%7E*</Key>' in text, text)
    check('the maximum is told as it was asked for', b'<MaxKeys>2000</MaxKeys>' in text, text)
    for n in (1, 3):
        text = w.raw('GET', f'/listed?list-type={n}')[3]
        check(f'list-type={n} is the older listing', b'<Marker' in text and b'<KeyCount>' not in text, text)
    for query, what in (('start-after=a', 'startAfter only supported in REST.GET.BUCKET with list-type=2'),
                        ('continuation-token=a', 'continuation-token only supported in REST.GET.BUCKET with list-type=2'),
                        ('list-type=2&marker=a', 'Marker unsupported with REST.GET.BUCKET in list-type=2')):
        status, code, _, text = w.raw('GET', f'/listed?{query}')
        check(f'{query} is of the other listing', (status, code) == (400, 'InvalidArgument') and what.encode() in text and b'ArgumentValue' not in text, text)
    token = s3.list_objects_v2(Bucket='listed', MaxKeys=1)['NextContinuationToken']
    page = s3.list_objects_v2(Bucket='listed', ContinuationToken=token, StartAfter='a')
    check('where a page goes on nothing is told to start after', 'StartAfter' not in page and page['Contents'][0]['Key'] == 'f/a/2', page)
    one, two = (s3.create_multipart_upload(Bucket='listed', Key=k)['UploadId'] for k in ('u/1', 'v'))
    page = s3.list_multipart_uploads(Bucket='listed')
    check('the last page tells its last upload', (page['NextKeyMarker'], page['NextUploadIdMarker'], 'Prefix' in page) == ('v', two, False), page)
    page = s3.list_multipart_uploads(Bucket='listed', UploadIdMarker=one)
    check('an upload without its key is no marker', (len(page['Uploads']), page['UploadIdMarker']) == (2, ''), page)
    told('nor is one of another key', s3.list_multipart_uploads, 'InvalidArgument', 'Invalid uploadId marker', params=dict(Bucket='listed', KeyMarker='u/1', UploadIdMarker=two),
         ArgumentName='upload-id-marker', ArgumentValue=two)
    text = w.raw('GET', '/')[3]
    check('buckets have their ARN, and a region where anything is asked', b'<BucketArn>arn:aws:s3:::listed</BucketArn>' in text and b'BucketRegion' not in text, text)
    text = w.raw('GET', '/?prefix=listed')[3]
    check('such as a prefix', b'<BucketRegion>us-east-1</BucketRegion>' in text, text)


def copies(w):
    s3 = w.s3
    s3.put_object(Bucket='bkt', Key='class', Body=b'x', StorageClass='STANDARD_IA', WebsiteRedirectLocation='/there')
    s3.copy_object(Bucket='bkt', Key='class2', CopySource='bkt/class')
    got = s3.head_object(Bucket='bkt', Key='class2')
    check('a copy has neither the class nor the redirect of its source', 'StorageClass' not in got and 'WebsiteRedirectLocation' not in got, got)
    got = s3.copy_object(Bucket='bkt', Key='class', CopySource='bkt/class', WebsiteRedirectLocation='/there')
    check('a redirect said anew is a change', got['ResponseMetadata']['HTTPStatusCode'] == 200)
    s3.put_object(Bucket='bkt', Key='plain', Body=b'x')
    told('nothing is none', s3.copy_object, 'InvalidRequest', params=dict(Bucket='bkt', Key='plain', CopySource='bkt/plain'))
    s3.put_bucket_versioning(Bucket='ver-v', VersioningConfiguration={'Status': 'Suspended'})
    check('a put while versioning is suspended tells no version', 'VersionId' not in s3.put_object(Bucket='ver-v', Key='s', Body=b'x'))
    got = s3.copy_object(Bucket='ver-v', Key='s', CopySource='ver-v/s', MetadataDirective='REPLACE')
    check('a copy does, but not its source', got['VersionId'] == 'null' and 'CopySourceVersionId' not in got, got)
    s3.put_bucket_versioning(Bucket='ver-v', VersioningConfiguration={'Status': 'Enabled'})


def trailers(w):
    e = w.local.env()
    signer = Signer(e['AWS_ACCESS_KEY_ID'], e['AWS_SECRET_ACCESS_KEY'], f'localhost:{w.local.port}')
    sums = {'x-amz-checksum-crc32': b'NhCmhg==', 'x-amz-checksum-sha1': b'qvTGHdzF6KLavt4PO0gs2a6pQ00='}

    def body(announced, *names):
        lines = b''.join(n.encode() + b':' + sums[n] + b'\r\n' for n in names)
        return sent(w, signer.request('PUT', '/bkt/t', b'5\r\nhello\r\n0\r\n' + lines + b'\r\n', payload='STREAMING-UNSIGNED-PAYLOAD-TRAILER',
                                      content_encoding='aws-chunked', x_amz_decoded_content_length='5', **({'x_amz_trailer': announced} if announced else {})))
    for name, got, want in (('a trailer as it was announced', body('x-amz-checksum-crc32', 'x-amz-checksum-crc32'), (200, None)),
                            ('none, and none was announced', body(None), (200, None)),
                            ('one that nobody announced', body(None, 'x-amz-checksum-crc32'), (400, 'MalformedTrailerError')),
                            ('another than was announced', body('x-amz-checksum-sha1', 'x-amz-checksum-crc32'), (400, 'MalformedTrailerError')),
                            ('one more than was announced', body('x-amz-checksum-crc32', 'x-amz-checksum-crc32', 'x-amz-checksum-sha1'), (400, 'MalformedTrailerError'))):
        check(name, got[:2] == want, got)


def credentials(w):
    e = w.local.env()
    signer = Signer(e['AWS_ACCESS_KEY_ID'], e['AWS_SECRET_ACCESS_KEY'], f'localhost:{w.local.port}')
    day = time.strftime('%Y%m%d', time.gmtime())
    parts = '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
    about = 'Error parsing the X-Amz-Credential parameter; '
    scope = f'{signer.id}/{day}/us-east-1/s3/'
    for name, changed, message in (
            ('another algorithm', {'Algorithm': 'AWS4-HMAC-SHA1'}, 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"'),
            ('a credential encoded twice', {'Credential': (scope + 'aws4_request').replace('/', '%2F')}, about + 'the Credential is mal-formed; expecting ' + parts),
            ('a part too many', {'Credential': scope + 'x/aws4_request'}, about + 'the Credential is mal-formed; expecting ' + parts),
            ('a day that is none', {'Credential': f'{signer.id}/today/us-east-1/s3/aws4_request'},
             about + 'incorrect date format "today". This date in the credential must be in the format "yyyyMMdd".'),
            ('another end', {'Credential': scope + 'aws5_request'}, about + 'incorrect terminal "aws5_request". This endpoint uses "aws4_request".'),
            ('a date that is none', {'Date': 'today'}, 'X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd\'T\'HHmmss\'Z\'"'),
            ('another day', {'Credential': f'{signer.id}/20200101/us-east-1/s3/aws4_request'},
             f'Invalid credential date "20200101". This date is not the same as X-Amz-Date: "{day}".')):
        status, code, text = sent(w, signer.presigned('GET', '/bkt/there', **{f'X-Amz-{k}': v for k, v in changed.items()}))
        said = unescape(text.split(b'<Message>')[1].split(b'</Message>')[0].decode())
        check(f'a URL with {name}', (status, code, said) == (400, 'AuthorizationQueryParametersError', message), (status, code, said))
    for name, old, new, message in (
            ('the day of', day + '/', '20200101/', f'Invalid credential date "20200101". This date is not the same as X-Amz-Date: "{day}".'),
            ('the end of', 'aws4_request', 'aws5_request', 'incorrect terminal "aws5_request". This endpoint uses "aws4_request".'),
            ('the parts of', '/s3/aws4_request', '', 'the Credential is mal-formed; expecting ' + parts),
            ('all but', 'Credential=', 'Crudential=', 'the authorization header requires three components: Credential, SignedHeaders, and Signature.')):
        status, code, text = sent(w, signer.request('GET', '/bkt/there').replace(old.encode(), new.encode()))
        said = unescape(text.split(b'<Message>')[1].split(b'</Message>')[0].decode())
        check(f'a header wrong in {name} the credential', (status, code, said) == (400, 'AuthorizationHeaderMalformed', 'The authorization header is malformed; ' + message), said)
    for cut in (1, 63):
        status, code, _ = sent(w, cut_signature(signer.presigned('GET', '/bkt/there'), cut))
        check(f'a signature of {64 - cut} digits is a wrong one', (status, code) == (403, 'SignatureDoesNotMatch'), (status, code))


def cut_signature(request, n):
    line, rest = request.split(b' HTTP/1.1', 1)
    return line[:-n] + b' HTTP/1.1' + rest


def bodies_asked_for(w):
    for name, path, want in (('no signature', '/bkt/there', b'403'), ('no bucket', '/no-such-bucket/x', b'404')):
        with socket.create_connection(('127.0.0.1', w.local.port), timeout=20) as s:
            s.sendall(f'PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 123\r\nExpect: 100-continue\r\n\r\n'.encode())
            text = b''.join(iter(lambda: s.recv(4096), b''))
        check(f'{name}: refused before the body, and the connection ends', text.startswith(b'HTTP/1.1 ' + want) and b'\nConnection: close\r' in text, text)
    for i in range(3):  # botocore asks with Expect, and takes the next answer on the connection for the refused one's
        try:
            w.s3.put_object(Bucket='no-such-bucket', Key='x', Body=b'x')
            check('no bucket', False)
        except ClientError as e:
            check(f'no bucket, time {i}', e.response['ResponseMetadata']['HTTPStatusCode'] == 404, e.response)
        got = w.s3.put_object(Bucket='bkt', Key='asked', Body=b'x')['ResponseMetadata']['HTTPStatusCode']
        check(f'and the next upload is right, time {i}', got == 200, got)


def main():
    w = World()
    try:
        w.s3.put_object(Bucket='bkt', Key='there', Body=b'x')
        w.since = time.time()
        for part in (arguments, members, uploads, listings, copies, trailers, credentials, bodies_asked_for):
            try:
                part(w)
            except Exception as e:  # a broken part is a failure, not the end of the others
                check(part.__name__, False, repr(e))
    finally:
        w.local.close()
    return check.done()


def crc64nvme(data):
    crc = (1 << 64) - 1
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x9a6c9329ac4bc9b5 if crc & 1 else 0)
    return (crc ^ (1 << 64) - 1).to_bytes(8, 'big')


if __name__ == '__main__':
    sys.exit(main())
