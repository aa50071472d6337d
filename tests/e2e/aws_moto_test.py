#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The AWS client against moto, a server of other people's making that checks signatures: every call once, with keys of a
user, and once more through a role of a profile."""
import json, os, shutil, socket, subprocess, sys, tempfile, time
from pathlib import Path

PROBE = Path(os.environ['COFFER_BUILD']) / 'tests' / 'aws_probe'
UNCHECKED = 3  # requests that moto takes before it checks: those that make the user


def skip(why):
    print(f'1..0 # SKIP {why}')
    sys.exit(0)


def main():
    server = shutil.which('moto_server')
    if server is None:
        skip('moto_server is not installed')
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        skip('boto3 is not installed')
    if not PROBE.exists():
        skip(f'{PROBE} is not built')
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    url = f'http://127.0.0.1:{port}'
    home = tempfile.mkdtemp(prefix='coffer-moto-')
    clean = {k: v for k, v in os.environ.items() if not k.startswith('AWS_')} | {'HOME': home}
    moto = subprocess.Popen([server, '-H', '127.0.0.1', '-p', str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            env=clean | {'INITIAL_NO_AUTH_ACTION_COUNT': str(UNCHECKED)})
    try:
        for _ in range(300):
            try:
                socket.create_connection(('127.0.0.1', port), 1).close()
                break
            except OSError:
                if moto.poll() is not None:
                    skip('moto_server does not start')
                time.sleep(0.1)
        else:
            skip('moto_server does not answer')
        run(boto3, Config, url, home, clean)
    finally:
        moto.terminate()
        moto.wait(20)
        shutil.rmtree(home, ignore_errors=True)


def run(boto3, Config, url, home, clean):
    def client(service, id='x', secret='x'):
        return boto3.client(service, endpoint_url=url, region_name='us-east-1', aws_access_key_id=id, aws_secret_access_key=secret,
                            config=Config(retries={'max_attempts': 1}))
    iam = client('iam')
    iam.create_user(UserName='probe')
    anything = json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': '*', 'Resource': '*'}]})
    iam.put_user_policy(UserName='probe', PolicyName='all', PolicyDocument=anything)
    key = iam.create_access_key(UserName='probe')['AccessKey']
    keys = key['AccessKeyId'], key['SecretAccessKey']
    trust = json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': {'AWS': '*'}}]})
    role = client('iam', *keys).create_role(RoleName='worker', AssumeRolePolicyDocument=trust)['Role']['Arn']
    client('iam', *keys).put_role_policy(RoleName='worker', PolicyName='all', PolicyDocument=anything)
    arn = client('kms', *keys).create_key()['KeyMetadata']['Arn']
    config = Path(home) / 'config'
    config.write_text(f'[profile worker]\nrole_arn = {role}\nsource_profile = probe\nregion = us-east-1\nendpoint_url = {url}\n'
                      f'[profile probe]\nregion = us-east-1\n')
    (Path(home) / 'credentials').write_text(f'[probe]\naws_access_key_id = {keys[0]}\naws_secret_access_key = {keys[1]}\n')
    files = {'AWS_CONFIG_FILE': str(config), 'AWS_SHARED_CREDENTIALS_FILE': str(Path(home) / 'credentials')}
    results = []
    for name, env in (('user', {'AWS_ACCESS_KEY_ID': keys[0], 'AWS_SECRET_ACCESS_KEY': keys[1], 'AWS_REGION': 'us-east-1',
                                'AWS_ENDPOINT_URL': url}),
                      ('role', files | {'AWS_PROFILE': 'worker'})):
        client('s3', *keys).create_bucket(Bucket=f'bucket-{name}')
        queue = client('sqs', *keys).create_queue(QueueName=f'queue-{name}')['QueueUrl']
        done = subprocess.run([PROBE, f'bucket-{name}', arn, queue, '123456789012'], env=clean | env, capture_output=True,
                              text=True, timeout=120)
        for line in done.stdout.splitlines():
            if line.startswith(('ok', 'not ok')):
                results.append((line.startswith('ok'), f'{name}: ' + line.split(' - ', 1)[1]))
            elif line.startswith('#'):
                print(line)
        results.append((done.returncode == 0, f'{name}: the probe ends well'))
        if done.returncode != 0:
            print('# ' + done.stderr.replace('\n', '\n# '))
    print(f'1..{len(results)}')
    for i, (good, what) in enumerate(results, 1):
        print(f'{"ok" if good else "not ok"} {i} - {what}')


main()
