#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local's KMS through boto3, which checks each answer's shape, and through the AWS CLI; public keys, signatures and shared
secrets are judged by the cryptography package where it is installed. Error codes must be those that botocore's model lists."""
import base64, json, shutil, subprocess, sys, threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'tools'))
from local import ACCOUNT, ALL, KEY, Checks, Local

try:
    import boto3, botocore
    from botocore.config import Config
    from botocore.exceptions import ClientError
except ImportError:
    print('1..0 # SKIP boto3 is not installed')
    sys.exit(0)
try:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
except ImportError:
    ec = None

check = Checks()
ANN, BOB = f'arn:aws:iam::{ACCOUNT}:user/ann', f'arn:aws:iam::{ACCOUNT}:user/bob'
# What every operation may answer ("Common Errors"), beside what the model lists for it.
COMMON = {'AccessDeniedException', 'ValidationException', 'SerializationException', 'NotAuthorizedException',
          'UnsupportedOperationException'}


def user(name, *statements):
    return {'name': name, 'policies': [{'name': 'p', 'document': {'Version': '2012-10-17', 'Statement': list(statements)}}] if statements else []}


def client(local, who, **more):
    e = local.env(who)
    return boto3.client('kms', endpoint_url=e['AWS_ENDPOINT_URL'], region_name='us-east-1', aws_access_key_id=e['AWS_ACCESS_KEY_ID'],
                        aws_secret_access_key=e['AWS_SECRET_ACCESS_KEY'], verify=e['AWS_CA_BUNDLE'],
                        config=Config(retries={'max_attempts': 0}, **more))


def refused(name, code, call, says='', **args):
    """Also: the model knows that code for that operation."""
    try:
        got = call(**args)
        check(name, False, f'answered {got}')
    except ClientError as e:
        error = e.response['Error']
        op = e.operation_name
        model = root.meta.service_model.operation_model(op)
        listed = {s.name for s in model.error_shapes} | COMMON
        check(name, error['Code'] == code and says in error['Message'] and code in listed, f'{error} {code} listed: {code in listed}')


def create(**args):
    return root.create_key(**args)['KeyMetadata']


def symmetric():
    ctx = {'tenant': 't', 'ä': 'ö "x"'}
    m = create(Description='d', Tags=[{'TagKey': 'a', 'TagValue': 'b'}])
    key = m['KeyId']
    check('CreateKey tells what it made', m['KeyState'] == 'Enabled' and m['KeySpec'] == 'SYMMETRIC_DEFAULT' and m['Enabled'] and m['Description'] == 'd'
          and m['KeyManager'] == 'CUSTOMER' and m['Arn'].endswith(key) and m['EncryptionAlgorithms'] == ['SYMMETRIC_DEFAULT'], m)
    check('DescribeKey says the same', root.describe_key(KeyId=m['Arn'])['KeyMetadata'] == m)
    blob = root.encrypt(KeyId=key, Plaintext=b'hello', EncryptionContext=ctx)['CiphertextBlob']
    got = root.decrypt(CiphertextBlob=blob, EncryptionContext=dict(reversed(ctx.items())))
    check('Encrypt, Decrypt; the order of the context does not matter', got['Plaintext'] == b'hello' and got['KeyId'] == m['Arn']
          and got['KeyMaterialId'] == m['CurrentKeyMaterialId'], got)
    refused('another context', 'InvalidCiphertextException', root.decrypt, CiphertextBlob=blob, EncryptionContext={'tenant': 'u'})
    refused('no context', 'InvalidCiphertextException', root.decrypt, CiphertextBlob=blob)
    refused('one bit is altered', 'InvalidCiphertextException', root.decrypt, CiphertextBlob=blob[:-1] + bytes([blob[-1] ^ 1]), EncryptionContext=ctx)
    refused('a blob of nobody', 'InvalidCiphertextException', root.decrypt, CiphertextBlob=b'x' * 100)
    refused('C-36 the caller pins another key', 'IncorrectKeyException', root.decrypt, CiphertextBlob=blob, EncryptionContext=ctx, KeyId=KEY)
    for spec, size in (({'KeySpec': 'AES_256'}, 32), ({'KeySpec': 'AES_128'}, 16), ({'NumberOfBytes': 1024}, 1024)):
        d = root.generate_data_key(KeyId=key, EncryptionContext=ctx, **spec)
        check(f'GenerateDataKey {spec}', len(d['Plaintext']) == size and
              root.decrypt(CiphertextBlob=d['CiphertextBlob'], EncryptionContext=ctx)['Plaintext'] == d['Plaintext'], d)
    d = root.generate_data_key_without_plaintext(KeyId=key, KeySpec='AES_256')
    check('GenerateDataKeyWithoutPlaintext', 'Plaintext' not in d and len(root.decrypt(CiphertextBlob=d['CiphertextBlob'])['Plaintext']) == 32)
    refused('both sizes', 'ValidationException', root.generate_data_key, KeyId=key, KeySpec='AES_256', NumberOfBytes=3)
    refused('no size', 'ValidationException', root.generate_data_key, KeyId=key)
    check('GenerateRandom', len(root.generate_random(NumberOfBytes=1024)['Plaintext']) == 1024)
    check('4096 bytes', root.decrypt(CiphertextBlob=root.encrypt(KeyId=key, Plaintext=b'x' * 4096)['CiphertextBlob'])['Plaintext'] == b'x' * 4096)
    other = create()['KeyId']
    again = root.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=ctx, DestinationKeyId=other, DestinationEncryptionContext={'n': 'm'})
    check('ReEncrypt', root.decrypt(CiphertextBlob=again['CiphertextBlob'], EncryptionContext={'n': 'm'}, KeyId=other)['Plaintext'] == b'hello'
          and again['SourceKeyId'] == m['Arn'] and again['KeyId'].endswith(other), again)
    refused('DryRun', 'DryRunOperationException', root.encrypt, KeyId=key, Plaintext=b'x', DryRun=True)
    refused('DryRun, Decrypt', 'DryRunOperationException', root.decrypt, CiphertextBlob=blob, EncryptionContext=ctx, DryRun=True)


