#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local beside moto, another stand-in of AWS: the same seeded sequences of S3, SQS, KMS and STS calls, right and slightly wrong ones, by
boto3 against both. Status, error code, which members an answer has, and values that must be equal are compared. Where they differ one of the two
is wrong: what is moto's error stands in MOTOS below with what AWS says of it; all else fails. Skipped where there is no boto3 or no moto.

    moto_test.py [SEED]"""
import os, random, re, signal, socket, subprocess, sys, time
from pathlib import Path
sys.path.insert(0, str(Path(os.environ['COFFER_SOURCE']) / 'tests' / 'tools'))
from local import Checks, Local  # noqa: E402
try:
    import boto3
    import moto
    import moto.server  # noqa: F401
    from botocore.config import Config
    from botocore.exceptions import ClientError, HTTPClientError
except ImportError:
    print('1..0 # SKIP python3 has no boto3 or no moto with its server')
    sys.exit(0)

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 20260101
ACCOUNT = '123456789012'  # moto's
INDEX = r'\[[0-9]+\]'
SECONDS = 25  # for each service's sequence ends with its last call or with this, whichever is first

# (what differs, whose error by which document). A difference is written SERVICE.OPERATION KIND WHAT; the first expression that matches it decides.
MOTOS = [(re.compile(pattern), why) for pattern, why in (
    # S3
    (r'^s3\.\w+ member (ServerSideEncryption|(\w+\.)?ChecksumType|(\w+\.)?ChecksumCRC64NVME|\w+\.ChecksumAlgorithm) here alone',
     'every object is encrypted with AES256 since 2023 and has a checksum since 2024: "Default bucket encryption", "Checking object integrity"'),
    (r'^s3\.\w+ member .*DisplayName with moto alone', 'no owner has a DisplayName since November 2025: API_Owner'),
    (r'^s3\.(create|head)_bucket member (BucketArn|AccessPointAlias) here alone',
     'both are headers of the answer: API_CreateBucket, API_HeadBucket'),
    (r'^s3\.create_bucket code 400 InvalidBucketName with moto 200', 'no underscores, no capitals: "Bucket naming rules"'),
    (r'^s3\.get_bucket_encryption code 200 None with moto 404', 'every bucket has a default encryption since 2023: "Default bucket encryption"'),
    (r'^s3\.get_public_access_block code 200 None with moto 404',
     'every new bucket blocks public access since April 2023: "Blocking public access"'),
    (r'^s3\.delete_object member (DeleteMarker|VersionId) here alone',
     'a delete marker is put where there is no object too: "Working with delete markers"'),
    (r'^s3\.delete_objects member Deleted\b.* with moto alone', 'Quiet tells errors only: API_DeleteObjects'),
    (r'^s3\.delete_objects member Deleted.DeleteMarker\w* here alone', 'a delete marker is put where there is no object too: API_DeletedObject'),
    (r'^s3\.delete_objects value Deleted', 'in the order of the request, each key once as asked: API_DeleteObjects'),
    (r'^s3\.(get|put)_object_tagging code 405 MethodNotAllowed with moto 404 NoSuchKey',
     'delete markers have no tags: the only method they allow is DELETE: "Working with delete markers"'),
    (r'^s3\.put_object_tagging code 200 None with moto 500', 'the server fails'),
    (r'^s3\.put_object_tagging member VersionId here alone', 'x-amz-version-id is a header of the answer: API_PutObjectTagging'),
    (r'^s3\.list_objects(_v2)? code \S+ \S+ with moto 500', 'the server fails at a token that it did not make'),
    (r'^s3\.list_objects_v2 member ContinuationToken here alone', 'sent with the request, it is in the answer: API_ListObjectsV2'),
    (r'^s3\.list_objects(_v2)? member (Marker|Prefix|EncodingType) here alone', 'in each answer, empty or not: API_ListObjects'),
    (r'^s3\.list_objects member NextMarker with moto alone', 'only where a delimiter was asked for: API_ListObjects'),
    (r'^s3\.list_objects(_v2)? member (NextMarker|NextContinuationToken) here alone',
     'max-keys counts keys and common prefixes together: API_ListObjectsV2'),
    (r'^s3\.list_objects(_v2)? (member|value) CommonPrefixes.* with moto', 'common prefixes count among max-keys: API_ListObjectsV2'),
    (r'^s3\.list_object_versions (member|value) (Versions|DeleteMarkers|CommonPrefixes|NextKeyMarker|NextVersionIdMarker|IsTruncated|'
     r'EncodingType)',
     'max-keys counts versions, delete markers and common prefixes together, delete markers of keys without objects are listed, and of none at '
     'all nothing follows: API_ListObjectVersions'),
    (r'^s3\.list_objects(_v2)? value (IsTruncated|KeyCount|Contents|CommonPrefixes)',
     'max-keys counts keys and common prefixes together: API_ListObjectsV2'),
    (r'^s3\.head_object code 416 416 with moto 200', 'no range of an empty object can be satisfied: RFC 9110, 14.1.2, "Range" in API_HeadObject'),
    (r'^s3\.put_object code 400 BadDigest with moto 200', 'Content-MD5 is checked: API_PutObject'),
    (r'^s3\.(get|head)_object code (304 304|20[06] None) with moto (20[06] None|412 \w+)',
     'an ETag of * matches every object there is: RFC 9110, 13.1.1 and 13.1.2'),
    (r'^s3\.(get|head)_object code 20[06] None with moto 416',
     'a range whose end is before its beginning is none, and passed over: RFC 9110, 14.1.1'),
    (r'^s3\.put_object code 400 InvalidDigest with moto 200', 'Content-MD5 is checked: API_PutObject'),
    (r'^s3\.complete_multipart_upload member VersionId with moto alone',
     'a bucket that never had versioning tells none: API_CompleteMultipartUpload'),
    # SQS
    (r'^sqs\.change_message_visibility code 400 InvalidParameterValue with moto',
     '0 to 43200 seconds; a message that is gone is InvalidParameterValue: API_ChangeMessageVisibility'),
    (r'^sqs\.\w+ code 404 ReceiptHandleIsInvalid with moto 400 ReceiptHandleIsInvalid', 'its status in the service model is 404'),
    (r'^sqs\.send_message code 400 (InvalidParameterValue|MissingParameter) with moto 200',
     'names, types and values of attributes and an empty body are refused: "Message metadata", API_SendMessage'),
    (r'^sqs\.send_message_batch member Failed with moto alone', 'empty lists are left out: API_SendMessageBatch'),
    (r'^sqs\.set_queue_attributes code 400 InvalidAttribute(Name|Value) with moto 200', 'the ranges of API_SetQueueAttributes'),
    (r'^sqs\.get_queue_attributes value Attributes.VisibilityTimeout', 'moto took what API_SetQueueAttributes refuses'),
    # KMS
    (r'^kms\.\w+ member (KeyMaterialId|KeyMetadata.CurrentKeyMaterialId|EncryptionAlgorithm|KeyMetadata\.(KeyUsage|MacAlgorithms|MultiRegion)) '
     r'here alone',
     'in the answers of API_DescribeKey, API_Decrypt, API_GenerateDataKey'),
    (r'^kms\.get_key_rotation_status member KeyId here alone', 'in the answer: API_GetKeyRotationStatus'),
    (r'^kms\.\w+ member KeyMetadata\.(Encryption|Signing)Algorithms with moto alone', 'only of keys with the usage: API_KeyMetadata'),
    (r'^kms\.create_alias code 400 NotAuthorizedException', 'alias/aws/ is of AWS: API_CreateAlias'),
    (r'^kms\.list_aliases (member|value) Aliases.* with moto', 'moto has let alias/aws/x be made'),
    (r'^kms\.decrypt code 400 IncorrectKeyException with moto 400 AccessDenied',
     'the error of another key than the one it was encrypted under: API_Decrypt'),
    (r'^kms\.\w+ code 400 InvalidKeyUsageException', 'the error of a key with another usage: API_Encrypt'),
    (r'^kms\.\w+ code 400 DisabledException', 'the error of a key that is disabled: "Key states of KMS keys"'),
    (r'^kms\.(en|dis)able_key_rotation code 400 UnsupportedOperationException with moto 200',
     'the error of keys that do not rotate: API_DisableKeyRotation'),
    (r'^kms\.get_key_rotation_status member (NextRotationDate|RotationPeriodInDays) here alone', 'in the answer: API_GetKeyRotationStatus'),
    (r'^kms\.list_aliases member Aliases.(CreationDate|LastUpdatedDate) here alone', 'in the answer: API_AliasListEntry'),
    (r'^kms\.(encrypt|sign|generate_\w+) code 400 ValidationException with moto 400 NotFoundException',
     'a request is judged before the key is looked for: "CommonErrors", ValidationError'),
    (r'^kms\.generate_random code 400 ValidationException', 'NumberOfBytes is 1 to 1024, and wanted: API_GenerateRandom'),
    (r'^kms\.get_key_policy code 200 None with moto 400', 'PolicyName is default where it is not said: API_GetKeyPolicy'),
    (r'^kms\.verify code 400 KMSInvalidSignatureException with moto 200', 'the error of a signature that does not verify: API_Verify'),
    # STS
    (r'^sts\.assume_role code (403 AccessDenied|400 ValidationError) with moto 200',
     'a RoleArn has 20 characters at least, and root may not assume: API_AssumeRole'),
    (r'^sts\.assume_role_with_web_identity code 400 \w+ with moto 200',
     'the token is of four characters at least, and is verified: API_AssumeRoleWithWebIdentity'),
    (r'^sts\.get_session_token code 400 ValidationError with moto 200', '900 to 129600 seconds: API_GetSessionToken'),
)]


class Ref:
    """A value that an earlier call of the sequence answered: of each server its own."""

    def __init__(self, name, otherwise='none'):
        self.name, self.otherwise = name, otherwise

    def __repr__(self):
        return self.name


def resolve(value, known):
    if isinstance(value, Ref):
        return known.get(value.name, value.otherwise)
    if isinstance(value, dict):
        return {k: resolve(v, known) for k, v in value.items()}
    if isinstance(value, list):
        return [resolve(v, known) for v in value]
    return value


# Members whose values are the same with everybody; of all others only that they are there.
EQUAL = {'ETag', 'Size', 'ContentLength', 'KeyCount', 'Key', 'Prefix', 'Delimiter', 'IsTruncated', 'MaxKeys', 'Body', 'ContentType', 'ContentRange',
         'Metadata', 'Value', 'Status', 'PartNumber', 'IsLatest', 'DeleteMarker', 'MD5OfMessageBody', 'MD5OfMessageAttributes', 'StringValue',
         'DataType', 'BinaryValue', 'TagKey', 'TagValue', 'KeySpec', 'KeyUsage', 'KeyState', 'Enabled', 'Description', 'EncryptionAlgorithm',
         'MacValid', 'SignatureValid', 'KeyRotationEnabled', 'AliasName', 'Account', 'TagSet', 'Code', 'Id', 'VisibilityTimeout', 'DelaySeconds',
         'ApproximateNumberOfMessages', 'CacheControl', 'ContentEncoding', 'ContentLanguage', 'ContentDisposition', 'StorageClass', 'TagCount', 'PartsCount',
         'Location', 'Origin', 'MessageRetentionPeriod', 'MaximumMessageSize', 'ReceiveMessageWaitTimeSeconds', 'CustomerMasterKeySpec', 'PlaintextLength'}


def members(value, path=''):
    """-> {path of members}, and {path: value} of those that must be equal; lists are as long, and in the same order"""
    have, equal = set(), {}
    if isinstance(value, dict):
        for k, v in value.items():
            at = f'{path}.{k}' if path else k
            have.add(re.sub(INDEX, '', at))
            if k in EQUAL and not (isinstance(v, list) and k != 'TagSet'):
                equal[at] = v
            else:
                h, e = members(v, at)
                have |= h
                equal.update(e)
    elif isinstance(value, list):
        equal[f'{path}.length'] = len(value)
        for i, v in enumerate(value):
            h, e = members(v, f'{path}[{i}]')
            have |= h
            equal.update(e)
    return have, equal


class Server:
    def __init__(self, url, access, secret):
        def made(name, **more):
            config = Config(retries={'total_max_attempts': 1}, parameter_validation=False, read_timeout=20, **more)
            return boto3.client(name, endpoint_url=url, region_name='us-east-1', config=config,
                                aws_access_key_id=access, aws_secret_access_key=secret)
        self.clients = {'s3': made('s3', s3={'addressing_style': 'path'}), 'sqs': made('sqs'), 'kms': made('kms'), 'sts': made('sts')}
        self.known = {}

    def call(self, service, operation, args, keep):
        """-> status, error code (or None), the answer without what is about the transport"""
        try:
            got = getattr(self.clients[service], operation)(**resolve(args, self.known))
        except ClientError as e:
            return e.response['ResponseMetadata']['HTTPStatusCode'], e.response['Error']['Code'], {}
        except HTTPClientError as e:
            return 0, type(e).__name__, {}
        status = got.pop('ResponseMetadata')['HTTPStatusCode']
        for k, v in list(got.items()):
            if hasattr(v, 'read'):
                got[k] = v.read().decode('latin-1')
            elif isinstance(v, bytes) and k == 'Plaintext':
                got['PlaintextLength'] = len(v)
        for name, pick in keep.items():
            try:
                self.known[name] = pick(got)
            except (KeyError, IndexError):
                self.known.pop(name, None)
        return status, None, got


def differences(service, operation, ours, theirs):
    head = f'{service}.{operation} '
    if ours[:2] != theirs[:2]:
        if (ours[1] is None) != (theirs[1] is None) or ours[1] is not None:
            return [f'{head}code {ours[0]} {ours[1]} with moto {theirs[0]} {theirs[1]}']
        return [f'{head}status {ours[0]} with moto {theirs[0]}']
    (have, equal), (had, same) = members(ours[2]), members(theirs[2])
    out = []
    for alone, where in ((have - had, 'here'), (had - have, 'with moto')):  # of a member that is not there, not its members too
        out += [f'{head}member {m} {where} alone' for m in sorted(alone) if m.rpartition('.')[0] not in alone]
    if not out:
        out = [f'{head}value {re.sub(INDEX, "", at)}: {equal.get(at)!r} with moto {same.get(at)!r}'
               for at in sorted(set(equal) | set(same)) if equal.get(at) != same.get(at)]
    return out


# The sequences: each yields (operation, arguments, {name: what to keep of the answer}).

KEYS = ['a', 'a/b', 'a/c d', 'b+c', 'é/ü', 'dir/', 'p%41', 'z' * 200]


def s3_calls(r):
    first = lambda name: lambda got: got[name]
    yield 'create_bucket', {'Bucket': 'plain-bucket'}, {}
    yield 'create_bucket', {'Bucket': 'versioned-bucket'}, {}
    yield 'put_bucket_versioning', {'Bucket': 'versioned-bucket', 'VersioningConfiguration': {'Status': 'Enabled'}}, {}
    bodies = [b'', b'x', b'hello world', bytes(range(256)) * 8]
    while True:
        bucket = r.choice(['plain-bucket', 'plain-bucket', 'versioned-bucket', 'versioned-bucket', 'absent-bucket-1234'])
        at = {'Bucket': bucket, 'Key': r.choice(KEYS)}
        versioned = bucket == 'versioned-bucket'
        kind = r.randrange(22)
        if kind < 5:
            more = {}
            if r.random() < .3:
                more['Metadata'] = {'one': 'x', 'two': 'y z'}
            if r.random() < .2:
                more.update(ContentType='text/plain', CacheControl='no-cache', ContentEncoding='gzip', ContentLanguage='de',
                            ContentDisposition='inline')
            if r.random() < .2:
                more['Tagging'] = 'a=1&b=2'
            if r.random() < .1:
                more['ContentMD5'] = r.choice(['AAAAAAAAAAAAAAAAAAAAAA==', 'nonsense'])
            elif r.random() < .1:
                more['IfNoneMatch'] = '*'
            if r.random() < .05:
                more['StorageClass'] = 'STANDARD_IA'
            yield 'put_object', {**at, 'Body': r.choice(bodies), **more}, {'version': first('VersionId')} if versioned else {}
        elif kind < 9:
            more = {}
            if r.random() < .3:
                more['Range'] = r.choice(['bytes=0-0', 'bytes=-3', 'bytes=2-', 'bytes=5-3', 'bytes=9999-', 'bytes=0-99999', 'lines=1'])
            if r.random() < .3:
                more[r.choice(['IfMatch', 'IfNoneMatch'])] = r.choice(['"9dd4e461268c8034f5c8564e155c67a6"', '"0"', '*'])
            yield r.choice(['get_object', 'head_object']), {**at, **more}, {}
        elif kind == 9:
            yield 'get_object', {'Bucket': 'versioned-bucket', 'Key': at['Key'], 'VersionId': Ref('version', 'A' * 32)}, {}
        elif kind == 10:
            yield 'delete_object', at, {}
        elif kind == 11:
            yield 'delete_objects', {'Bucket': bucket, 'Delete': {'Objects': [{'Key': k} for k in r.sample(KEYS, 2)], 'Quiet': r.random() < .3}}, {}
        elif kind < 15:
            more = {k: v for k, v in (('Prefix', r.choice(['', 'a', 'a/', 'é', 'none'])), ('Delimiter', r.choice(['', '/'])),
                                      ('MaxKeys', r.choice([1, 2, 3, 1000, 0])))
                    if r.random() < .6 and v != ''}
            yield r.choice(['list_objects_v2', 'list_objects', 'list_object_versions']), {'Bucket': bucket, **more}, {}
        elif kind == 15:
            yield 'list_objects_v2', {'Bucket': bucket, 'MaxKeys': 2}, {'token': first('NextContinuationToken')}
            yield 'list_objects_v2', {'Bucket': bucket, 'MaxKeys': 2, 'ContinuationToken': Ref('token')}, {}
        elif kind == 16:
            yield 'copy_object', {'Bucket': 'plain-bucket', 'Key': r.choice(KEYS), 'CopySource': {'Bucket': bucket, 'Key': at['Key']},
                                  **({'MetadataDirective': 'REPLACE', 'Metadata': {'new': '1'}} if r.random() < .5 else {})}, {}
        elif kind == 17:
            yield 'put_object_tagging', {**at, 'Tagging': {'TagSet': [{'Key': f't{i}', 'Value': 'v'} for i in range(r.choice([0, 1, 3, 11]))]}}, {}
            yield 'get_object_tagging', at, {}
        elif kind == 18:
            yield 'put_bucket_tagging', {'Bucket': bucket, 'Tagging': {'TagSet': [{'Key': 'k', 'Value': 'v'}]}}, {}
            yield r.choice(['get_bucket_tagging', 'delete_bucket_tagging', 'get_bucket_versioning', 'get_bucket_location', 'head_bucket']), \
                {'Bucket': bucket}, {}
        elif kind == 19:
            yield 'create_multipart_upload', {**at, 'Metadata': {'m': 'p'}}, {'upload': first('UploadId')}
            up = {**at, 'UploadId': Ref('upload')}
            for n in (1, 2):
                yield 'upload_part', {**up, 'PartNumber': n, 'Body': b'p' * 9}, {f'etag{n}': first('ETag')}
            yield 'list_parts', up, {}
            parts = [{'PartNumber': n, 'ETag': Ref(f'etag{n}')} for n in r.choice([(1,), (2,), (1, 2), (3,)])]
            yield 'complete_multipart_upload', {**up, 'MultipartUpload': {'Parts': parts}}, {}
            yield 'head_object', at, {}
            yield 'abort_multipart_upload', up, {}
        elif kind == 20:
            yield r.choice(['get_bucket_policy', 'get_bucket_cors', 'get_bucket_lifecycle_configuration', 'get_bucket_website',
                            'get_bucket_replication', 'get_public_access_block', 'get_object_lock_configuration',
                            'get_bucket_encryption']), {'Bucket': bucket}, {}
        else:
            yield 'delete_bucket', {'Bucket': r.choice(['plain-bucket', *['absent-bucket-1234'] * 6])}, {}
            yield 'create_bucket', {'Bucket': r.choice(['plain-bucket', 'Bad_Name', 'ab'])}, {}


def sqs_calls(r):
    yield 'create_queue', {'QueueName': 'one'}, {'url': lambda got: got['QueueUrl']}
    yield 'create_queue', {'QueueName': 'dead'}, {'dead': lambda got: got['QueueUrl']}
    url, other = {'QueueUrl': Ref('url')}, {'QueueUrl': Ref('dead')}  # what moto may take goes to the other queue, that this one stays the same
    attributes = {'a': {'DataType': 'String', 'StringValue': 'x'}, 'n.1': {'DataType': 'Number', 'StringValue': '7'},
                  'b': {'DataType': 'Binary', 'BinaryValue': b'\0\xff'}}
    while True:
        kind = r.randrange(14)
        if kind < 3:
            more, body = {}, r.choice(['x', 'hello', 'ä€', ' ', ''])
            if r.random() < .4:
                more['MessageAttributes'] = {k: attributes[k] for k in r.sample(sorted(attributes), r.choice([1, 2, 3]))}
            if r.random() < .2 and body:
                more['DelaySeconds'] = r.choice([0, 901])
            yield 'send_message', {**(url if body else other), 'MessageBody': body, **more}, {}
        elif kind == 3:
            yield 'send_message', {**other, 'MessageBody': 'x', 'MessageAttributes': {r.choice(['aws.x', '.a', 'x y', 'ok']): {
                'DataType': r.choice(['String', 'Number', 'Text', '']), 'StringValue': r.choice(['1', 'x', ''])}}}, {}
        elif kind == 4:
            ids = r.choice([['a', 'b'], ['a', 'a'], [], [f'i{i}' for i in range(11)], ['bad id']])
            yield 'send_message_batch', {**url, 'Entries': [{'Id': i, 'MessageBody': 'b'} for i in ids]}, {}
        elif kind < 8:
            yield 'receive_message', {**url, 'MaxNumberOfMessages': r.choice([1, 1, 1, 0, 11]), 'VisibilityTimeout': 30,
                                      'MessageAttributeNames': r.choice([[], ['All'], ['a']])}, \
                {'handle': lambda got: got['Messages'][0]['ReceiptHandle']}
        elif kind == 8:
            n = r.choice([10, 10, 43201, -1])
            yield 'change_message_visibility', {**url, 'ReceiptHandle': Ref('handle') if n == 10 else 'none', 'VisibilityTimeout': n}, {}
        elif kind == 9:
            yield 'delete_message', {**url, 'ReceiptHandle': Ref('handle')}, {}
        elif kind == 10:
            yield 'get_queue_attributes', {**url, 'AttributeNames': r.choice([['All'], ['VisibilityTimeout'], ['QueueArn', 'DelaySeconds'],
                                                                              ['Nonsense'], []])}, {}
        elif kind == 11:
            yield 'set_queue_attributes', {**other, 'Attributes': r.choice([{'VisibilityTimeout': '31'}, {'DelaySeconds': '0'},
                                                                           {'VisibilityTimeout': '43201'},
                                                                           {'Nonsense': '1'}, {'MessageRetentionPeriod': '59'}])}, {}
        elif kind == 12:
            yield 'tag_queue', {**url, 'Tags': {'k': 'v'}}, {}
            yield 'list_queue_tags', url, {}
            yield 'untag_queue', {**url, 'TagKeys': ['k']}, {}
        else:
            yield 'get_queue_url', {'QueueName': r.choice(['one', 'none'])}, {}
            yield 'create_queue', {'QueueName': r.choice(['one', 'bad name', 'x' * 81])}, {}
            yield 'list_dead_letter_source_queues', {'QueueUrl': Ref('dead')}, {}
            yield 'list_queues', {'QueueNamePrefix': r.choice(['o', 'none'])}, {}


def kms_calls(r):
    kept = lambda name, *path: {name: lambda got: got['KeyMetadata']['KeyId'] if not path else got[path[0]]}
    yield 'create_key', {'Description': 'd'}, kept('key')
    yield 'create_key', {'KeyUsage': 'SIGN_VERIFY', 'KeySpec': 'ECC_NIST_P256'}, kept('ecc')
    yield 'create_key', {'KeyUsage': 'GENERATE_VERIFY_MAC', 'KeySpec': 'HMAC_256'}, kept('mac')
    yield 'encrypt', {'KeyId': Ref('key'), 'Plaintext': b'x'}, kept('blob', 'CiphertextBlob')
    while True:
        kind = r.randrange(14)
        key = {'KeyId': r.choice([Ref('key'), Ref('key'), Ref('key'), Ref('ecc'), Ref('mac'), '1234abcd-12ab-34cd-56ef-1234567890ab', 'alias/none'])}
        if kind < 2:
            yield 'encrypt', {**key, 'Plaintext': r.choice([b'x', b'y' * 4096, b'y' * 4097, b'']),
                              **({'EncryptionContext': {'a': 'b'}} if r.random() < .3 else {})}, {}
        elif kind < 4:
            yield 'decrypt', {'CiphertextBlob': r.choice([Ref('blob', b'x'), b'nonsense']),
                              **r.choice([{}, {}, {'EncryptionContext': {'a': 'b'}}, key])}, {}
        elif kind < 6:
            yield r.choice(['generate_data_key', 'generate_data_key_without_plaintext']), {**key, **r.choice([
                {'KeySpec': 'AES_256'}, {'KeySpec': 'AES_128'}, {'NumberOfBytes': 33}, {'NumberOfBytes': 1025}, {},
                {'KeySpec': 'AES_256', 'NumberOfBytes': 3}, {'KeySpec': 'AES_257'}])}, {}
        elif kind == 6:
            yield 'describe_key', key, {}
        elif kind == 7:
            yield 'sign', {**key, 'Message': b'm', 'SigningAlgorithm': r.choice(['ECDSA_SHA_256', 'RSASSA_PSS_SHA_256', 'NONE'])}, \
                kept('signature', 'Signature')
            yield 'verify', {'KeyId': Ref('ecc'), 'Message': r.choice([b'm', b'other']), 'Signature': Ref('signature', b'x'),
                             'SigningAlgorithm': 'ECDSA_SHA_256'}, {}
        elif kind == 8:
            yield 'generate_mac', {**key, 'Message': b'm', 'MacAlgorithm': r.choice(['HMAC_SHA_256', 'HMAC_SHA_512'])}, kept('made', 'Mac')
        elif kind == 9:
            yield r.choice(['enable_key_rotation', 'disable_key_rotation', 'get_key_rotation_status']), key, {}
        elif kind == 10:
            yield 'create_alias', {'AliasName': r.choice(['alias/one', 'alias/aws/x', 'bad', 'alias/a b']), 'TargetKeyId': Ref('key')}, {}
            yield 'list_aliases', {'KeyId': Ref('key')}, {}
            yield 'delete_alias', {'AliasName': r.choice(['alias/one', 'alias/none'])}, {}
        elif kind == 11:
            yield 'tag_resource', {**key, 'Tags': [{'TagKey': 'k', 'TagValue': 'v'}]}, {}
            yield 'list_resource_tags', key, {}
        elif kind == 12:
            yield r.choice(['disable_key', 'enable_key']), {'KeyId': Ref('mac')}, {}
        else:
            yield 'generate_random', r.choice([{'NumberOfBytes': 32}, {'NumberOfBytes': 1025}, {}, {'NumberOfBytes': 0}]), {}
            yield r.choice(['get_key_policy', 'list_key_policies']), key, {}


def sts_calls(r):
    while True:
        kind = r.randrange(4)
        if kind == 0:
            yield 'get_caller_identity', {}, {}
        elif kind == 1:
            yield 'get_session_token', r.choice([{}, {'DurationSeconds': 900}, {'DurationSeconds': 1}]), {}
        elif kind == 2:
            yield 'assume_role', {'RoleArn': r.choice(['nothing-valid-in-here', '']), 'RoleSessionName': 's'}, {}
        else:
            yield 'assume_role_with_web_identity', {'RoleArn': f'arn:aws:iam::{ACCOUNT}:role/none', 'RoleSessionName': 's',
                                                    'WebIdentityToken': 'x'}, {}


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def start_moto():
    port = free_port()
    p = subprocess.Popen([sys.executable, '-m', 'moto.server', '-H', '127.0.0.1', '-p', str(port)], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    until = time.time() + 60
    while time.time() < until and p.poll() is None:
        try:
            socket.create_connection(('127.0.0.1', port), timeout=1).close()
            return p, port
        except OSError:
            time.sleep(0.1)
    p.kill()
    return None, 0


CHANGES = ('put_object', 'copy_object', 'complete_multipart_upload', 'delete_object', 'put_object_tagging')


def compare(check, ours, theirs):
    seen = {}
    for service, calls, n in (('s3', s3_calls, 420), ('sqs', sqs_calls, 150), ('kms', kms_calls, 150), ('sts', sts_calls, 12)):
        until, done = time.time() + SECONDS, 0
        for operation, args, keep in calls(random.Random(SEED)):
            a, b = ours.call(service, operation, args, keep), theirs.call(service, operation, args, keep)
            for d in differences(service, operation, a, b):
                seen.setdefault(d, f'{args}\n{a[2]}\n{b[2]}')
            if service == 's3' and (a[1] is None) != (b[1] is None) and operation in CHANGES:
                for server in (ours, theirs):  # what follows is to tell of itself, not of this
                    server.call(service, 'put_object', {'Bucket': args['Bucket'], 'Key': args['Key'], 'Body': b'same'},
                                {'version': lambda got: got['VersionId']})
            done += 1
            if done >= n or time.time() > until:
                break
        check(f'{service}: {done} calls of seed {SEED}', done > n // 4)
    same_moto = moto.__version__.startswith('5.')
    for d, args in seen.items():
        why = next((why for pattern, why in MOTOS if pattern.search(d)), None)
        if why:
            check(f"{d} (moto's error: {why})", True)
        elif not same_moto:
            check.skip(d, f'the table is of moto 5, this is {moto.__version__}')
        else:
            check(d, False, args)


def main():
    check = Checks()
    p, port = start_moto()
    if p is None:
        print('1..0 # SKIP moto\'s server does not start')
        return 0
    local = Local(manifest={'account': ACCOUNT, 'region': 'us-east-1', 'credentials': [{'name': 'root', 'root': True}]})
    try:
        e = local.env()
        compare(check, Server(f'http://localhost:{local.port}', e['AWS_ACCESS_KEY_ID'], e['AWS_SECRET_ACCESS_KEY']),
                Server(f'http://127.0.0.1:{port}', 'AKIAIOSFODNN7EXAMPLE', 'x' * 40))
    finally:
        local.close()
        p.send_signal(signal.SIGTERM)
        p.wait(20)
    return check.done()


if __name__ == '__main__':
    sys.exit(main())
