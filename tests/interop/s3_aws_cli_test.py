#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local's S3 judged by the AWS CLI: cp, mv, sync, presign, parts, odd names, and some of s3api, plain and over TLS; of SQS, KMS and STS a
few commands. Skipped where there is no aws command."""
import base64, filecmp, json, os, shutil, ssl, subprocess, sys, time, urllib.error, urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(os.environ['COFFER_SOURCE']) / 'tests' / 'tools'))
from local import KEY, Checks, Local  # noqa: E402

if not shutil.which('aws'):
    print('1..0 # SKIP no aws command here')
    sys.exit(0)


class Cli:
    def __init__(self, local, scheme):
        self.local, self.dir = local, local.tmp / scheme
        self.env = local.env(AWS_ENDPOINT_URL=f'{scheme}://localhost:{local.port}', AWS_MAX_ATTEMPTS='1', AWS_PAGER='')
        self.dir.mkdir()
        config = self.dir / 'config'
        config.write_text('[default]\ns3 =\n  multipart_threshold = 6MB\n  multipart_chunksize = 5MB\n  addressing_style = path\n  signature_version = s3v4\n')
        self.env['AWS_CONFIG_FILE'] = str(config)

    def __call__(self, *argv, code=0):
        p = subprocess.run(['aws', *map(str, argv)], env=self.env, cwd=self.dir, capture_output=True, timeout=100, stdin=subprocess.DEVNULL)
        out = p.stdout.decode(errors='replace')
        assert p.returncode == code, f'{argv[:5]} ended with {p.returncode}: {p.stderr.decode(errors="replace")[-400:]}'
        return out if code == 0 else p.stderr.decode(errors='replace')


def fetch(local, url):
    try:
        return urllib.request.urlopen(url, timeout=20, context=ssl.create_default_context(cafile=str(local.data / 'tls/ca.pem'))).read()
    except urllib.error.HTTPError as e:
        return e.code


def files(aws):
    b, d = 's3://high-level', aws.dir
    for name, size in (('a/small', 5), ('a/b/empty', 0), ('large ä', (11 << 20) + 3)):
        path = d / 'up' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
        os.utime(path, (time.time() - 60,) * 2)  # S3's dates have no fractions: of the same second, a file would be newer than its object
    aws('s3', 'sync', 'up', f'{b}/x', '--only-show-errors')
    listed = aws('s3', 'ls', '--recursive', b)
    assert all(f'x/{n}' in listed for n in ('a/small', 'a/b/empty', 'large ä')), listed
    assert aws('s3', 'sync', 'up', f'{b}/x') == '', 'what is there is sent again'
    (d / 'up/a/small').unlink()
    assert 'delete: ' in aws('s3', 'sync', '--delete', 'up', f'{b}/x')
    aws('s3', 'sync', f'{b}/x', 'down', '--only-show-errors')
    same = filecmp.dircmp(d / 'up', d / 'down')
    assert not (same.left_only or same.right_only or same.diff_files) and (d / 'up/large ä').read_bytes() == (d / 'down/large ä').read_bytes()
    aws('s3', 'mv', f'{b}/x/large ä', f'{b}/moved', '--only-show-errors')  # copied in parts on the server
    assert 'x/large' not in aws('s3', 'ls', '--recursive', b)
    aws('s3', 'cp', f'{b}/moved', 'moved', '--only-show-errors')
    assert (d / 'moved').read_bytes() == (d / 'up/large ä').read_bytes()
    p = subprocess.run(['aws', 's3', 'cp', '-', f'{b}/piped'], input=b'from a pipe', env=aws.env, cwd=d, capture_output=True, timeout=60)
    assert p.returncode == 0 and aws('s3', 'cp', f'{b}/piped', '-') == 'from a pipe'
    link = aws('s3', 'presign', f'{b}/piped', '--expires-in', '60').strip()
    assert fetch(aws.local, link) == b'from a pipe' and fetch(aws.local, link.replace('/piped?', '/moved?')) == 403
    aws('s3', 'rm', '--recursive', b, '--only-show-errors')
    assert aws('s3', 'ls', '--recursive', b) == ''


def encryption(aws):
    b = 's3://high-level'
    (aws.dir / 'k').write_bytes(b'k')
    aws('s3', 'cp', 'k', f'{b}/kms', '--sse', 'aws:kms', '--sse-kms-key-id', KEY, '--only-show-errors')
    assert json.loads(aws('s3api', 'head-object', '--bucket', 'high-level', '--key', 'kms'))['SSEKMSKeyId'] == KEY
    (aws.dir / 'key').write_bytes(os.urandom(32))
    c = ('--sse-c', 'AES256', '--sse-c-key', 'fileb://key')
    if aws.env['AWS_ENDPOINT_URL'].startswith('http:'):
        return
    assert 'AccessDenied' in aws('s3', 'cp', 'k', f'{b}/c', *c, code=1)
    aws('s3api', 'put-bucket-encryption', '--bucket', 'high-level', '--server-side-encryption-configuration', json.dumps({'Rules': [
        {'ApplyServerSideEncryptionByDefault': {'SSEAlgorithm': 'AES256'}, 'BlockedEncryptionTypes': {'EncryptionType': ['NONE']}}]}))
    aws('s3', 'cp', 'k', f'{b}/c', *c, '--only-show-errors')
    assert aws('s3', 'cp', f'{b}/c', '-', *c) == 'k'
    assert '400' in aws('s3', 'cp', f'{b}/c', '-', code=1)


def settings(aws):
    bucket = ('--bucket', 'high-level')
    policy = json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': '*', 'Action': 's3:GetObject', 'Resource': 'arn:aws:s3:::high-level/*'}]})
    assert 'BlockPublicPolicy' in aws('s3api', 'put-bucket-policy', *bucket, '--policy', policy, code=255)
    aws('s3api', 'put-public-access-block', *bucket, '--public-access-block-configuration', 'BlockPublicAcls=true,BlockPublicPolicy=false')
    aws('s3api', 'put-bucket-policy', *bucket, '--policy', policy)
    assert json.loads(aws('s3api', 'get-bucket-policy-status', *bucket))['PolicyStatus']['IsPublic']
    aws('s3api', 'delete-bucket-policy', *bucket)
    assert 'BucketOwnerEnforced' in aws('s3api', 'get-bucket-ownership-controls', *bucket)


ODD = ('a+b', 'per%41cent', 'ü €', ' lead', 'trail ', 'a b/c&d=e', "it's", '#x?y', '...', 'e\u0301', 'sub/.hidden', 'x' * 200)


def odd_names(aws):
    b, d = 's3://high-level/odd', aws.dir
    for name in ODD:
        (d / 'odd' / name).parent.mkdir(parents=True, exist_ok=True)
        (d / 'odd' / name).write_text(name)
    aws('s3', 'cp', '--recursive', 'odd', b, '--only-show-errors')
    listed = aws('s3', 'ls', '--recursive', f'{b}/')
    assert all(f'odd/{name}' in listed for name in ODD), listed
    aws('s3', 'mv', '--recursive', b, f'{b}2', '--only-show-errors')
    aws('s3', 'sync', f'{b}2', 'odd-again', '--only-show-errors')
    got = {str(f.relative_to(d / 'odd-again')): f.read_text() for f in (d / 'odd-again').rglob('*') if f.is_file()}
    assert got == {name: name for name in ODD}, got
    assert fetch(aws.local, aws('s3', 'presign', f'{b}2/ü €').strip()) == 'ü €'.encode()
    aws('s3', 'rm', '--recursive', f'{b}2', '--exclude', '*', '--include', '*+*', '--only-show-errors')
    assert aws('s3', 'ls', '--recursive', f'{b}2').count('odd2/') == len(ODD) - 1
    aws('s3', 'rm', '--recursive', f'{b}2', '--only-show-errors')


def others(aws):
    said = lambda *argv: json.loads(aws(*argv))
    sqs = ('--endpoint-url', aws.env['AWS_ENDPOINT_URL'], 'sqs')  # by the environment alone the CLI of 2026 goes to queue.amazonaws.com
    url = said(*sqs, 'create-queue', '--queue-name', 'by-cli')['QueueUrl']
    aws(*sqs, 'send-message', '--queue-url', url, '--message-body', 'ä +%', '--message-attributes', '{"n":{"DataType":"Number","StringValue":"7"}}')
    m = said(*sqs, 'receive-message', '--queue-url', url, '--message-attribute-names', 'All')['Messages'][0]
    assert m['Body'] == 'ä +%' and m['MessageAttributes']['n']['StringValue'] == '7', m
    aws(*sqs, 'delete-message', '--queue-url', url, '--receipt-handle', m['ReceiptHandle'])
    aws(*sqs, 'purge-queue', '--queue-url', url)
    aws(*sqs, 'delete-queue', '--queue-url', url)
    assert 'NonExistentQueue' in aws(*sqs, 'get-queue-url', '--queue-name', 'by-cli', code=255)
    (aws.dir / 'plain').write_bytes(b'\0plain')
    blob = said('kms', 'encrypt', '--key-id', KEY, '--plaintext', 'fileb://plain', '--encryption-context', 'a=b')['CiphertextBlob']
    (aws.dir / 'blob').write_bytes(base64.b64decode(blob))
    opened = said('kms', 'decrypt', '--ciphertext-blob', 'fileb://blob', '--encryption-context', 'a=b')
    assert base64.b64decode(opened['Plaintext']) == b'\0plain'
    assert 'InvalidCiphertextException' in aws('kms', 'decrypt', '--ciphertext-blob', 'fileb://blob', code=255)
    assert any(k['KeyArn'] == KEY for k in said('kms', 'list-keys')['Keys'])
    assert said('sts', 'get-caller-identity')['Account'] in KEY


def main():
    local, check = Local(), Checks()
    try:
        for scheme in ('http', 'https'):
            aws = Cli(local, scheme)
            aws('s3', 'mb', 's3://high-level')
            for part in (files, encryption, settings, odd_names, others)[:5 if scheme == 'https' else 2]:
                try:
                    part(aws)
                    check(f'{scheme}: {part.__name__}', True)
                except Exception as e:
                    check(f'{scheme}: {part.__name__}', False, f'{type(e).__name__}: {e}')
            aws('s3', 'rb', '--force', 's3://high-level')
    finally:
        local.close()
    sys.exit(check.done())


main()
