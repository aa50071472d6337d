#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local init says what is wrong with a manifest: where it is no JSON and what mends it, what nobody reads, which name comes twice, which PCR is
none; and of the manifest that comes with it nothing."""
import json, os, subprocess, sys, tempfile
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from local import ACCOUNT, LOCAL, Checks

check = Checks()
GOOD = {'account': ACCOUNT, 'region': 'us-east-1', 'users': [{'name': 'ada', 'policies': []}], 'credentials': [{'name': 'root', 'root': True}],
        'buckets': [{'name': 'vault', 'versioning': True}], 's3': {'acls': False}}


def init(tmp, manifest, *more):
    file, data = tmp / 'm.json', tmp / f'd{len(list(tmp.iterdir()))}'
    if manifest is not None:
        file.write_text(manifest if isinstance(manifest, str) else json.dumps(manifest, indent=1))
    p = subprocess.run([LOCAL, 'init', '-d', data, '-m', file if manifest is not None else SOURCE / 'deploy/local/manifest.json', *more], capture_output=True, text=True, timeout=60)
    return p.returncode, p.stderr.replace(str(tmp), '')


with tempfile.TemporaryDirectory(prefix='coffer-test-') as tmp:
    tmp = Path(tmp)
    text = json.dumps(GOOD, indent=1)
    code, err = init(tmp, GOOD)
    check('a good manifest: no word', code == 0 and not err, err)
    code, err = init(tmp, None, *(x for n in range(3) for x in ('--set', f'pcr{n}={"ab" * 48}')))
    check('nor of the one that comes with it', code == 0 and not err, err)
    for words, old, new, says in (
            ('a misspelt member', '"policies"', '"polices"', '/m.json:7:4: nobody reads "polices"; did you mean "policies"?'),
            ('one at the top', '"users"', '"usres"', '/m.json:4:2: nobody reads "usres"; did you mean "users"?'),
            ('of a setting', '"acls"', '"alcs"', 'nobody reads "alcs"; did you mean "acls"?'),
            ('one that is like nothing', '"versioning"', '"colour"', 'nobody reads "colour"\n'),
            ('a name twice', '"name": "vault"', '"name": "vault"\n  },\n  {\n   "name": "vault"', 'there is one before of this name: "vault"')):
        assert old in text
        code, err = init(tmp, text.replace(old, new, 1))
        check(f'{words} is told, with its place', code == 0 and 'warning: ' in err and says in err and err.count('warning') == 1, err)
    for words, bad, says, mend in (('a comma too many', text.replace('}\n}', '},\n}'), '/m.json:24:3: a comma behind', 'remove the comma'), ('a comma too few', text.replace('",', '"', 1), '/m.json:2:', 'between two items'),
                                   ('an end too early', text[:-2], '/m.json:1:1: this { is never closed', 'closing bracket')):
        code, err = init(tmp, bad)
        check(f'{words}: refused with its place and the mend', code == 2 and says in err and mend in err, err)
    for value in ('ab', 'g' * 96, 'a' * 64):
        code, err = init(tmp, None, '--set', f'pcr1={value}')
        check(f'a PCR of {len(value)} {value[0]}: refused', code == 2 and '--set pcr1: a PCR is 96 hex digits' in err, err)
sys.exit(check.done())
