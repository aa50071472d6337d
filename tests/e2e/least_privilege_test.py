#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Least privilege, proved both ways: coffer-local with the deployment's own policies (deploy/iam); each identity makes every call that
there is on every resource that there is, signed and over TLS. What MAY lists must work; everything else must be denied, in the very words
AccessDenied and not for another reason. Then the same without TLS, and the roles' doors. `--write` writes the table in docs/roles.md, which
is compared otherwise. C-09 C-11 C-30 C-33 C-36"""
import base64, hashlib, hmac, json, os, socket, ssl, struct, subprocess, sys, time
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from local import ACCOUNT, BUILD, LOCAL, Checks
from rawaws import Reply, Signer, whole

OTHER = '444455556666'
BUCKET = 'coffer-local'
PROBE = BUILD / 'tests/attested_probe'
SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
PREFIXES = ('jobs', 'submissions', 'results', 'receipts', 'status', 'models', 'edge', 'elsewhere')
KEYS = {'data': '0c0ffe00-da7a-4000-8000-000000000001', 'results': '0c0ffe00-2e50-4000-8000-000000000002',
        'models': '0c0ffe00-30de-4000-8000-000000000003', 'storage': '0c0ffe00-5702-4000-8000-000000000004'}
QUEUES = {'jobs': 'coffer-jobs', 'dead-letter': 'coffer-jobs-dead'}
ROLES = ('producer', 'consumer', 'owner', 'deployer', 'auditor', 'admin')
# outsider: a user of another account to whom that account allows everything
WHO = ('anonymous', 'outsider', 'device', *ROLES)
ATTESTED = ('Decrypt', 'GenerateDataKey', 'GenerateDataKeyPair', 'DeriveSharedSecret', 'GenerateRandom')
TENANT = {'tenant': 't'}

# What each must be able to do: (calls, resources of that kind). Everything else must be denied.
READ_KEY = ('DescribeKey', 'GetKeyPolicy', 'GetKeyRotationStatus', 'ListGrants', 'ListKeyPolicies')
WRITE = ('PutObject', 'CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload', 'AbortMultipartUpload')
ONCE = ('PutObject once', 'AbortMultipartUpload', 'CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload once')
MAY = {
    'device': [(('GetObject', 'HeadObject', 'DeleteObject', 'CopyObject', 'CopyObject once', 'UploadPartCopy', 'PutObject SSE-C', 'PutObject SSE-KMS',
                 'PutObject once', 'CompleteMultipartUpload once', *WRITE), 's3', ('edge',)), (('ListObjects', 'ListObjectsV2'), 'listing', ('edge',))],
    'producer': [(('GenerateDataKey for a tenant',), 'kms', ('data',)), ((*WRITE, 'PutObject once', 'CompleteMultipartUpload once'), 's3', ('jobs',)), (ONCE, 's3', ('submissions',)),
                 (('GetObject', 'HeadObject'), 's3', ('submissions', 'results', 'receipts', 'status')), (('CopyObject once', 'UploadPartCopy'), 's3', ('submissions',)),
                 (('SendMessage', 'SendMessageBatch'), 'sqs', ('jobs',))],
    'consumer': [(('GetObject', 'HeadObject'), 's3', ('jobs', 'models')), (ONCE, 's3', ('results', 'receipts')), ((*WRITE, 'PutObject once', 'CompleteMultipartUpload once'), 's3', ('status',)),
                 (('ReceiveMessage', 'DeleteMessage', 'DeleteMessageBatch', 'ChangeMessageVisibility', 'ChangeMessageVisibilityBatch'), 'sqs', ('jobs',))],
    # the consumer's credentials with the attestation document of the measured image, at every call of KMS that takes one
    'enclave': [(('Decrypt for a tenant',), 'kms', ('data', 'models')), (('Decrypt',), 'kms', ('models',)), (('GenerateDataKey for a tenant',), 'kms', ('results',))],
    'owner': [(('GetObject', 'HeadObject'), 's3', ('results', 'receipts', 'status')), (('ListObjects', 'ListObjectsV2'), 'listing', ('results', 'receipts', 'status')),
              (('Decrypt for a tenant',), 'kms', ('results',))],
    'deployer': [(('GenerateDataKey', 'GenerateDataKey for a tenant', 'Sign', 'GetPublicKey'), 'kms', ('models',)),
                 (('GetObject', 'HeadObject', 'CopyObject', 'CopyObject once', 'UploadPartCopy', 'PutObject once', 'CompleteMultipartUpload once', *WRITE), 's3', ('models',)),
                 (('ListObjects', 'ListObjectsV2'), 'listing', ('models',))],
    'auditor': [(READ_KEY, 'kms', tuple(KEYS)), (('GetObject', 'HeadObject'), 's3', ('receipts', 'status')), (('ListObjects', 'ListObjectsV2'), 'listing', ('receipts', 'status')),
                (('GetBucketPolicy', 'GetBucketVersioning', 'GetBucketEncryption', 'GetObjectLockConfiguration', 'GetPublicAccessBlock'), 'bucket', ('bucket',)),
                (('GetQueueAttributes',), 'sqs', tuple(QUEUES))],
    'admin': [((*READ_KEY, 'PutKeyPolicy', 'EnableKeyRotation', 'DisableKey', 'EnableKey', 'RevokeGrant', 'TagResource', 'UntagResource', 'ListResourceTags',
                'UpdateKeyDescription', 'ScheduleKeyDeletion', 'CancelKeyDeletion'), 'kms', tuple(KEYS)),
              (('GetBucketLocation', 'GetBucketVersioning', 'PutBucketVersioning', 'GetBucketEncryption', 'PutBucketEncryption', 'DeleteBucketEncryption', 'GetBucketPolicy',
                'PutBucketPolicy', 'GetObjectLockConfiguration', 'PutObjectLockConfiguration', 'GetBucketTagging', 'PutBucketTagging', 'DeleteBucketTagging',
                'GetBucketPolicyStatus', 'GetPublicAccessBlock', 'PutPublicAccessBlock', 'DeletePublicAccessBlock', 'GetBucketOwnershipControls',
                'PutBucketOwnershipControls', 'DeleteBucketOwnershipControls', 'GetBucketAcl', 'PutBucketAcl', 'ListObjectVersions', 'HeadBucket'), 'bucket', ('bucket',)),
              (('ListObjects', 'ListObjectsV2'), 'listing', (*PREFIXES, 'all', 'empty')),
              (('GetQueueAttributes', 'GetQueueUrl', 'SetQueueAttributes'), 'sqs', tuple(QUEUES)), (('SendMessage', 'SendMessageBatch'), 'sqs', ('jobs',)),
              (('StartMessageMoveTask', 'CancelMessageMoveTask', 'ListMessageMoveTasks', 'ReceiveMessage', 'DeleteMessage', 'DeleteMessageBatch'), 'sqs', ('dead-letter',))],
}
# Everybody with credentials may ask who they are; a user may open a session of its own (AWS asks for no permission).
ALWAYS = {('sts', 'GetCallerIdentity'): set(WHO) - {'anonymous', 'outsider'}, ('sts', 'GetSessionToken'): {'device'}}
# What a permitted call may answer in place of success, because the thing it is about is not there or does not fit.
PERMITTED = {'CompleteMultipartUpload': 'InvalidPart', 'CompleteMultipartUpload once': 'InvalidPart',
             'AbortMultipartUpload': 'NoSuchUpload', 'RevokeGrant': 'NotFoundException', 'Sign': 'InvalidKeyUsageException', 'GetPublicKey': 'UnsupportedOperationException',
             'GetBucketTagging': 'NoSuchTagSet', 'GetObjectLockConfiguration': 'ObjectLockConfigurationNotFoundError', 'PutObjectLockConfiguration': 'InvalidBucketState',
             'GetBucketOwnershipControls': 'OwnershipControlsNotFoundError', 'GetPublicAccessBlock': 'NoSuchPublicAccessBlockConfiguration',
             'PutBucketAcl': 'AccessControlListNotSupported', 'CancelMessageMoveTask': 'ResourceNotFoundException', 'Decrypt': 'InvalidCiphertextException',
             'ChangeMessageVisibility': 'ReceiptHandleIsInvalid', 'DeleteMessage': 'ReceiptHandleIsInvalid'}


class Line:
    """One kept connection, over TLS or not."""

    def __init__(self, port, tls):
        self.port, self.tls, self.s = port, tls, None

    def ask(self, data, head=False):
        for attempt in (1, 2):
            if self.s is None:
                self.s = socket.create_connection(('127.0.0.1', self.port), timeout=20)
                self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.tls:
                    self.s = self.tls.wrap_socket(self.s, server_hostname='localhost')
            got = b''
            try:
                self.s.sendall(data)
                while not (b'\r\n\r\n' in got if head or got.startswith((b'HTTP/1.1 204', b'HTTP/1.1 304')) else whole(got)):
                    more = self.s.recv(65536)
                    if not more:
                        break
                    got += more
            except (ConnectionResetError, BrokenPipeError):
                got = b''
            if b'connection: close' in got.partition(b'\r\n\r\n')[0].lower() or not got:
                self.s.close()
                self.s = None
            if got:
                return Reply(got, False)
        raise AssertionError('no reply')


class Identity:
    recipient = None  # an attestation document

    def __init__(self, world, name, tls=True):
        self.world, self.name = world, name
        self.line = Line(world.port, world.tls if tls else None)
        env = {} if name == 'anonymous' else world.env(name)
        self.signer = env and Signer(env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY'], f'localhost:{world.port}', env.get('AWS_SESSION_TOKEN'))

    def send(self, service, method, path, body=b'', query='', **fields):
        if self.signer:
            data = self.signer.but(service=service).request(method, path, body, query, **fields)
        else:
            lines = [f'{method} {path}{"?" + query if query else ""} HTTP/1.1', f'Host: localhost:{self.world.port}', *(f'{k.replace("_", "-")}: {v}' for k, v in fields.items())]
            data = '\r\n'.join(lines + ([f'Content-Length: {len(body)}'] if method != 'GET' else [])).encode() + b'\r\n\r\n' + body
        return self.line.ask(data, head=method == 'HEAD')

    def json(self, service, target, body, **fields):
        kind = '1.1' if service == 'kms' else '1.0'
        if self.recipient and target.partition('.')[2] in ATTESTED:
            body = {**body, 'Recipient': {'KeyEncryptionAlgorithm': 'RSAES_OAEP_SHA_256', 'AttestationDocument': self.recipient}}
        return self.send(service, 'POST', '/', json.dumps(body).encode(), content_type=f'application/x-amz-json-{kind}', x_amz_target=target, **fields)


class World:
    """The deployment of deploy/local, and beside it a second account and a person who may assume roles."""

    def __init__(self, tmp):
        manifest = json.loads((SOURCE / 'deploy/local/manifest.json').read_text())
        everything = [{'name': 'all', 'document': {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': '*', 'Resource': '*'}]}}]
        assume = [{'name': 'assume', 'document': {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Resource': f'arn:aws:iam::{ACCOUNT}:role/coffer-*'}]}}]
        manifest['users'].append({'name': 'person', 'policies': assume, 'mfa': SECRET})
        manifest['users'].append({'name': 'insider', 'policies': everything})
        manifest['credentials'] += [{'name': 'person', 'user': 'person'}, {'name': 'insider', 'user': 'insider'}]
        manifest['accounts'] = [{'id': OTHER, 'users': [{'name': 'outsider', 'policies': everything}], 'credentials': [{'name': 'outsider', 'user': 'outsider'}]}]
        (tmp / 'iam').symlink_to(SOURCE / 'deploy/iam')
        (tmp / 'local').mkdir()
        (tmp / 'local/manifest.json').write_text(json.dumps(manifest))
        self.data, self.tmp = tmp / 'data', tmp
        pcrs = self.enclave_files('enclave')
        self.enclave_files('another-enclave')
        subprocess.run([LOCAL, 'init', '-d', self.data, '-m', tmp / 'local/manifest.json', *(x for i in range(3) for x in ('--set', f'pcr{i}={pcrs[f"PCR{i}"]}'))], check=True, stdout=subprocess.DEVNULL)
        self.p = subprocess.Popen([LOCAL, 'serve', '-d', self.data, '--listen', 'tcp:127.0.0.1:0'], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.port = int(self.p.stdout.readline().split()[1])
        self.tls = ssl.create_default_context(cafile=str(self.data / 'tls/ca.pem'))
        self.n = 0

    def enclave_files(self, name):
        """A probe in an enclave's place; its configuration is a public key, and so each is measured otherwise. -> PCRs"""
        key = self.tmp / f'{name}.key'
        subprocess.run(['openssl', 'genpkey', '-algorithm', 'RSA', '-out', self.tmp / f'{name}.pem'], check=True, capture_output=True)
        subprocess.run(['openssl', 'pkey', '-in', self.tmp / f'{name}.pem', '-pubout', '-outform', 'DER', '-out', key], check=True, capture_output=True)
        (self.tmp / 'processor').write_bytes(b'none')
        out = subprocess.run([LOCAL, 'measure', '--enclave', PROBE, '--config', key, '--processor', self.tmp / 'processor'], check=True, capture_output=True).stdout
        return json.loads(out)

    def attestation(self, name):
        """The document that the hypervisor signs for that enclave."""
        log = self.tmp / f'{name}.log'
        body = json.dumps({'enclave': str(PROBE), 'config': str(self.tmp / f'{name}.key'), 'processor': str(self.tmp / 'processor'), 'log': str(log),
                           'role_arn': f'arn:aws:iam::{ACCOUNT}:role/coffer-consumer', 'instance_id': 'i-0123456789abcdef0'}).encode()
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(str(self.data / 'hypervisor.sock'))
            s.sendall(b'POST /enclaves HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b' % (len(body), body))
            got = b''
            while not whole(got):
                got += s.recv(65536)
        assert got.startswith(b'HTTP/1.1 201'), got
        until = time.monotonic() + 20
        while not (log.exists() and log.read_text().endswith('\n')):
            assert time.monotonic() < until, 'the probe said nothing'
            time.sleep(0.01)
        text = log.read_text().strip()
        assert ' ' not in text, text
        return text

    def env(self, name):
        return dict(line.split('=', 1) for line in (self.data / f'credentials/{name}.env').read_text().split())

    def close(self):
        self.p.kill()
        self.p.wait(20)
        self.p.stdout.close()

    def fresh(self):
        self.n += 1
        return f't/{self.n}'