def wordings():
    refused('too long', 'ValidationException', loose.encrypt, KeyId=KEY, Plaintext=b'x' * 4097, says=
            "1 validation error detected: Value at 'plaintext' failed to satisfy "
            "constraint: Member must have length less than or equal to 4096")
    refused('two violations', 'ValidationException', loose.encrypt, says=
            "2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null; Value null at 'plaintext'")
    refused('an enum', 'ValidationException', loose.generate_data_key, KeyId=KEY, KeySpec='AES_257', says=
            "Value 'AES_257' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]")
    refused('a pattern', 'ValidationException', loose.create_alias, AliasName='alias/a b', TargetKeyId=KEY, says=
            "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$")
    refused('a range', 'ValidationException', loose.generate_random, NumberOfBytes=1025, says='Member must have value less than or equal to 1024')
    refused('a blob of 6145 bytes', 'ValidationException', loose.decrypt, CiphertextBlob=b'x' * 6145, says='less than or equal to 6144')
    for name, key, code, says in (
            ('no such key', '00000000-1111-4222-8333-444444444444', 'NotFoundException', f"Key 'arn:aws:kms:us-east-1:{ACCOUNT}:key/00000000-1111-4222-8333-444444444444' does not exist"),
            ('no key id', 'nonsense', 'NotFoundException', "Invalid keyId 'nonsense'"),
            ('no such alias', 'alias/none', 'NotFoundException', f'Alias arn:aws:kms:us-east-1:{ACCOUNT}:alias/none is not found.'),
            ('another region', KEY.replace('us-east-1', 'eu-west-1'), 'NotFoundException', 'Invalid arn eu-west-1'),
            ('another account', KEY.replace(ACCOUNT, '999999999999'), 'AccessDeniedException', 'because the resource does not exist in this Region'),
            ('no ARN of KMS', 'arn:aws:s3:::bucket', 'InvalidArnException', 'Invalid arn')):
        refused(f'DescribeKey: {name}', code, root.describe_key, KeyId=key, says=says)
    refused('an alias where none is taken', 'NotFoundException', root.enable_key, KeyId='alias/none')


    mac = create(KeySpec='HMAC_224', KeyUsage='GENERATE_VERIFY_MAC')['KeyId']
    tags = lambda *names: [{'TagKey': n, 'TagValue': ''} for n in names]
    blob = root.encrypt(KeyId=KEY, Plaintext=b'x')['CiphertextBlob']
    for name, code, says, call, args in (
            ('no bytes asked for', 'ValidationException', 'NumberOfBytes is required.', root.generate_random, {}),
            ('an HMAC of another size', 'InvalidKeyUsageException', 'Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_224.', root.generate_mac,
             {'KeyId': mac, 'Message': b'x', 'MacAlgorithm': 'HMAC_SHA_256'}),
            ('a ciphertext of another kind of key', 'IncorrectKeyException', 'does not identify a CMK that can perform this operation.', root.decrypt,
             {'KeyId': mac, 'CiphertextBlob': blob}),
            ('a usage that the spec has not', 'ValidationException', 'KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048', root.create_key,
             {'KeySpec': 'RSA_2048', 'KeyUsage': 'KEY_AGREEMENT'}),
            ('a tag twice', 'TagException', 'Duplicate tag keys', root.create_key, {'Tags': tags('a', 'a')}),
            ('51 tags', 'TagException', 'Too many tags', root.create_key, {'Tags': tags(*(f'n{i}' for i in range(51)))}),
            ('a tag of AWS', 'TagException', 'Tags beginning with aws: are reserved', root.create_key, {'Tags': tags('aws:x')})):
        refused(name, code, call, says=says, **args)
    try:
        root.decrypt(KeyId=KEY, CiphertextBlob=blob, EncryptionContext={'a': 'b'})
    except ClientError as e:
        check('nothing to say is no member', e.response['Error']['Message'] == '' and 'message' not in e.response, e.response)
    key = create()
    check('RotateKeyOnDemand tells the ARN', root.rotate_key_on_demand(KeyId=key['KeyId'])['KeyId'] == key['Arn'])


