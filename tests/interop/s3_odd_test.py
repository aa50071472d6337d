#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Objects with keys, metadata, headers and ranges that clients have trouble with, by boto3 against coffer-local: what goes in comes out, in
listings, copies, presigned URLs, deletions of many, paginators and waiters too. Skipped where there is no boto3."""
import concurrent.futures, os, sys, urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.path.insert(0, str(Path(os.environ['COFFER_SOURCE']) / 'tests' / 'tools'))
from local import Checks, Local  # noqa: E402
try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError
except ImportError:
    print('1..0 # SKIP python3 has no boto3')
    sys.exit(0)

KEYS = ['plus+plus', 'a b', ' lead', 'trail ', 'per%cent', 'per%2Fcent', 'é/ü/€', '日本語', '\U0001f600', 'e\u0301', 'a//b', '/lead', 'dir/',
        'a?b', 'a#b', 'a&b=c', "it's", '"quoted"', 'a;b', 'a:b', 'a@b', 'a,b', 'a$b', '(x)!*~', '[x]', '{x}', 'a\\b', 'a|b', '<x>', '^`', 'tab\there',
        'line\nbreak', 'return\rback', '.hidden', 'a/.b', 'a..b', 'x' * 1024, 'é' * 512, '...', 'a/...', '=', '+', '%', '%25', '\u2028', '\ufeffbom',
        'a/../b', './x', 'versionId=1', '\x7f', '\x01']
UNNAMED = '\x01'  # no XML 1.0 can name it: listings do by encoding-type=url, the rest cannot
B = 'odd-keys'


def code_of(f, **args):
    try:
        f(**args)
        return None
    except ClientError as e:
        return e.response['Error']['Code']


def one(s3, check, key):
    body = key.encode()
    s3.put_object(Bucket=B, Key=key, Body=body)
    out = [s3.get_object(Bucket=B, Key=key)['Body'].read() == body]
    url = s3.generate_presigned_url('get_object', Params={'Bucket': B, 'Key': key}, ExpiresIn=60)
    out.append(urllib.request.urlopen(url, timeout=20).read() == body)
    s3.copy_object(Bucket=B, Key='copied', CopySource={'Bucket': B, 'Key': key})
    out.append(s3.get_object(Bucket=B, Key='copied')['Body'].read() == body)
    s3.delete_object(Bucket=B, Key='copied')
    up = s3.create_multipart_upload(Bucket=B, Key=key)['UploadId']
    part = s3.upload_part_copy(Bucket=B, Key=key, UploadId=up, PartNumber=1, CopySource={'Bucket': B, 'Key': key})['CopyPartResult']
    out.append(key == UNNAMED or [u['Key'] for u in s3.list_multipart_uploads(Bucket=B)['Uploads']] == [key])
    s3.complete_multipart_upload(Bucket=B, Key=key, UploadId=up, MultipartUpload={'Parts': [{'PartNumber': 1, 'ETag': part['ETag']}]})
    out.append([o['Key'] for o in s3.list_objects_v2(Bucket=B, Prefix=key, MaxKeys=1)['Contents']] == [key])
    s3.put_object_tagging(Bucket=B, Key=key, Tagging={'TagSet': [{'Key': 'é +', 'Value': '= /'}]})
    out.append(s3.get_object_tagging(Bucket=B, Key=key)['TagSet'] == [{'Key': 'é +', 'Value': '= /'}])
    check(f'{ascii(key)[:60]}: put, presigned, copied, in parts, as a prefix, tagged', all(out), out)


def keys(s3, check):
    for key in KEYS:
        one(s3, check, key)
    want = sorted(KEYS, key=lambda k: k.encode())
    for op, member in (('list_objects_v2', 'Contents'), ('list_objects', 'Contents'), ('list_object_versions', 'Versions')):
        for size in (1, 7, 1000):
            got = [o['Key'] for page in s3.get_paginator(op).paginate(Bucket=B, PaginationConfig={'PageSize': size}) for o in page.get(member, ())]
            check(f'{op} by {size}', got == want, [ascii(k) for k in {*got} ^ {*want}])
    pages = list(s3.get_paginator('list_objects_v2').paginate(Bucket=B, Delimiter='/', PaginationConfig={'PageSize': 3}))
    got = [o['Key'] for p in pages for o in p.get('Contents', ())] + [o['Prefix'] for p in pages for o in p.get('CommonPrefixes', ())]
    check('by delimiter', sorted(got) == sorted({k[:k.index('/') + 1] if '/' in k else k for k in KEYS}), got)
    check('a key of 1025 bytes', code_of(s3.put_object, Bucket=B, Key='x' * 1025) == 'KeyTooLongError')
    check('and of 513 letters of two', code_of(s3.put_object, Bucket=B, Key='é' * 513) == 'KeyTooLongError')
    got = code_of(s3.delete_objects, Bucket=B, Delete={'Objects': [{'Key': UNNAMED}]})
    check('what no XML can name is not deleted by one', got == 'MalformedXML', got)
    s3.delete_object(Bucket=B, Key=UNNAMED)
    rest = [k for k in KEYS if k != UNNAMED]
    got = s3.delete_objects(Bucket=B, Delete={'Objects': [{'Key': k} for k in rest]})
    check('deleted together', [d['Key'] for d in got.get('Deleted', ())] == rest and 'Contents' not in s3.list_objects_v2(Bucket=B), got)
    s3.get_waiter('object_not_exists').wait(Bucket=B, Key='a b', WaiterConfig={'Delay': 1, 'MaxAttempts': 2})


def headers(s3, check):
    until = datetime(2031, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
    sent = {'ContentType': 'text/plain; charset=utf-8', 'ContentEncoding': 'gzip, br', 'ContentLanguage': 'de, en',
            'CacheControl': 'max-age=60, public', 'ContentDisposition': 'attachment; filename="a b.txt"', 'WebsiteRedirectLocation': '/elsewhere',
            'Metadata': {'one': 'a b', 'two': '', 'three': '=?x?= "q" \\ %41 +', 'x-y_z.w': '1'}}
    s3.put_object(Bucket=B, Key='h', Body=b'', Expires=until, **sent)
    s3.get_waiter('object_exists').wait(Bucket=B, Key='h', WaiterConfig={'Delay': 1, 'MaxAttempts': 2})
    for name, got in (('HeadObject', s3.head_object(Bucket=B, Key='h')), ('GetObject of nothing', s3.get_object(Bucket=B, Key='h'))):
        check(f'{name}: headers and metadata', {k: got.get(k) for k in sent} == sent and got['ContentLength'] == 0, got)
        check(f'{name}: Expires', got['ResponseMetadata']['HTTPHeaders']['expires'] == 'Mon, 03 Feb 2031 04:05:06 GMT', got['ResponseMetadata'])
    other = {'ResponseContentType': 'a/b', 'ResponseContentEncoding': 'identity', 'ResponseContentLanguage': 'fr', 'ResponseCacheControl': 'no-cache',
             'ResponseContentDisposition': 'inline', 'ResponseExpires': until + timedelta(1)}
    got = s3.get_object(Bucket=B, Key='h', **other)
    check('response-* stand in for them', all(got[k.replace('Response', '')] == v for k, v in other.items() if k != 'ResponseExpires')
          and got['ResponseMetadata']['HTTPHeaders']['expires'] == 'Tue, 04 Feb 2031 04:05:06 GMT' and got['Metadata'] == sent['Metadata'], got)
    name = 'attachment; filename="a+b%.txt"'
    url = s3.generate_presigned_url('get_object', Params={'Bucket': B, 'Key': 'h', 'ResponseContentDisposition': name}, ExpiresIn=60)
    with urllib.request.urlopen(url, timeout=20) as r:
        check('in a presigned URL too', r.headers['content-disposition'] == name, r.headers.items())
    s3.copy_object(Bucket=B, Key='h2', CopySource={'Bucket': B, 'Key': 'h'})
    got = s3.head_object(Bucket=B, Key='h2')
    check('a copy has all but the redirection', {k: got.get(k) for k in sent} == {**sent, 'WebsiteRedirectLocation': None}, got)
    got = code_of(s3.copy_object, Bucket=B, Key='h2', CopySource={'Bucket': B, 'Key': 'h2'})
    check('to itself a copy must change something', got == 'InvalidRequest', got)
    s3.copy_object(Bucket=B, Key='h2', CopySource={'Bucket': B, 'Key': 'h2'}, MetadataDirective='REPLACE', Metadata={'only': '1'})
    got = s3.head_object(Bucket=B, Key='h2')
    check('REPLACE drops the others', got['Metadata'] == {'only': '1'} and not {'ContentEncoding', 'CacheControl'} & {*got}, got)
    check('metadata of 2 KB', code_of(s3.put_object, Bucket=B, Key='m', Metadata={'k': 'v' * 2047}) is None)
    check('and of one byte more', code_of(s3.put_object, Bucket=B, Key='m', Metadata={'k': 'v' * 2048}) == 'MetadataTooLarge')
    s3.delete_objects(Bucket=B, Delete={'Objects': [{'Key': k} for k in ('h', 'h2', 'm')]})


def ranges(s3, check):
    s3.put_object(Bucket=B, Key='r', Body=b'0123456789')
    for asked, want in (('bytes=0-0', b'0'), ('bytes=0-8', b'012345678'), ('bytes=1-', b'123456789'), ('bytes=-2', b'89'),
                        ('bytes=-15', b'0123456789'), ('bytes=0-100', b'0123456789'), ('bytes=9-9', b'9')):
        got = s3.get_object(Bucket=B, Key='r', Range=asked)
        check(asked, got['ResponseMetadata']['HTTPStatusCode'] == 206 and got['Body'].read() == want and got['ContentRange'].endswith('/10'), got)
    for asked in ('bytes=1-0', 'bytes=-', 'bytes=0--1', 'bytes=0-1,3-4', 'lines=0-1', 'nonsense'):
        got = s3.get_object(Bucket=B, Key='r', Range=asked)
        whole = got['ResponseMetadata']['HTTPStatusCode'] == 200 and got['ContentLength'] == 10
        check(f'{asked}: no range', whole and 'ContentRange' not in got, got)
    for asked in ('bytes=10-', 'bytes=100-200', 'bytes=-0'):
        check(f'{asked}: not there', code_of(s3.get_object, Bucket=B, Key='r', Range=asked) == 'InvalidRange')
    s3.delete_object(Bucket=B, Key='r')


def conditions(s3, check):
    etag = s3.put_object(Bucket=B, Key='c', Body=b'c')['ETag']
    at = s3.head_object(Bucket=B, Key='c')['LastModified']
    before, other = at - timedelta(hours=1), '"0"'
    for want, asked in ((None, {'IfMatch': etag}), ('412', {'IfMatch': other}), ('304', {'IfNoneMatch': etag}), (None, {'IfNoneMatch': other}),
                        (None, {'IfMatch': etag, 'IfUnmodifiedSince': before}), ('412', {'IfMatch': other, 'IfUnmodifiedSince': at}),
                        ('304', {'IfNoneMatch': etag, 'IfModifiedSince': before}), (None, {'IfNoneMatch': other, 'IfModifiedSince': at}),
                        ('412', {'IfUnmodifiedSince': before}), (None, {'IfUnmodifiedSince': at}), ('304', {'IfModifiedSince': at}),
                        (None, {'IfModifiedSince': before}), (None, {'IfMatch': etag.strip('"')}), ('304', {'IfNoneMatch': f'{other}, {etag}'}),
                        ('304', {'IfMatch': etag, 'IfNoneMatch': etag})):
        got = code_of(s3.head_object, Bucket=B, Key='c', **asked)
        check(f'{" and ".join(asked)}: {want or 200}', got == want, f'{got} {asked}')
    check('a write where something is', code_of(s3.put_object, Bucket=B, Key='c', IfNoneMatch='*') == 'PreconditionFailed')
    check('a write of what is gone', code_of(s3.put_object, Bucket=B, Key='none', IfMatch=etag) == 'NoSuchKey')
    check('a write in place of another', code_of(s3.put_object, Bucket=B, Key='c', IfMatch=other) == 'PreconditionFailed')
    check('a write in place of itself', code_of(s3.put_object, Bucket=B, Key='c', IfMatch=etag) is None)
    s3.delete_object(Bucket=B, Key='c')


def many(s3, check):
    names = [f'n/{i:04}' for i in range(1003)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: s3.put_object(Bucket=B, Key=k, Body=b''), names))
    page = s3.list_objects_v2(Bucket=B, MaxKeys=5000)
    check('a page has 1000 at most', page['KeyCount'] == 1000 and page['IsTruncated'], page['KeyCount'])
    got = [o['Key'] for p in s3.get_paginator('list_objects_v2').paginate(Bucket=B) for o in p['Contents']]
    check('all of them in order', got == names)
    got = code_of(s3.delete_objects, Bucket=B, Delete={'Objects': [{'Key': k} for k in names]})
    check('more than 1000 are not deleted at once', got == 'MalformedXML', got)
    for some in (names[:1000], names[1000:]):
        s3.delete_objects(Bucket=B, Delete={'Objects': [{'Key': k} for k in some], 'Quiet': True})
    check('and 1000 are', s3.list_objects_v2(Bucket=B)['KeyCount'] == 0)


def main():
    local, check = Local(), Checks()
    e = local.env()

    s3 = boto3.client('s3', endpoint_url=f'http://localhost:{local.port}', region_name=e['AWS_REGION'],
                      aws_access_key_id=e['AWS_ACCESS_KEY_ID'], aws_secret_access_key=e['AWS_SECRET_ACCESS_KEY'],
                      config=Config(retries={'total_max_attempts': 1}, s3={'addressing_style': 'path'}, signature_version='s3v4'))
    try:
        s3.create_bucket(Bucket=B)
        s3.get_waiter('bucket_exists').wait(Bucket=B, WaiterConfig={'Delay': 1, 'MaxAttempts': 2})
        for part in (keys, headers, ranges, conditions, many):
            try:
                part(s3, check)
            except Exception as x:
                check(part.__name__, False, f'{type(x).__name__}: {x}')
        s3.delete_bucket(Bucket=B)
        s3.get_waiter('bucket_not_exists').wait(Bucket=B, WaiterConfig={'Delay': 1, 'MaxAttempts': 2})
    finally:
        local.close()
    sys.exit(check.done())


main()