def arn(key):
    return f'arn:aws:kms:us-east-1:{ACCOUNT}:key/{KEYS[key]}'


def b64(data):
    return base64.b64encode(data).decode()


def kms_calls(world):
    """Name -> body of the request for a key; every operation of KMS that takes a key."""
    blob, grantee = world.blobs, f'arn:aws:iam::{ACCOUNT}:role/coffer-owner'
    simple = ('DescribeKey', 'GetKeyPolicy', 'ListKeyPolicies', 'GetKeyRotationStatus', 'ListGrants', 'ListResourceTags', 'ListKeyRotations', 'EnableKeyRotation', 'DisableKeyRotation',
              'RotateKeyOnDemand', 'GetPublicKey')
    calls = {name: {} for name in simple}
    calls.update({
        'Encrypt': {'Plaintext': b64(b'x')}, 'Encrypt for a tenant': {'Plaintext': b64(b'x'), 'EncryptionContext': TENANT},
        'Decrypt': {'CiphertextBlob': blob}, 'Decrypt for a tenant': {'CiphertextBlob': blob, 'EncryptionContext': TENANT},
        'GenerateDataKey': {'KeySpec': 'AES_256'}, 'GenerateDataKey for a tenant': {'KeySpec': 'AES_256', 'EncryptionContext': TENANT},
        'GenerateDataKeyWithoutPlaintext': {'KeySpec': 'AES_256', 'EncryptionContext': TENANT},
        'GenerateDataKeyPair': {'KeyPairSpec': 'ECC_NIST_P256', 'EncryptionContext': TENANT},
        'GenerateDataKeyPairWithoutPlaintext': {'KeyPairSpec': 'ECC_NIST_P256', 'EncryptionContext': TENANT},
        'ReEncrypt': {'CiphertextBlob': blob, 'DestinationKeyId': '=', 'SourceEncryptionContext': TENANT, 'DestinationEncryptionContext': TENANT},
        'Sign': {'Message': b64(b'x'), 'SigningAlgorithm': 'ECDSA_SHA_256'}, 'Verify': {'Message': b64(b'x'), 'Signature': b64(bytes(70)), 'SigningAlgorithm': 'ECDSA_SHA_256'},
        'GenerateMac': {'Message': b64(b'x'), 'MacAlgorithm': 'HMAC_SHA_256'}, 'VerifyMac': {'Message': b64(b'x'), 'Mac': b64(bytes(32)), 'MacAlgorithm': 'HMAC_SHA_256'},
        'DeriveSharedSecret': {'KeyAgreementAlgorithm': 'ECDH', 'PublicKey': b64(bytes(91))},
        'CreateGrant': {'GranteePrincipal': grantee, 'Operations': ['Decrypt']}, 'RevokeGrant': {'GrantId': '0' * 64},
        'TagResource': {'Tags': [{'TagKey': 'a', 'TagValue': 'b'}]}, 'UntagResource': {'TagKeys': ['a']}, 'UpdateKeyDescription': {'Description': 'Coffer'},
        'PutKeyPolicy': {'Policy': None}, 'CreateAlias': {'AliasName': 'alias/another'}, 'UpdateAlias': {'AliasName': 'alias/coffer-data'},
        'DisableKey': {}, 'EnableKey': {}, 'ScheduleKeyDeletion': {'PendingWindowInDays': 7}, 'CancelKeyDeletion': {}})
    return calls


