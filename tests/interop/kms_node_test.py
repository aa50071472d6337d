#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local's KMS judged by the AWS SDK for JavaScript, @aws-sdk/client-kms. Installed from npm into the build folder; skipped
where there is no npm, or no way to its packages."""
import hashlib, json, os, shutil, subprocess, sys
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests' / 'tools'))
from local import BUILD, Checks, Local  # noqa: E402

NODE = SOURCE / 'tests/interop/kms_node'


def skip_all(why):
    print(f'1..0 # SKIP {why}')
    sys.exit(0)


def install():
    """-> the folder that holds node_modules"""
    if not shutil.which('npm') or not shutil.which('node'):
        skip_all('no npm here')
    place = BUILD / f'node-kms-{hashlib.sha256((NODE / "package-lock.json").read_bytes()).hexdigest()[:12]}'
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
        env = local.env(NODE_PATH=str(place / 'node_modules'), NODE_NO_WARNINGS='1', AWS_ENDPOINT_URL=f'http://127.0.0.1:{local.port}')
        p = subprocess.run(['node', str(NODE / 'driver.js')], capture_output=True, env=env, timeout=100, stdin=subprocess.DEVNULL)
        lines = [json.loads(x) for x in p.stdout.decode().splitlines() if x.startswith('{')]
        for x in lines:
            check(x['name'], x['ok'], json.dumps(x['detail']))
        check('the client went all the way', p.returncode == 0 and len(lines) == 24, f'{len(lines)} lines; {p.stderr.decode()[-600:]}')
    finally:
        local.close()
    sys.exit(check.done())


main()
