#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local's STS, token issuer and instance metadata used by the AWS SDK for JavaScript: @aws-sdk/client-sts and the providers of
@aws-sdk/credential-providers. Installed from npm into the build folder; skipped where there is no npm, or no way to its packages."""
import json, os, subprocess, sys
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests' / 'tools'))
from identities import MANIFEST, Identities  # noqa: E402
from local import ACCOUNT, Checks  # noqa: E402
from node import packages_or_skip  # noqa: E402

NODE = SOURCE / 'tests/interop/sts_node'
N_CHECKS = 13


def main():
    place, check, w = packages_or_skip(NODE, 'sts'), Checks(), Identities(serve=['--imds', 'tcp:127.0.0.1:0', '--imds-role', 'worker'])
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