def ask_kms(who, name, body, key):
    operation = name.split()[0]
    member = {'CreateAlias': 'TargetKeyId', 'UpdateAlias': 'TargetKeyId', 'ReEncrypt': 'SourceKeyId'}.get(operation, 'KeyId')
    body = {member: arn(key), **body}
    if body.get('DestinationKeyId') == '=':
        body['DestinationKeyId'] = arn(key)
    if 'CiphertextBlob' in body:
        body['CiphertextBlob'] = body['CiphertextBlob'][key]
    if operation == 'PutKeyPolicy':
        body['Policy'] = who.world.policies[key]
    if operation in ('GetKeyPolicy', 'PutKeyPolicy'):
        body['PolicyName'] = 'default'
    return who.json('kms', f'TrentService.{operation}', body)


BUCKET_CALLS = {
    'GetBucketLocation': ('GET', 'location'), 'GetBucketVersioning': ('GET', 'versioning'), 'GetBucketEncryption': ('GET', 'encryption'), 'GetBucketPolicy': ('GET', 'policy'),
    'GetObjectLockConfiguration': ('GET', 'object-lock'), 'GetBucketTagging': ('GET', 'tagging'), 'GetBucketPolicyStatus': ('GET', 'policyStatus'),
    'GetPublicAccessBlock': ('GET', 'publicAccessBlock'), 'GetBucketOwnershipControls': ('GET', 'ownershipControls'), 'GetBucketAcl': ('GET', 'acl'),
    'ListObjectVersions': ('GET', 'versions'), 'ListMultipartUploads': ('GET', 'uploads'), 'HeadBucket': ('HEAD', ''),
    'PutBucketVersioning': ('PUT', 'versioning', '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'),
    'DeleteBucketEncryption': ('DELETE', 'encryption'),
    'PutBucketEncryption': ('PUT', 'encryption', '<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>'
                            '</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>'),
    'PutBucketPolicy': ('PUT', 'policy', None), 'DeleteBucketPolicy': ('DELETE', 'policy'),
    'PutObjectLockConfiguration': ('PUT', 'object-lock', '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>'),
    'PutBucketTagging': ('PUT', 'tagging', '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>'), 'DeleteBucketTagging': ('DELETE', 'tagging'),
    'PutPublicAccessBlock': ('PUT', 'publicAccessBlock', '<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>'),
    'DeletePublicAccessBlock': ('DELETE', 'publicAccessBlock'),
    'PutBucketOwnershipControls': ('PUT', 'ownershipControls', '<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>'),
    'PutBucketAcl': ('PUT', 'acl'), 'DeleteBucketOwnershipControls': ('DELETE', 'ownershipControls'),
    'DeleteBucket': ('DELETE', ''),
}