def asymmetric():
    for spec, algorithms in (('RSA_2048', ['RSASSA_PSS_SHA_256', 'RSASSA_PSS_SHA_384', 'RSASSA_PSS_SHA_512', 'RSASSA_PKCS1_V1_5_SHA_256',
                                           'RSASSA_PKCS1_V1_5_SHA_384', 'RSASSA_PKCS1_V1_5_SHA_512']),
                             ('ECC_NIST_P256', ['ECDSA_SHA_256']), ('ECC_NIST_P384', ['ECDSA_SHA_384']),
                             ('ECC_NIST_P521', ['ECDSA_SHA_512']), ('ECC_SECG_P256K1', ['ECDSA_SHA_256'])):
        m = create(KeySpec=spec, KeyUsage='SIGN_VERIFY')
        key = m['KeyId']
        check(f'{spec}: its algorithms', sorted(m['SigningAlgorithms']) == sorted(algorithms), m)
        public = root.get_public_key(KeyId=key)
        peer = serialization.load_der_public_key(public['PublicKey']) if ec else None
        for alg in algorithms:
            bits = alg[-3:]
            h = {'256': 'SHA256', '384': 'SHA384', '512': 'SHA512'}[bits]
            s = root.sign(KeyId=key, Message=b'message', SigningAlgorithm=alg)['Signature']
            ok = root.verify(KeyId=key, Message=b'message', Signature=s, SigningAlgorithm=alg)['SignatureValid']
            if ec:
                d = hashes.Hash(getattr(hashes, h)())
                d.update(b'message')
                digest = d.finalize()
                ok = ok and root.verify(KeyId=key, Message=digest, MessageType='DIGEST', Signature=s, SigningAlgorithm=alg)['SignatureValid']
                hh = getattr(hashes, h)()
                try:
                    if spec.startswith('ECC'):
                        peer.verify(s, b'message', ec.ECDSA(hh))
                    elif 'PSS' in alg:
                        peer.verify(s, b'message', padding.PSS(padding.MGF1(hh), hh.digest_size), hh)
                    else:
                        peer.verify(s, b'message', padding.PKCS1v15(), hh)
                except Exception as e:
                    ok = repr(e) == ''
            check(f'{spec} {alg}: signed, verified here and elsewhere', ok)
            refused(f'{spec} {alg}: another message', 'KMSInvalidSignatureException', root.verify, KeyId=key, Message=b'massage', Signature=s,
                    SigningAlgorithm=alg)
        refused(f'{spec}: a digest of another size', 'ValidationException', root.sign, KeyId=key, Message=b'x' * 20, MessageType='DIGEST',
                SigningAlgorithm=algorithms[0], says='Digest is invalid length')
        refused(f'{spec}: an algorithm of others', 'InvalidKeyUsageException', root.sign, KeyId=key, Message=b'x', SigningAlgorithm=
                'ECDSA_SHA_256' if spec == 'RSA_2048' else 'RSASSA_PSS_SHA_256', says='are incompatible')
        refused(f'{spec}: no encryption', 'InvalidKeyUsageException', root.encrypt, KeyId=key, Plaintext=b'x', says='SIGN_VERIFY which is not valid for Encrypt')
    m = create(KeySpec='RSA_2048', KeyUsage='ENCRYPT_DECRYPT')
    key = m['KeyId']
    for alg, most in (('RSAES_OAEP_SHA_1', 214), ('RSAES_OAEP_SHA_256', 190)):
        blob = root.encrypt(KeyId=key, Plaintext=b'x' * most, EncryptionAlgorithm=alg)['CiphertextBlob']
        check(f'RSA {alg}', root.decrypt(KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm=alg)['Plaintext'] == b'x' * most)
        refused(f'RSA {alg}: too much', 'ValidationException', root.encrypt, KeyId=key, Plaintext=b'x' * (most + 1), EncryptionAlgorithm=alg,
                says=f'cannot encrypt data larger than {most} bytes')
    refused('RSA: altered', 'InvalidCiphertextException', root.decrypt, KeyId=key, CiphertextBlob=blob[:-1] + b'\0', EncryptionAlgorithm=alg)
    refused('RSA: no data keys', 'InvalidKeyUsageException', root.generate_data_key, KeyId=key, KeySpec='AES_256')
    refused('no public half', 'UnsupportedOperationException', root.get_public_key, KeyId=KEY)
    refused('a spec without usage', 'ValidationException', root.create_key, KeySpec='RSA_2048')
    refused('a usage that does not fit', 'ValidationException', root.create_key, KeySpec='HMAC_256', KeyUsage='SIGN_VERIFY')
    refused('a spec that is not made', 'UnsupportedOperationException', root.create_key, KeySpec='ML_DSA_44', KeyUsage='SIGN_VERIFY')
    for bits in ('224', '256', '384', '512'):
        key, alg = create(KeySpec=f'HMAC_{bits}', KeyUsage='GENERATE_VERIFY_MAC')['KeyId'], f'HMAC_SHA_{bits}'
        mac = root.generate_mac(KeyId=key, Message=b'm', MacAlgorithm=alg)['Mac']
        check(f'{alg}', len(mac) == int(bits) // 8 and root.verify_mac(KeyId=key, Message=b'm', Mac=mac, MacAlgorithm=alg)['MacValid'])
        refused(f'{alg}: another message', 'KMSInvalidMacException', root.verify_mac, KeyId=key, Message=b'n', Mac=mac, MacAlgorithm=alg)
    for spec, curve in (('ECC_NIST_P256', 'SECP256R1'), ('ECC_NIST_P384', 'SECP384R1'), ('ECC_NIST_P521', 'SECP521R1')):
        if not ec:
            check.skip(f'{spec}: agreement', 'no cryptography package')
            continue
        key, mine = create(KeySpec=spec, KeyUsage='KEY_AGREEMENT')['KeyId'], ec.generate_private_key(getattr(ec, curve)())
        theirs = serialization.load_der_public_key(root.get_public_key(KeyId=key)['PublicKey'])
        spki = mine.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        got = root.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm='ECDH', PublicKey=spki)
        check(f'{spec}: both sides agree', got['SharedSecret'] == mine.exchange(ec.ECDH(), theirs), got)
        refused(f'{spec}: no public key', 'ValidationException', root.derive_shared_secret, KeyId=key, KeyAgreementAlgorithm='ECDH', PublicKey=b'x')
    for spec in ('RSA_2048', 'ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521', 'ECC_SECG_P256K1'):
        p = root.generate_data_key_pair(KeyId=KEY, KeyPairSpec=spec, EncryptionContext={'a': 'b'})
        ok = root.decrypt(CiphertextBlob=p['PrivateKeyCiphertextBlob'], EncryptionContext={'a': 'b'})['Plaintext'] == p['PrivateKeyPlaintext']
        if ec and ok:
            ok = serialization.load_der_private_key(p['PrivateKeyPlaintext'], None).public_key() == serialization.load_der_public_key(p['PublicKey'])
        check(f'GenerateDataKeyPair {spec}', ok)
    p = root.generate_data_key_pair_without_plaintext(KeyId=KEY, KeyPairSpec='ECC_NIST_P256')
    check('GenerateDataKeyPairWithoutPlaintext', 'PrivateKeyPlaintext' not in p and p['PrivateKeyCiphertextBlob'] and p['PublicKey'])


