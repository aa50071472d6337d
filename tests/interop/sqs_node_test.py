#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local's SQS judged by the AWS SDK for JavaScript: @aws-sdk/client-sqs as it is (JSON protocol), and a version of it from
before it spoke JSON (query protocol). Installed from npm into the build folder; skipped where there is no npm, or no way to its
packages."""
import json, os, subprocess, sys
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests' / 'tools'))
from local import Checks, Local  # noqa: E402
from node import packages_or_skip  # noqa: E402

NODE = SOURCE / 'tests/interop/sqs_node'


def main():
    place, check, local = packages_or_skip(NODE, 'sqs'), Checks(), Local()
    try:
        env = local.env(NODE_PATH=str(place / 'node_modules'), NODE_NO_WARNINGS='1', AWS_ENDPOINT_URL=f'http://127.0.0.1:{local.port}')
        p = subprocess.run(['node', str(NODE / 'driver.js')], capture_output=True, env=env, timeout=100, stdin=subprocess.DEVNULL)
        lines = [json.loads(x) for x in p.stdout.decode().splitlines() if x.startswith('{')]
        for x in lines:
            check(x['name'], x['ok'], json.dumps(x['detail']))
        check('both clients went all the way', p.returncode == 0 and len(lines) == 16, f'{len(lines)} lines; {p.stderr.decode()[-600:]}')
    finally:
        local.close()
    sys.exit(check.done())


main()