def ask_bucket(who, name):
    method, sub, *rest = BUCKET_CALLS[name]
    body = (rest[0] if rest[0] is not None else who.world.bucket_policy).encode() if rest else b''
    fields = {'content_md5': b64(hashlib.md5(body).digest())} if body else {'x_amz_acl': 'private'} if name == 'PutBucketAcl' else {}
    return who.send('s3', method, f'/{BUCKET}', body, f'{sub}=' if sub else '', **fields)


SSE_C = {'x_amz_server_side_encryption_customer_algorithm': 'AES256', 'x_amz_server_side_encryption_customer_key': b64(bytes(32)),
         'x_amz_server_side_encryption_customer_key_md5': b64(hashlib.md5(bytes(32)).digest())}
PARTS = b'<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"0"</ETag></Part></CompleteMultipartUpload>'
RETENTION = b'<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>'
# method, query, body, header fields; "fresh": under a key of its own
OBJECT_CALLS = {
    'GetObject': ('GET', '', b'', {}), 'HeadObject': ('HEAD', '', b'', {}), 'GetObjectTagging': ('GET', 'tagging=', b'', {}),
    'GetObjectAttributes': ('GET', 'attributes=', b'', {'x_amz_object_attributes': 'ETag'}), 'GetObjectRetention': ('GET', 'retention=', b'', {}),
    'GetObjectLegalHold': ('GET', 'legal-hold=', b'', {}), 'GetObjectAcl': ('GET', 'acl=', b'', {}), 'ListParts': ('GET', 'uploadId=UPLOAD', b'', {}),
    'PutObject': ('PUT', '', b'x', {}), 'PutObject once': ('PUT', '', b'x', {'if_none_match': '*', 'fresh': True}),
    'PutObject SSE-C': ('PUT', '', b'x', {**SSE_C, 'fresh': True}),
    'PutObject SSE-KMS': ('PUT', '', b'x', {'x_amz_server_side_encryption': 'aws:kms', 'x_amz_server_side_encryption_aws_kms_key_id': arn('storage'), 'fresh': True}),
    'PutObjectTagging': ('PUT', 'tagging=', b'<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>', {}), 'DeleteObjectTagging': ('DELETE', 'tagging=', b'', {}),
    'PutObjectRetention': ('PUT', 'retention=', RETENTION, {}), 'PutObjectLegalHold': ('PUT', 'legal-hold=', b'<LegalHold><Status>ON</Status></LegalHold>', {}),
    'PutObjectAcl': ('PUT', 'acl=', b'', {'x_amz_acl': 'private'}),
    'CreateMultipartUpload': ('POST', 'uploads=', b'', {'fresh': True}), 'UploadPart': ('PUT', 'partNumber=1&uploadId=UPLOAD', b'x', {}),
    'UploadPartCopy': ('PUT', 'partNumber=1&uploadId=UPLOAD', b'', {'x_amz_copy_source': 'self'}),
    'CompleteMultipartUpload': ('POST', 'uploadId=UPLOAD', PARTS, {}), 'CompleteMultipartUpload once': ('POST', 'uploadId=UPLOAD', PARTS, {'if_none_match': '*'}),
    'AbortMultipartUpload': ('DELETE', 'uploadId=none', b'', {}),
    'CopyObject': ('PUT', '', b'', {'x_amz_copy_source': 'self', 'fresh': True}), 'CopyObject once': ('PUT', '', b'', {'x_amz_copy_source': 'self', 'if_none_match': '*', 'fresh': True}),
    'DeleteObject': ('DELETE', '', b'', {'fresh': True}), 'DeleteObjectVersion': ('DELETE', 'versionId=VERSION', b'', {}), 'GetObjectVersion': ('GET', 'versionId=VERSION', b'', {}),
}