def life():
    key = create()['KeyId']
    arn = root.describe_key(KeyId=key)['KeyMetadata']['Arn']
    blob = root.encrypt(KeyId=key, Plaintext=b'x')['CiphertextBlob']
    root.disable_key(KeyId=key)
    refused('C-37 disabled', 'DisabledException', root.decrypt, CiphertextBlob=blob, says=f'{arn} is disabled.')
    root.enable_key(KeyId=key)
    check('enabled again', root.decrypt(CiphertextBlob=blob)['Plaintext'] == b'x')
    refused('a window of 6 days', 'ValidationException', root.schedule_key_deletion, KeyId=key, PendingWindowInDays=6)
    got = root.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    check('ScheduleKeyDeletion', got['KeyState'] == 'PendingDeletion' and got['PendingWindowInDays'] == 7 and got['KeyId'] == arn, got)
    for name, call, args in (('Encrypt', root.encrypt, {'Plaintext': b'x'}), ('EnableKey', root.enable_key, {}),
                             ('ScheduleKeyDeletion', root.schedule_key_deletion, {}), ('TagResource', root.tag_resource, {'Tags': []})):
        refused(f'C-37 pending deletion: {name}', 'KMSInvalidStateException', call, KeyId=key, says=f'{arn} is pending deletion.', **args)
    root.cancel_key_deletion(KeyId=key)
    check('a deletion that is cancelled leaves a disabled key', root.describe_key(KeyId=key)['KeyMetadata']['KeyState'] == 'Disabled')
    refused('nothing to cancel', 'KMSInvalidStateException', root.cancel_key_deletion, KeyId=key)
    root.enable_key(KeyId=key)
    root.update_key_description(KeyId=key, Description='new')
    check('UpdateKeyDescription', root.describe_key(KeyId=key)['KeyMetadata']['Description'] == 'new')
    root.tag_resource(KeyId=key, Tags=[{'TagKey': f't{i}', 'TagValue': str(i)} for i in range(5)])
    root.untag_resource(KeyId=key, TagKeys=['t0', 'none'])
    page = root.list_resource_tags(KeyId=key, Limit=3)
    rest = root.list_resource_tags(KeyId=key, Limit=3, Marker=page['NextMarker'])
    check('tags in pages', [t['TagKey'] for t in page['Tags'] + rest['Tags']] == ['t1', 't2', 't3', 't4'] and not rest['Truncated'], (page, rest))
    refused('aws: tags', 'TagException', root.tag_resource, KeyId=key, Tags=[{'TagKey': 'aws:x', 'TagValue': ''}])
    ids = {k['KeyId'] for p in root.get_paginator('list_keys').paginate(PaginationConfig={'PageSize': 3}) for k in p['Keys']}
    check('ListKeys in pages', key in ids and KEY.split('/')[1] in ids and len(ids) > 10, ids)


def aliases():
    one, two, pair = create()['KeyId'], create()['KeyId'], create(KeySpec='ECC_NIST_P256', KeyUsage='SIGN_VERIFY')['KeyId']
    root.create_alias(AliasName='alias/a/b', TargetKeyId=one)
    refused('an alias twice', 'AlreadyExistsException', root.create_alias, AliasName='alias/a/b', TargetKeyId=two,
            says=f'An alias with the name arn:aws:kms:us-east-1:{ACCOUNT}:alias/a/b already exists')
    blob = root.encrypt(KeyId='alias/a/b', Plaintext=b'x')['CiphertextBlob']
    check('a key by its alias', root.describe_key(KeyId=f'arn:aws:kms:us-east-1:{ACCOUNT}:alias/a/b')['KeyMetadata']['KeyId'] == one)
    root.update_alias(AliasName='alias/a/b', TargetKeyId=two)
    check('an alias that moved', root.describe_key(KeyId='alias/a/b')['KeyMetadata']['KeyId'] == two)
    refused('C-04 C-36 a blob of the key that the alias named before', 'IncorrectKeyException', root.decrypt, CiphertextBlob=blob, KeyId='alias/a/b')
    refused('to a key of another kind', 'ValidationException', root.update_alias, AliasName='alias/a/b', TargetKeyId=pair)
    refused('without alias/', 'ValidationException', root.create_alias, AliasName='a', TargetKeyId=one)
    refused("AWS's own", 'NotAuthorizedException', root.create_alias, AliasName='alias/aws/x', TargetKeyId=one)
    for i in range(3):
        root.create_alias(AliasName=f'alias/n{i}', TargetKeyId=one)
    got = [a['AliasName'] for p in root.get_paginator('list_aliases').paginate(KeyId=one, PaginationConfig={'PageSize': 2}) for a in p['Aliases']]
    check('ListAliases of a key, in pages', got == ['alias/n0', 'alias/n1', 'alias/n2'], got)
    root.delete_alias(AliasName='alias/n1')
    refused('an alias that is gone', 'NotFoundException', root.delete_alias, AliasName='alias/n1', says='alias/n1 is not found.')
    check('the key that AWS manages for S3 is there when it is asked for', root.describe_key(KeyId='alias/aws/s3')['KeyMetadata']['KeyManager'] == 'AWS')
    refused('and only S3 uses it', 'AccessDeniedException', root.encrypt, KeyId='alias/aws/s3', Plaintext=b'x')
    refused('a marker of nobody', 'InvalidMarkerException', root.list_aliases, Marker='!!')


