#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local's S3 judged by the AWS SDK for JavaScript (@aws-sdk/client-s3, lib-storage, s3-request-presigner), plain and over TLS.
Installed from npm into the build folder; skipped where there is no npm, or no way to its packages."""
import hashlib, json, os, shutil, subprocess, sys
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests' / 'tools'))
from local import BUILD, KEY, Checks, Local  # noqa: E402

NODE = SOURCE / 'tests/interop/s3_node'


def skip_all(why):
    print(f'1..0 # SKIP {why}')
    sys.exit(0)


def install():
    """-> the folder that holds node_modules"""
    if not shutil.which('npm') or not shutil.which('node'):
        skip_all('no npm here')
    place = BUILD / f'node-s3-{hashlib.sha256((NODE / "package-lock.json").read_bytes()).hexdigest()[:12]}'
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
    place, check, local = install(), Checks(), Local()
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