def ask_object(who, name, prefix):
    method, query, body, fields = OBJECT_CALLS[name]
    fields = dict(fields)
    path = f'/{BUCKET}/{prefix}/{who.world.fresh() if fields.pop("fresh", False) else "t/o"}'
    if fields.get('x_amz_copy_source') == 'self':
        fields['x_amz_copy_source'] = f'{BUCKET}/{prefix}/t/o'
    if body.startswith(b'<'):
        fields['content_md5'] = b64(hashlib.md5(body).digest())
    return who.send('s3', method, path, body, query.replace('VERSION', who.world.versions[prefix]).replace('UPLOAD', who.world.uploads[prefix]), **fields)


def ask_listing(who, name, prefix):
    query = {'all': '', 'empty': 'prefix='}.get(prefix, f'prefix={prefix}%2Ft%2F')
    return who.send('s3', 'GET', f'/{BUCKET}', b'', '&'.join(x for x in ('list-type=2' if name.endswith('V2') else '', query) if x))


def sqs_calls():
    calls = {name: {} for name in ('GetQueueUrl', 'ReceiveMessage', 'ListDeadLetterSourceQueues', 'ListQueueTags')}
    calls.update({'GetQueueAttributes': {'AttributeNames': ['All']}, 'SetQueueAttributes': {'Attributes': {'ReceiveMessageWaitTimeSeconds': '0'}},
        'SendMessage': {'MessageBody': 'x'}, 'SendMessageBatch': {'Entries': [{'Id': 'a', 'MessageBody': 'x'}]}, 'DeleteMessage': {'ReceiptHandle': 'none'},
        'DeleteMessageBatch': {'Entries': [{'Id': 'a', 'ReceiptHandle': 'none'}]}, 'ChangeMessageVisibility': {'ReceiptHandle': 'none', 'VisibilityTimeout': 0},
        'ChangeMessageVisibilityBatch': {'Entries': [{'Id': 'a', 'ReceiptHandle': 'none', 'VisibilityTimeout': 0}]}, 'TagQueue': {'Tags': {'a': 'b'}}, 'UntagQueue': {'TagKeys': ['a']},
        'AddPermission': {'Label': 'a', 'AWSAccountIds': [OTHER], 'Actions': ['SendMessage']}, 'RemovePermission': {'Label': 'a'}, 'StartMessageMoveTask': {}, 'ListMessageMoveTasks': {},
        'CancelMessageMoveTask': {}, 'PurgeQueue': {}, 'DeleteQueue': {}})
    return calls


def ask_sqs(who, name, body, queue):
    url = f'https://localhost:{who.world.port}/{ACCOUNT}/{QUEUES[queue]}'
    source = f'arn:aws:sqs:us-east-1:{ACCOUNT}:{QUEUES[queue]}'
    if name == 'CancelMessageMoveTask':
        more = {'TaskHandle': b64(json.dumps({'taskId': '00000000-0000-4000-8000-000000000000', 'sourceArn': source}).encode())}
    elif name.endswith('MoveTask') or name.endswith('MoveTasks'):
        more = {'SourceArn': source}
    elif name == 'GetQueueUrl':
        more = {'QueueName': QUEUES[queue], 'QueueOwnerAWSAccountId': ACCOUNT}
    else:
        more = {'QueueUrl': url}
    return who.json('sqs', f'AmazonSQS.{name}', {**body, **more})