def rotation():
    key = create()['KeyId']
    check('rotation is off at first', root.get_key_rotation_status(KeyId=key)['KeyRotationEnabled'] is False)
    root.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    got = root.get_key_rotation_status(KeyId=key)
    check('GetKeyRotationStatus', got['KeyRotationEnabled'] and got['RotationPeriodInDays'] == 90 and got['NextRotationDate'], got)
    blobs = [root.encrypt(KeyId=key, Plaintext=b'0')['CiphertextBlob']]
    for i in (1, 2):
        root.rotate_key_on_demand(KeyId=key)
        blobs.append(root.encrypt(KeyId=key, Plaintext=b'%d' % i)['CiphertextBlob'])
    opened = [root.decrypt(CiphertextBlob=b) for b in blobs]
    check('blobs of each version open', [o['Plaintext'] for o in opened] == [b'0', b'1', b'2'])
    listed = root.list_key_rotations(KeyId=key, IncludeKeyMaterial='ALL_KEY_MATERIAL')['Rotations']
    check('and name theirs', [o['KeyMaterialId'] for o in opened] == [r['KeyMaterialId'] for r in listed], listed)
    check('ListKeyRotations', [r['RotationType'] for r in root.list_key_rotations(KeyId=key)['Rotations']] == ['ON_DEMAND'] * 2)
    root.disable_key_rotation(KeyId=key)
    check('off again', not root.get_key_rotation_status(KeyId=key)['KeyRotationEnabled'])
    pair = create(KeySpec='ECC_NIST_P256', KeyUsage='SIGN_VERIFY')['KeyId']
    refused('pairs do not rotate', 'UnsupportedOperationException', root.enable_key_rotation, KeyId=pair)
    check('and say so', root.get_key_rotation_status(KeyId=pair)['KeyRotationEnabled'] is False)
    refused('a period of 89 days', 'ValidationException', loose.enable_key_rotation, KeyId=key, RotationPeriodInDays=89)


