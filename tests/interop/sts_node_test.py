#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local's STS, token issuer and instance metadata used by the AWS SDK for JavaScript: @aws-sdk/client-sts and the providers of
@aws-sdk/credential-providers. Installed from npm into the build folder; skipped where there is no npm, or no way to its packages."""
import hashlib, json, os, shutil, subprocess, sys
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests' / 'tools'))
from identities import MANIFEST, Identities  # noqa: E402
from local import ACCOUNT, BUILD, Checks  # noqa: E402

NODE = SOURCE / 'tests/interop/sts_node'
N_CHECKS = 13


def skip_all(why):
    print(f'1..0 # SKIP {why}')
    sys.exit(0)


def install():
    """-> the folder that holds node_modules"""
    if not shutil.which('npm') or not shutil.which('node'):
        skip_all('no npm here')
    place = BUILD / f'node-sts-{hashlib.sha256((NODE / "package-lock.json").read_bytes()).hexdigest()[:12]}'
    if not (place / 'complete').exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for name in ('package.json', 'package-lock.json'):
            shutil.copy(NODE / name, place)
        try:
            p = subprocess.run(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], cwd=place, capture_output=True, timeout=150)
        except subprocess.TimeoutExpired:
            skip_all('npm gives no packages in time')
        if p.returncode != 0:
            skip_all('npm gives no packages: ' + p.stderr.decode(errors='replace').strip().splitlines()[-1][:100])
        (place / 'complete').touch()
    return place


def main():
    place, check, w = install(), Checks(), Identities(serve=['--imds', 'tcp:127.0.0.1:0', '--imds-role', 'worker'])
    try:
        token = w.token()
        (w.tmp / 'token').write_text(token)
        keys = w.keys('ann')
        env = w.env(NODE_PATH=str(place / 'node_modules'), NODE_NO_WARNINGS='1', AWS_ENDPOINT_URL=f'http://127.0.0.1:{w.port}',
                    AWS_ACCESS_KEY_ID=keys['aws_access_key_id'], AWS_SECRET_ACCESS_KEY=keys['aws_secret_access_key'],
                    AWS_EC2_METADATA_SERVICE_ENDPOINT=(w.data / 'imds').read_text().strip())
        del env['AWS_EC2_METADATA_DISABLED']
        world = {'account': ACCOUNT, 'token': token, 'tokenFile': str(w.tmp / 'token'), 'serial': f'arn:aws:iam::{ACCOUNT}:mfa/ann', 'code': w.totp('ann')}
        p = subprocess.run(['node', str(NODE / 'driver.js'), json.dumps(world)], capture_output=True, env=env, timeout=100, stdin=subprocess.DEVNULL)
        lines = [json.loads(x) for x in p.stdout.decode().splitlines() if x.startswith('{')]
        for x in lines:
            check(x['name'], x['ok'], x['detail'])
        check('it went all the way', p.returncode == 0 and len(lines) == N_CHECKS, f'{len(lines)} lines; {p.stderr.decode()[-600:]}')
    finally:
        w.close()
    sys.exit(check.done())


main()