def ask_sts(who, **form):
    body = '&'.join(f'{k}={v.replace(":", "%3A").replace("/", "%2F")}' for k, v in {'Version': '2011-06-15', **form}.items())
    return who.send('sts', 'POST', '/', body.encode(), content_type='application/x-www-form-urlencoded')


def table(world):
    """Every (kind, call, resource, how to ask)."""
    rows = []
    for name, body in kms_calls(world).items():
        for key in KEYS:
            rows.append(('kms', name, key, lambda who, n=name, b=body, k=key: ask_kms(who, n, b, k)))
    for name, body in (('CreateKey', {}), ('ListKeys', {}), ('ListAliases', {}), ('GenerateRandom', {'NumberOfBytes': 16}), ('DeleteAlias', {'AliasName': 'alias/coffer-data'})):
        rows.append(('kms', name, 'no key', lambda who, n=name, b=body: who.json('kms', f'TrentService.{n}', b)))
    for name in BUCKET_CALLS:
        rows.append(('bucket', name, 'bucket', lambda who, n=name: ask_bucket(who, n)))
    rows.append(('bucket', 'ListBuckets', 'no bucket', lambda who: who.send('s3', 'GET', '/')))
    rows.append(('bucket', 'CreateBucket', 'no bucket', lambda who: who.send('s3', 'PUT', '/another-bucket')))
    for name in ('ListObjects', 'ListObjectsV2'):
        for prefix in (*PREFIXES, 'all', 'empty'):
            rows.append(('listing', name, prefix, lambda who, n=name, p=prefix: ask_listing(who, n, p)))
    for name in OBJECT_CALLS:
        for prefix in PREFIXES:
            rows.append(('s3', name, prefix, lambda who, n=name, p=prefix: ask_object(who, n, p)))
    for name, body in sqs_calls().items():
        for queue in QUEUES:
            rows.append(('sqs', name, queue, lambda who, n=name, b=body, q=queue: ask_sqs(who, n, b, q)))
    rows.append(('sqs', 'ListQueues', 'no queue', lambda who: who.json('sqs', 'AmazonSQS.ListQueues', {})))
    rows.append(('sqs', 'CreateQueue', 'no queue', lambda who: who.json('sqs', 'AmazonSQS.CreateQueue', {'QueueName': 'another'})))
    for role in ROLES:
        rows.append(('sts', 'AssumeRole', role, lambda who, r=role: ask_sts(who, Action='AssumeRole', RoleArn=f'arn:aws:iam::{ACCOUNT}:role/coffer-{r}', RoleSessionName='sess')))
        rows.append(('sts', 'AssumeRoleWithWebIdentity', role, lambda who, r=role: ask_sts(who, Action='AssumeRoleWithWebIdentity', RoleSessionName='sess',
                     RoleArn=f'arn:aws:iam::{ACCOUNT}:role/coffer-{r}', WebIdentityToken=who.world.token)))
    for name, form in (('GetCallerIdentity', {}), ('GetSessionToken', {}), ('GetAccessKeyInfo', {'AccessKeyId': 'AKIAIOSFODNN7EXAMPLE'}), ('DecodeAuthorizationMessage', {'EncodedMessage': 'x'})):
        rows.append(('sts', name, 'account', lambda who, n=name, f=form: ask_sts(who, Action=n, **f)))
    return rows


def may(who, kind, call, resource):
    if who in ALWAYS.get((kind, call), ()):
        return True
    return any(call in calls and kind == k and resource in resources for calls, k, resources in MAY.get(who, ()))


DENIED = {'AccessDenied', 'AccessDeniedException'}
UNSIGNED = {'MissingAuthenticationTokenException', 'MissingAuthenticationToken'}


def denied(who, method_head, reply):
    if method_head:
        return reply.status == 403
    return reply.status in (400, 403) and (reply.code in DENIED or (who == 'anonymous' and reply.code in UNSIGNED))


def worked(call, reply):
    return 200 <= reply.status < 300 or reply.code == PERMITTED.get(call, '-')


def prepare(world):
    """Objects in every prefix, by those who may store them, ciphertexts, and what is put back again as it was."""
    by = {name: Identity(world, name) for name in (*ROLES, 'device', 'root')}
    writer = dict(zip(PREFIXES, ('producer', 'producer', 'consumer', 'consumer', 'consumer', 'deployer', 'device', 'root')))
    world.versions = {}
    for prefix, name in writer.items():
        reply = by[name].send('s3', 'PUT', f'/{BUCKET}/{prefix}/t/o', b'x', if_none_match='*')
        assert reply.status == 200, (prefix, reply)
        head = dict(line.split(': ', 1) for line in reply.head.decode().lower().split('\r\n')[1:])
        world.versions[prefix] = reply.head.decode().split('x-amz-version-id: ')[1].split('\r\n')[0] if 'x-amz-version-id' in head else 'null'
    world.policies = {k: json.loads(by['admin'].json('kms', 'TrentService.GetKeyPolicy', {'KeyId': arn(k), 'PolicyName': 'default'}).body)['Policy'] for k in KEYS}
    world.bucket_policy = by['admin'].send('s3', 'GET', f'/{BUCKET}', b'', 'policy=').body.decode()
    made = {'data': by['producer'].json('kms', 'TrentService.GenerateDataKey', {'KeyId': arn('data'), 'KeySpec': 'AES_256', 'EncryptionContext': TENANT}),
            'models': by['deployer'].json('kms', 'TrentService.GenerateDataKey', {'KeyId': arn('models'), 'KeySpec': 'AES_256', 'EncryptionContext': TENANT})}
    world.blobs = {k: json.loads(r.body)['CiphertextBlob'] for k, r in made.items()}
    # nobody without an enclave makes a data key under the results key, nobody past S3 one under that of storage: the administrator opens them for a moment
    everybody = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'AWS': [f'arn:aws:iam::{ACCOUNT}:root', f'arn:aws:iam::{ACCOUNT}:role/coffer-admin']}, 'Action': 'kms:*', 'Resource': '*'}]}
    for k in ('results', 'storage'):
        put = lambda text, k=k: by['admin'].json('kms', 'TrentService.PutKeyPolicy', {'KeyId': arn(k), 'PolicyName': 'default', 'Policy': text}).status
        assert put(json.dumps(everybody)) == 200
        world.blobs[k] = json.loads(by['root'].json('kms', 'TrentService.GenerateDataKey', {'KeyId': arn(k), 'KeySpec': 'AES_256', 'EncryptionContext': TENANT}).body)['CiphertextBlob']
        assert put(world.policies[k]) == 200
    world.uploads = {p: by[name].send('s3', 'POST', f'/{BUCKET}/{p}/t/o', b'', 'uploads=').body.split(b'<UploadId>')[1].split(b'<')[0].decode() for p, name in writer.items()}
    client = dict(line.split('=', 1) for line in (world.data / 'credentials/demo.oauth').read_text().split())
    body = '&'.join(f'{k}={v}' for k, v in {'grant_type': 'client_credentials', **client}.items()).encode()
    reply = Identity(world, 'anonymous').send('oauth', 'POST', '/oauth/token', body, content_type='application/x-www-form-urlencoded')
    world.token = json.loads(reply.body)['access_token']