def policies():
    m = create()
    key, text = m['KeyId'], root.get_key_policy(KeyId=m['KeyId'])['Policy']
    check('the default policy delegates to the account', json.loads(text)['Statement'][0]['Principal'] == {'AWS': f'arn:aws:iam::{ACCOUNT}:root'}, text)
    check('ListKeyPolicies', root.list_key_policies(KeyId=key)['PolicyNames'] == ['default'])

    def policy(principal, action='kms:*', **more):
        return json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'AWS': principal}, 'Action': action, 'Resource': '*', **more}]})
    refused('a policy that locks out', 'MalformedPolicyDocumentException', root.put_key_policy, KeyId=key, Policy=policy(ANN),
            says='The new key policy will not allow you to update the key policy in the future.')
    refused('nobody of that name', 'MalformedPolicyDocumentException', root.put_key_policy, KeyId=key,
            Policy=policy(f'arn:aws:iam::{ACCOUNT}:user/none'), BypassPolicyLockoutSafetyCheck=True, says='one or more invalid principals')
    refused('no JSON', 'MalformedPolicyDocumentException', root.put_key_policy, KeyId=key, Policy='{')
    refused('another name', 'NotFoundException', root.get_key_policy, KeyId=key, PolicyName='other')
    root.put_key_policy(KeyId=key, Policy=policy(ANN), BypassPolicyLockoutSafetyCheck=True)
    refused('after a bypass the account is out', 'AccessDeniedException', root.describe_key, KeyId=key)
    check('and the one named is in', ann.describe_key(KeyId=key)['KeyMetadata']['KeyId'] == key)
    refused('created with a policy that locks out', 'MalformedPolicyDocumentException', root.create_key, Policy=policy(ANN, 'kms:Encrypt'))

    admin = json.loads(policy(f'arn:aws:iam::{ACCOUNT}:root'))['Statement']

    def conditioned(action, **condition):
        k = create(Policy=json.dumps({'Version': '2012-10-17', 'Statement': [*admin, {'Effect': 'Allow', 'Principal': {'AWS': BOB}, 'Action': action,
                                                                                     'Resource': '*', 'Condition': condition}]}))
        return k['KeyId']
    k = conditioned('kms:*', StringEquals={'kms:EncryptionContext:tenant': 'a'})
    check('kms:EncryptionContext', bob.encrypt(KeyId=k, Plaintext=b'x', EncryptionContext={'tenant': 'a', 'b': 'c'})['KeyId'])
    refused('kms:EncryptionContext, another', 'AccessDeniedException', bob.encrypt, KeyId=k, Plaintext=b'x', EncryptionContext={'tenant': 'b'})
    k = conditioned('kms:*', **{'ForAllValues:StringEquals': {'kms:EncryptionContextKeys': ['a', 'b']}, 'Null': {'kms:EncryptionContextKeys': 'false'}})
    check('kms:EncryptionContextKeys', bob.encrypt(KeyId=k, Plaintext=b'x', EncryptionContext={'a': '1'})['KeyId'])
    refused('kms:EncryptionContextKeys, another', 'AccessDeniedException', bob.encrypt, KeyId=k, Plaintext=b'x', EncryptionContext={'a': '1', 'c': '1'})
    k = conditioned('kms:*', StringEquals={'kms:RequestAlias': 'alias/req'})
    root.create_alias(AliasName='alias/req', TargetKeyId=k)
    check('kms:RequestAlias', bob.encrypt(KeyId='alias/req', Plaintext=b'x')['KeyId'].endswith(k))
    refused('kms:RequestAlias, by id', 'AccessDeniedException', bob.encrypt, KeyId=k, Plaintext=b'x')
    k = conditioned('kms:*', **{'ForAnyValue:StringLike': {'kms:ResourceAliases': 'alias/res*'}})
    refused('kms:ResourceAliases, none yet', 'AccessDeniedException', bob.encrypt, KeyId=k, Plaintext=b'x')
    root.create_alias(AliasName='alias/res1', TargetKeyId=k)
    check('kms:ResourceAliases', bob.encrypt(KeyId=k, Plaintext=b'x')['KeyId'].endswith(k))
    k = conditioned('kms:ScheduleKeyDeletion', NumericGreaterThanEquals={'kms:ScheduleKeyDeletionPendingWindowInDays': '14'})
    refused('kms:ScheduleKeyDeletionPendingWindowInDays', 'AccessDeniedException', bob.schedule_key_deletion, KeyId=k, PendingWindowInDays=7)
    check('and long enough', bob.schedule_key_deletion(KeyId=k, PendingWindowInDays=14)['KeyState'] == 'PendingDeletion')
    k = conditioned('kms:*', Bool={'kms:ReEncryptOnSameKey': 'true'})
    blob = root.encrypt(KeyId=k, Plaintext=b'x')['CiphertextBlob']
    check('kms:ReEncryptOnSameKey', bob.re_encrypt(CiphertextBlob=blob, DestinationKeyId=k, DestinationEncryptionContext={'a': 'b'})['KeyId'].endswith(k))
    other = conditioned('kms:*', StringEquals={'kms:KeySpec': 'SYMMETRIC_DEFAULT', 'kms:KeyUsage': 'ENCRYPT_DECRYPT', 'kms:CallerAccount': ACCOUNT,
                                               'kms:KeyOrigin': 'AWS_KMS', 'kms:EncryptionAlgorithm': 'SYMMETRIC_DEFAULT'})
    refused('kms:ReEncryptOnSameKey, to another', 'AccessDeniedException', bob.re_encrypt, CiphertextBlob=blob, DestinationKeyId=other)
    check('kms:KeySpec, KeyUsage, CallerAccount, KeyOrigin, EncryptionAlgorithm', bob.encrypt(KeyId=other, Plaintext=b'x')['KeyId'].endswith(other))
    rsa, oaep = 'RSA_2048', 'RSAES_OAEP_SHA_256'
    k = create(KeySpec=rsa, KeyUsage='ENCRYPT_DECRYPT', Policy=json.dumps({'Version': '2012-10-17', 'Statement': [*admin, {
        'Effect': 'Allow', 'Principal': {'AWS': BOB}, 'Action': 'kms:*', 'Resource': '*', 'Condition': {'Bool': {'kms:ReEncryptOnSameKey': 'true'}}}]}))['KeyId']
    blob = root.encrypt(KeyId=k, Plaintext=b'x', EncryptionAlgorithm=oaep)['CiphertextBlob']
    check('kms:ReEncryptOnSameKey, RSA', bob.re_encrypt(CiphertextBlob=blob, SourceKeyId=k, SourceEncryptionAlgorithm=oaep, DestinationKeyId=k,
                                                        DestinationEncryptionAlgorithm='RSAES_OAEP_SHA_1')['KeyId'].endswith(k))
    refused('kms:ViaService: the caller is no service', 'AccessDeniedException', bob.encrypt,
            KeyId=conditioned('kms:*', StringLike={'kms:ViaService': '*'}), Plaintext=b'x')
    k = create(KeySpec='ECC_NIST_P256', KeyUsage='SIGN_VERIFY', Policy=json.dumps({'Version': '2012-10-17', 'Statement': [*admin, {
        'Effect': 'Allow', 'Principal': {'AWS': BOB}, 'Action': 'kms:Sign', 'Resource': '*',
        'Condition': {'StringEquals': {'kms:MessageType': 'DIGEST', 'kms:SigningAlgorithm': 'ECDSA_SHA_256'}}}]}))['KeyId']
    check('kms:MessageType, kms:SigningAlgorithm', bob.sign(KeyId=k, Message=b'x' * 32, MessageType='DIGEST', SigningAlgorithm='ECDSA_SHA_256')['Signature'])
    refused('kms:MessageType, another', 'AccessDeniedException', bob.sign, KeyId=k, Message=b'x' * 32, SigningAlgorithm='ECDSA_SHA_256')
    k = create(Tags=[{'TagKey': 'team', 'TagValue': 'blue'}], Policy=json.dumps({'Version': '2012-10-17', 'Statement': [*admin, {
        'Effect': 'Allow', 'Principal': {'AWS': BOB}, 'Action': 'kms:Encrypt', 'Resource': '*',
        'Condition': {'StringEquals': {'aws:ResourceTag/team': 'blue'}}}]}))['KeyId']
    check('aws:ResourceTag', bob.encrypt(KeyId=k, Plaintext=b'x')['KeyId'].endswith(k))
    root.tag_resource(KeyId=k, Tags=[{'TagKey': 'team', 'TagValue': 'red'}])
    refused('aws:ResourceTag, another', 'AccessDeniedException', bob.encrypt, KeyId=k, Plaintext=b'x')


