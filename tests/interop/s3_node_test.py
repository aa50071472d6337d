#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local's S3 judged by the AWS SDK for JavaScript (@aws-sdk/client-s3, lib-storage, s3-request-presigner), plain and over TLS.
Installed from npm into the build folder; skipped where there is no npm, or no way to its packages."""
import json, os, subprocess, sys
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests' / 'tools'))
from local import KEY, Checks, Local  # noqa: E402
from node import packages_or_skip  # noqa: E402

NODE = SOURCE / 'tests/interop/s3_node'


def main():
    place, check, local = packages_or_skip(NODE, 's3'), Checks(), Local()
    try:
        for scheme in ('http', 'https'):
            env = local.env(NODE_PATH=str(place / 'node_modules'), NODE_NO_WARNINGS='1', KMS_KEY=KEY, AWS_ENDPOINT_URL=f'{scheme}://localhost:{local.port}',
                            NODE_EXTRA_CA_CERTS=str(local.data / 'tls/ca.pem'))
            p = subprocess.run(['node', str(NODE / 'driver.js')], capture_output=True, env=env, timeout=100, stdin=subprocess.DEVNULL)
            lines = [json.loads(x) for x in p.stdout.decode().splitlines() if x.startswith('{')]
            for x in lines:
                check(x['name'], x['ok'], x['detail'])
            check(f'{scheme}: it went all the way', p.returncode == 0 and len(lines) == (27 if scheme == 'https' else 26),
                  f'{len(lines)} lines; {p.stderr.decode()[-600:]}')
    finally:
        local.close()
    sys.exit(check.done())


main()