def each_call(world, check, rows, counts):
    for name in WHO: # the administrator last: its calls change things
        who, wrong = Identity(world, name), []
        n = n_may = 0
        for kind, call, resource, ask in rows:
            if name == 'outsider' and resource in ('no key', 'no bucket', 'no queue', 'account'):
                continue # its own account's matter
            reply, expected = ask(who), may(name, kind, call, resource)
            n += 1
            n_may += expected
            counts[expected] += 1
            head = call in ('HeadObject', 'HeadBucket')
            if not (worked(call, reply) if expected else denied(name, head, reply)):
                wrong.append(f'{"may" if expected else "may not"}: {kind} {call} on {resource}: {reply!r}')
        check(f'{name}: {n_may} calls work, {n - n_may} are denied', not wrong, f'{len(wrong)} wrong\n' + '\n'.join(wrong))


def enclaves(world, check, rows, counts):
    """The consumer's credentials once more, with an attestation document: of the measured image, and of another."""
    for name in ('enclave', 'another-enclave'):
        who, wrong, n = Identity(world, 'consumer'), [], {True: 0, False: 0}
        who.recipient = world.attestation(name)
        for kind, call, resource, ask in rows:
            if kind != 'kms':
                continue
            reply, expected = ask(who), may(name, kind, call, resource)
            n[expected] += 1
            counts[expected] += 1
            sealed = b'"CiphertextForRecipient"' in reply.body and b'"Plaintext"' not in reply.body
            if not (worked(call, reply) and (sealed or reply.status != 200) if expected else denied(name, False, reply)):
                wrong.append(f'{"may" if expected else "may not"}: {call} on {resource}: {reply!r}')
        check(f'{name}: {n[True]} calls of KMS work, sealed for it alone, {n[False]} are denied', not wrong, '\n'.join(wrong))


def insider(world, check, rows, counts):
    """A user of the account to whom IAM allows everything: what the resources' own policies keep even from an IAM administrator."""
    who, wrong, n = Identity(world, 'insider'), [], 0
    machines = ('jobs', 'submissions', 'results')
    for kind, call, resource, ask in rows:
        reads, writes = call in ('GetObject', 'HeadObject', 'GetObjectVersion'), call.startswith(('PutObject ', 'CopyObject', 'UploadPart', 'CompleteMultipart', 'CreateMultipart')) or call == 'PutObject'
        never = (kind == 'kms' and resource in KEYS) or \
            (kind == 's3' and (reads and resource in machines or writes and resource in (*machines, 'receipts', 'status', 'models') or
                               call in ('DeleteObject', 'DeleteObjectVersion', 'PutObjectAcl') and resource in ('jobs', 'results', 'receipts', 'models'))) or \
            (kind == 'bucket' and call in ('PutBucketPolicy', 'DeleteBucketPolicy', 'PutBucketAcl', 'PutBucketVersioning', 'PutObjectLockConfiguration', 'PutBucketEncryption',
                                           'DeleteBucketEncryption', 'PutPublicAccessBlock', 'DeletePublicAccessBlock', 'DeleteBucket')) or \
            (kind == 'sqs' and call in ('ReceiveMessage', 'DeleteMessage', 'DeleteMessageBatch', 'ChangeMessageVisibility', 'ChangeMessageVisibilityBatch', 'PurgeQueue', 'DeleteQueue',
                                        'SetQueueAttributes', 'AddPermission', 'RemovePermission') or (kind, call, resource) in (('sqs', 'SendMessage', 'jobs'), ('sqs', 'SendMessageBatch', 'jobs'))) or \
            (call == 'AssumeRole' and resource in ('producer', 'consumer', 'deployer', 'admin'))
        if never:
            reply = ask(who)
            n += 1
            if not denied('insider', call in ('HeadObject',), reply):
                wrong.append(f'{kind} {call} on {resource}: {reply!r}')
    counts[False] += n
    check(f'whoever IAM allows everything in this account still may not: keys, jobs, results, settings ({n} calls)', n > 200 and not wrong, '\n'.join(wrong))