def grants():
    key, ctx = create()['KeyId'], {'tenant': 'a'}
    blob = root.encrypt(KeyId=key, Plaintext=b'x', EncryptionContext=ctx)['CiphertextBlob']
    refused('without a grant', 'AccessDeniedException', bob.decrypt, CiphertextBlob=blob, EncryptionContext=ctx)
    g = root.create_grant(KeyId=key, GranteePrincipal=BOB, RetiringPrincipal=ANN, Operations=['Decrypt', 'CreateGrant', 'DescribeKey'],
                          Constraints={'EncryptionContextSubset': ctx}, Name='n')
    same = root.create_grant(KeyId=key, GranteePrincipal=BOB, RetiringPrincipal=ANN, Operations=['Decrypt', 'CreateGrant', 'DescribeKey'],
                             Constraints={'EncryptionContextSubset': ctx}, Name='n')
    check('a named grant is made once', same['GrantId'] == g['GrantId'])
    check('a grant allows', bob.decrypt(CiphertextBlob=blob, EncryptionContext=ctx, GrantTokens=[g['GrantToken']])['Plaintext'] == b'x')
    check('also what has no context', bob.describe_key(KeyId=key)['KeyMetadata']['KeyId'] == key)
    refused('what it does not name', 'AccessDeniedException', bob.encrypt, KeyId=key, Plaintext=b'x', EncryptionContext=ctx)
    other = root.encrypt(KeyId=key, Plaintext=b'x', EncryptionContext={'tenant': 'b'})['CiphertextBlob']
    refused('under another context', 'AccessDeniedException', bob.decrypt, CiphertextBlob=other, EncryptionContext={'tenant': 'b'})
    refused('a grant of more than one has', 'AccessDeniedException', bob.create_grant, KeyId=key, GranteePrincipal=ANN, Operations=['Encrypt'],
            Constraints={'EncryptionContextEquals': ctx})
    refused('a grant bound less tightly', 'AccessDeniedException', bob.create_grant, KeyId=key, GranteePrincipal=ANN, Operations=['Decrypt'])
    child = bob.create_grant(KeyId=key, GranteePrincipal=ANN, Operations=['Decrypt'], Constraints={'EncryptionContextEquals': ctx})
    check('a grant under a grant', ann.decrypt(CiphertextBlob=blob, EncryptionContext=ctx)['Plaintext'] == b'x')
    more = root.encrypt(KeyId=key, Plaintext=b'x', EncryptionContext=ctx | {'b': 'c'})['CiphertextBlob']
    refused('EncryptionContextEquals takes no more', 'AccessDeniedException', ann.decrypt, CiphertextBlob=more, EncryptionContext=ctx | {'b': 'c'})
    listed = root.list_grants(KeyId=key)['Grants']
    check('ListGrants', {x['GrantId'] for x in listed} == {g['GrantId'], child['GrantId']} and
          [x for x in listed if x.get('Name') == 'n'][0]['Constraints'] == {'EncryptionContextSubset': ctx}, listed)
    check('ListGrants of one grantee', [x['GrantId'] for x in root.list_grants(KeyId=key, GranteePrincipal=ANN)['Grants']] == [child['GrantId']])
    check('ListRetirableGrants', [x['GrantId'] for x in root.list_retirable_grants(RetiringPrincipal=ANN)['Grants']] == [g['GrantId']])
    refused('no right to retire', 'AccessDeniedException', bob.retire_grant, GrantToken=g['GrantToken'])
    refused('DryRun of a retirement', 'DryRunOperationException', ann.retire_grant, GrantToken=g['GrantToken'], DryRun=True)
    ann.retire_grant(GrantToken=g['GrantToken'])
    refused('a grant that is retired', 'AccessDeniedException', bob.decrypt, CiphertextBlob=blob, EncryptionContext=ctx)
    root.revoke_grant(KeyId=key, GrantId=child['GrantId'])
    refused('a grant that is revoked', 'AccessDeniedException', ann.decrypt, CiphertextBlob=blob, EncryptionContext=ctx)
    refused('a grant that is gone', 'NotFoundException', root.revoke_grant, KeyId=key, GrantId=child['GrantId'])
    refused('no token', 'InvalidGrantTokenException', root.decrypt, CiphertextBlob=blob, EncryptionContext=ctx, GrantTokens=['x'])
    refused('nobody of that name', 'InvalidArnException', root.create_grant, KeyId=key, GranteePrincipal=f'arn:aws:iam::{ACCOUNT}:user/none', Operations=['Decrypt'])
    refused('an operation of other keys', 'ValidationException', root.create_grant, KeyId=key, GranteePrincipal=BOB, Operations=['Sign'])
    deny = create(Policy=json.dumps({'Version': '2012-10-17', 'Statement': [{**ALL['Statement'][0]}, {
        'Effect': 'Deny', 'Principal': {'AWS': BOB}, 'Action': 'kms:Encrypt', 'Resource': '*'}]}))['KeyId']
    root.create_grant(KeyId=deny, GranteePrincipal=BOB, Operations=['Encrypt', 'Decrypt'])
    refused('C-11 a Deny stands above a grant', 'AccessDeniedException', bob.encrypt, KeyId=deny, Plaintext=b'x')


def command_line():
    if not shutil.which('aws'):
        return check.skip('AWS CLI', 'not installed')

    def aws(*argv):
        p = subprocess.run(['aws', 'kms', *argv, '--output', 'json'], capture_output=True, env=local.env(), timeout=60)
        return json.loads(p.stdout) if p.returncode == 0 and p.stdout.strip() else (p.returncode, p.stderr.decode())
    key = aws('create-key', '--description', 'cli')['KeyMetadata']['KeyId']
    (local.tmp / 'plain').write_bytes(b'hello')
    blob = aws('encrypt', '--key-id', key, '--plaintext', f'fileb://{local.tmp}/plain')['CiphertextBlob']
    (local.tmp / 'blob').write_bytes(base64.b64decode(blob))
    got = aws('decrypt', '--ciphertext-blob', f'fileb://{local.tmp}/blob')
    check('AWS CLI: encrypt, decrypt', isinstance(got, dict) and base64.b64decode(got['Plaintext']) == b'hello', got)
    code, err = aws('decrypt', '--ciphertext-blob', f'fileb://{local.tmp}/blob', '--encryption-context', 'a=b')
    check('AWS CLI: a refusal', code != 0 and 'InvalidCiphertextException' in err, err)


