#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Profiles whose role asks for a second factor (mfa_serial): coffer asks for the code on the terminal, unseen, and keeps the session."""
import json, os, subprocess, sys
from pathlib import Path

sys.path.insert(0, str(Path(os.environ['COFFER_SOURCE']) / 'tests/tools'))
from local import ACCOUNT, COFFER, LOCAL, Checks, Local
from terminal import on_terminal

SERIAL = f'arn:aws:iam::{ACCOUNT}:mfa/ann'
ROLE = f'arn:aws:iam::{ACCOUNT}:role/with-mfa'
MANIFEST = {
    'account': ACCOUNT, 'region': 'us-east-1',
    'users': [{'name': 'ann', 'mfa': True, 'policies': [{'name': 'p', 'document': {'Version': '2012-10-17', 'Statement': [
        {'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Resource': '*'}]}}]}],
    'roles': [{'name': 'with-mfa', 'trust': {'Version': '2012-10-17', 'Statement': [
        {'Effect': 'Allow', 'Principal': {'AWS': f'arn:aws:iam::{ACCOUNT}:user/ann'}, 'Action': 'sts:AssumeRole',
         'Condition': {'Bool': {'aws:MultiFactorAuthPresent': 'true'}}}]},
        'policies': [{'name': 'p', 'document': {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*'}]}}]}],
    'credentials': [{'name': 'root', 'root': True}, {'name': 'ann', 'user': 'ann'}], 'buckets': [{'name': 'bkt'}]}


def main():
    check, local = Checks(), Local(manifest=MANIFEST)
    try:
        env = local.env('ann')
        (local.tmp / 'credentials').write_text(f'[base]\naws_access_key_id = {env.pop("AWS_ACCESS_KEY_ID")}\n'
                                               f'aws_secret_access_key = {env.pop("AWS_SECRET_ACCESS_KEY")}\n')
        (local.tmp / 'config').write_text(f'[profile factor]\nrole_arn = {ROLE}\nsource_profile = base\nmfa_serial = {SERIAL}\n'
                                          f'[profile plain]\nrole_arn = {ROLE}\nsource_profile = base\n')
        env.pop('AWS_SESSION_TOKEN', None)
        env.update(AWS_SHARED_CREDENTIALS_FILE=str(local.tmp / 'credentials'), AWS_CONFIG_FILE=str(local.tmp / 'config'),
                   XDG_CACHE_HOME=str(local.tmp / 'cache'), AWS_PROFILE='factor')
        ls = [str(COFFER), 'ls']

        def totp():
            return subprocess.run([LOCAL, 'totp', '-d', local.data, 'ann'], capture_output=True, text=True, check=True).stdout.strip()

        def run(**more):
            p = subprocess.run(ls, env={**env, **more}, capture_output=True, text=True, stdin=subprocess.DEVNULL, start_new_session=True)
            return p.returncode, p.stdout + p.stderr

        code, said = run(AWS_PROFILE='plain')
        check('without the factor the role is closed', code == 1 and 'AccessDenied' in said, said)
        code, said = run()
        check('without a terminal the way out is told', code == 2 and SERIAL in said and 'COFFER_MFA_CODE' in said, said)
        code, said = run(COFFER_MFA_CODE='12345')
        check('five digits', code == 2 and 'six digits' in said, said)
        code, said = run(COFFER_MFA_CODE=f'{(int(totp()) + 1) % 1000000:06d}')
        check('a wrong code', code == 1 and 'AccessDenied' in said, said)
        check('... of which nothing is kept', not list((local.tmp / 'cache').rglob('*.json')))
        right = totp()
        code, said = on_terminal(ls, env, b'MFA code', right)
        check('on a terminal it asks, and the code opens the role', code == 0 and f'MFA code for {SERIAL}: ' in said and 'bkt' in said, said)
        check('... which the terminal does not show', right not in said, said)
        kept = list((local.tmp / 'cache').rglob('*.json'))
        check('the session is kept for this user alone', len(kept) == 1 and kept[0].stat().st_mode & 0o777 == 0o600 and
              kept[0].parent.stat().st_mode & 0o777 == 0o700, kept)
        code, said = run()
        check('... and not asked for again', code == 0 and 'bkt' in said, said)
        if not kept:
            return check.done()
        kept[0].chmod(0o644)
        code, said = run()
        check('one that others may read is not used', code == 2 and 'no terminal' in said, said)
        kept[0].chmod(0o600)
        session = json.loads(kept[0].read_text())
        for name, text in (('one that has ended', json.dumps({**session, 'Expiration': '2020-01-01T00:00:00Z'})), ('a damaged one', '{"AccessKeyId"'),
                           ('an empty one', '')):
            kept[0].write_text(text)
            code, said = run()
            check(f'{name} is asked for anew', code == 2 and 'no terminal' in said, said)
    finally:
        local.close()
    return check.done()


sys.exit(main())