def without_tls(world, check, rows, counts):
    """The bucket and the queues take nothing over plain HTTP, not even from those who may."""
    wrong, n = [], 0
    for name in WHO:
        who = Identity(world, name, tls=False)
        for kind, call, resource, ask in rows:
            if kind in ('s3', 'listing', 'sqs', 'bucket') and may(name, kind, call, resource):
                reply = ask(who)
                n += 1
                if not denied(name, call in ('HeadObject', 'HeadBucket'), reply):
                    wrong.append(f'{name}: {kind} {call} on {resource}: {reply!r}')
    counts[False] += n
    check(f'what is permitted is refused without TLS ({n} calls)', n > 100 and not wrong, '\n'.join(wrong))


def totp(step):
    key = base64.b32decode(SECRET)
    mac = hmac.new(key, struct.pack('>Q', int(time.time()) // 30 + step), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f'{(int.from_bytes(mac[at:at + 4], "big") & 0x7fffffff) % 1000000:06d}'


def doors(world, check, counts):
    """Who may assume the roles: a person of the account, deployer and admin with a second factor, nobody those of machines."""
    person, serial = Identity(world, 'person'), f'arn:aws:iam::{ACCOUNT}:mfa/person'

    def assume(who, role, **more):
        counts[role in expected] += 1
        reply = ask_sts(who, Action='AssumeRole', RoleArn=f'arn:aws:iam::{ACCOUNT}:role/coffer-{role}', RoleSessionName='person', **more)
        return worked('AssumeRole', reply) if role in expected else denied('person', False, reply)
    expected = {'owner', 'auditor'}
    check('a person without a second factor assumes owner and auditor, and nothing else', all([assume(person, r) for r in ROLES]))
    expected = {'admin', 'deployer'}
    check('with a code also deployer', assume(person, 'deployer', SerialNumber=serial, TokenCode=totp(0)))
    reply = ask_sts(person, Action='AssumeRole', RoleArn=f'arn:aws:iam::{ACCOUNT}:role/coffer-admin', RoleSessionName='person', SerialNumber=serial, TokenCode=totp(1))
    check('... and admin', reply.status == 200, reply)
    part = lambda tag: reply.body.split(f'<{tag}>'.encode())[1].split(b'<')[0].decode()
    session = Identity(world, 'person')
    session.signer = Signer(part('AccessKeyId'), part('SecretAccessKey'), f'localhost:{world.port}', part('SessionToken'))
    counts[True] += 2
    counts[False] += 1
    check('whose session then works, as AWS makes it: without a second factor of its own',
          session.json('kms', 'TrentService.GetKeyPolicy', {'KeyId': arn('data'), 'PolicyName': 'default'}).status == 200 and
          denied('person', False, session.send('s3', 'GET', f'/{BUCKET}/jobs/t/o')))


def document():
    kinds = {'kms': ('KMS', 'key'), 's3': ('S3 objects', 'prefix'), 'listing': ('S3 listings', 'prefix'), 'bucket': ('S3 bucket', ''), 'sqs': ('SQS', 'queue')}
    lines = ['# Who may do what', '', 'Written by `tests/e2e/least_privilege_test.py --write`, which makes each of these calls as each identity on every resource, and sees',
             'that all others are denied. "enclave" is the consumer\'s credentials with an attestation document of the measured image.',
             '"once" is with `If-None-Match: *`: what must not be replaced. "for a tenant" is with an encryption context that names one.', '',
             '| identity | service | calls | on |', '|---|---|---|---|']
    for name in (*WHO[:5], 'enclave', *WHO[5:]):
        for calls, kind, resources in MAY.get(name, ()):
            every = {'kms': tuple(KEYS), 'sqs': tuple(QUEUES)}.get(kind)
            on = 'all keys' if resources == every and kind == 'kms' else 'both queues' if resources == every else 'the bucket' if kind == 'bucket' else \
                ', '.join('the whole bucket' if r == 'all' else 'the empty prefix' if r == 'empty' else f'`{r}/`' if kind in ('s3', 'listing') else r for r in resources)
            lines.append(f'| {name} | {kinds[kind][0]} | {", ".join(calls)} | {on} |')
    lines += ['', 'A user also opens sessions of its own (`GetSessionToken`), and everybody with credentials may ask who they are (`GetCallerIdentity`): AWS asks for no',
              'permission. Anonymous callers and other accounts may do nothing. Over plain HTTP nobody does anything with bucket and queues. People of the',
              'account assume owner and auditor, with a second factor deployer and admin; the roles of machines are EC2\'s.', '']
    return '\n'.join(lines)


def main():
    page = SOURCE / 'docs/roles.md'
    if '--write' in sys.argv:
        page.write_text(document())
        return 0
    import shutil, tempfile
    tmp = Path(tempfile.mkdtemp(prefix='coffer-test-'))
    check, counts, world = Checks(), {True: 0, False: 0}, None
    began = time.monotonic()
    try:
        world = World(tmp)
        prepare(world)
        rows = table(world)
        enclaves(world, check, rows, counts)
        each_call(world, check, rows, counts)
        insider(world, check, rows, counts)
        without_tls(world, check, rows, counts)
        doors(world, check, counts)
        check('docs/roles.md is what was checked', page.exists() and page.read_text() == document(), 'run this test with --write')
    finally:
        if world:
            world.close()
        shutil.rmtree(tmp, ignore_errors=True)
    print(f'# {sum(counts.values())} calls: {counts[True]} that work, {counts[False]} that are denied, in {time.monotonic() - began:.1f} s')
    return check.done()


sys.exit(main())