# What botocore's model says of each operation's members, coffer-local checks, and in AWS's words.
ELSEWHERE = {'GetParametersForImport', 'ImportKeyMaterial', 'DeleteImportedKeyMaterial', 'ReplicateKey', 'UpdatePrimaryRegion', 'GetKeyLastUsage'}


def fitting(shape):
    if shape.type_name == 'string':
        return shape.enum[0] if getattr(shape, 'enum', None) else 'x' * max(1, shape.metadata.get('min', 1))
    return {'blob': lambda: b'x', 'integer': lambda: shape.metadata.get('min', 1), 'boolean': lambda: False, 'map': dict, 'structure': dict,
            'list': lambda: [fitting(shape.member)] if shape.member.type_name == 'string' else []}[shape.type_name]()


def spoiled(shape):
    """-> what is wrong, a value, what the message must say"""
    m = shape.metadata
    if shape.type_name == 'string' and getattr(shape, 'enum', None):
        yield 'no such choice', '-', 'failed to satisfy constraint: Member must satisfy enum value set: ['
    elif shape.type_name == 'string':
        if m.get('max', 1 << 20) < 200000:
            yield 'too long', 'x' * (m['max'] + 1), f'failed to satisfy constraint: Member must have length less than or equal to {m["max"]}'
        if m.get('min', 0) > 0:
            yield 'empty', '', f'failed to satisfy constraint: Member must have length greater than or equal to {m["min"]}'
        if 'a-zA-Z0-9' in m.get('pattern', ''):
            yield 'of other characters', 'a b', f'Member must satisfy regular expression pattern: {m["pattern"]}'
    elif shape.type_name == 'blob' and 'max' in m:
        yield 'too long', b'x' * (m['max'] + 1), f'Member must have length less than or equal to {m["max"]}'
    elif shape.type_name == 'integer' and 'max' in m:
        yield 'too large', m['max'] + 1, f'Member must have value less than or equal to {m["max"]}'
        yield 'too small', m['min'] - 1, f'Member must have value greater than or equal to {m["min"]}'
    elif shape.type_name == 'list' and 'max' in m:
        yield 'too many', [fitting(shape.member)] * (m['max'] + 1), f'Member must have length less than or equal to {m["max"]}'


def shapes():
    wrong, n = [], 0

    def one(op, what, inputs, code, says):
        nonlocal n
        n += 1
        try:
            getattr(loose, botocore.xform_name(op))(**inputs)
            wrong.append(f'{op}: {what}: answered')
        except ClientError as e:
            if e.response['Error']['Code'] != code or says not in e.response['Error']['Message']:
                wrong.append(f'{op}: {what}: {e.response["Error"]}')
    for op in sorted(root.meta.service_model.operation_names):
        if 'CustomKeyStore' in op or op in ELSEWHERE:
            continue
        shape = root.meta.service_model.operation_model(op).input_shape
        good = {name: fitting(shape.members[name]) for name in shape.required_members}
        for name, member in shape.members.items():
            at = f"at '{name[0].lower()}{name[1:]}'"
            for what, value, says in spoiled(member):
                one(op, f'{name} {what}', good | {name: value}, 'ValidationException', f"{at if member.type_name != 'list' else ''}")
                one(op, f'{name} {what}', good | {name: value}, 'ValidationException', says)
            if name in shape.required_members:
                one(op, f'no {name}', {k: v for k, v in good.items() if k != name}, 'ValidationException',
                    f'Value null {at} failed to satisfy constraint: Member must not be null')
            if member.type_name == 'string':
                one(op, f'{name} a number', good | {name: 7}, 'SerializationException', '')
            if member.type_name in ('integer', 'boolean'):
                one(op, f'{name} a text', good | {name: 'x'}, 'SerializationException', '')
    check(f'{n} violations of the model are refused in its words', n > 300 and not wrong, '\n'.join(wrong))


def slow_keys():
    """An RSA key of 4096 bits takes up to seconds; who asks for anything else meanwhile does not wait for it."""
    made, lock = [], threading.Lock()

    def one(n):
        got = (client(local, 'root').create_key(KeySpec='RSA_4096', KeyUsage='SIGN_VERIFY')['KeyMetadata']['KeyId'] if n < 2 else
               client(local, 'root').generate_data_key_pair(KeyId=KEY, KeyPairSpec='RSA_4096')['PublicKey'])
        with lock:
            made.append(got)
    threads = [threading.Thread(target=one, args=(n,)) for n in range(3)]
    for t in threads:
        t.start()
    answered = 0
    while any(t.is_alive() for t in threads):
        root.describe_key(KeyId=KEY)
        answered += 1
    for t in threads:
        t.join()
    check('three RSA keys of 4096 bits are made, each its own', len(made) == 3 and len(set(map(str, made))) == 3, made)
    check('others are served meanwhile', answered >= 20, answered)
    signed = root.sign(KeyId=next(m for m in made if isinstance(m, str)), Message=b'm', SigningAlgorithm='RSASSA_PSS_SHA_256')
    check('a key made beside the loop signs', len(signed['Signature']) == 512)


local = Local(manifest={
    'account': ACCOUNT, 'region': 'us-east-1', 'keys': [{'id': KEY.split('/')[1], 'policy': ALL}], 'users': [user('ann'), user('bob')],
    'credentials': [{'name': 'root', 'root': True}, {'name': 'ann', 'user': 'ann'}, {'name': 'bob', 'user': 'bob'}]})
root, ann, bob = (client(local, who) for who in ('root', 'ann', 'bob'))
loose = client(local, 'root', parameter_validation=False)
try:
    for part in (symmetric, wordings, shapes, asymmetric, slow_keys, life, aliases, rotation, policies, grants, command_line):
        try:
            part()
        except Exception as e:
            check(f'{part.__name__}: ran to its end', False, repr(e))
finally:
    local.close()
sys.exit(check.done())
