#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The account as deploy/terraform makes it, in coffer-local: the bucket's default is the storage key, every role has a boundary and the
rights to use that key through S3. The main job goes through; without those rights it does not, and the key opens nothing past S3."""
import importlib.machinery, importlib.util, json, os, sys, tempfile
from pathlib import Path

SOURCE, BUILD = Path(os.environ['COFFER_SOURCE']), Path(os.environ['COFFER_BUILD'])
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from local import Checks

loader = importlib.machinery.SourceFileLoader('demo', str(SOURCE / 'deploy/local/demo'))
demo = importlib.util.module_from_spec(importlib.util.spec_from_loader('demo', loader))
loader.exec_module(demo)
STORAGE = 'arn:aws:kms:us-east-1:111122223333:key/0c0ffe00-5702-4000-8000-000000000004'
THROUGH_S3 = {'coffer-producer': 'both', 'coffer-consumer': 'both', 'coffer-deployer': 'both', 'coffer-owner': 'read', 'coffer-auditor': 'read'}
check = Checks()


def account(tmp, without=()):
    """A manifest like deploy/local's; the roles in `without` lack the right to use the storage key."""
    text = (SOURCE / 'deploy/local/manifest.json').read_text().replace('"../iam/', f'"{os.path.relpath(SOURCE, tmp)}/deploy/iam/')
    m = json.loads(text)
    file = lambda name: {'$file': os.path.relpath(SOURCE / f'deploy/terraform/policies/{name}.json', tmp)}  # beside the manifest
    m['values'] |= {'name': 'coffer'}
    for role in m['roles']:
        if role['name'] in THROUGH_S3:
            role['boundary'] = file('boundary')
            if role['name'] not in without:
                role['policies'].append({'name': 'through-s3', 'document': file(f'through-s3-{THROUGH_S3[role["name"]]}')})
    m['buckets'][0]['encryption'] = {'algorithm': 'aws:kms', 'key_id': '${storage_key_arn}'}
    path = tmp / f'manifest{len(without)}.json'
    path.write_text(json.dumps(m))
    return path


def trail(d):
    return [json.loads(line) for line in (d.data / 'audit.jsonl').read_text().splitlines() if line.startswith('{')]


def whole(tmp):
    d = demo.Demo(BUILD.resolve(), False)
    d.manifest = account(tmp)
    try:
        d.set_up()
        demo.root_certificate(d)
        d.start_host()
        d.start_producer()
        picture = d.dir / 'p.png'
        demo.subprocess.run([str(d.picture), str(picture), '3'], check=True)
        job = d.submit(picture)
        d.run('coffer', ['status', job, '--wait', '60'] + d.gateway(), timeout=90)
        out = d.dir / 'out.json'
        p = d.run('coffer', d.result_args(job) + ['-o', out, '--input', picture, '--json'], who='owner')
        proof = json.loads(p.stdout)
        check('the main job: submitted, processed, opened, verified', json.loads(out.read_text())['width'] > 0 and proof['pcrs']['0'] == d.pcrs['PCR0'], p.stderr)
        sealed = d.dir / 'sealed'
        for who, key, ok in (('consumer', f'jobs/demo/{job}', True), ('owner', f'results/demo/{job}', True), ('auditor', f'receipts/demo/{job}/{proof["output_sealed_sha256"]}', True),
                             ('auditor', f'results/demo/{job}', False), ('owner', f'jobs/demo/{job}', False)):
            got = d.awsdo(['s3-get', d.BUCKET, key, sealed], who)
            check(f'{who} {"reads" if ok else "does not read"} {key.split("/")[0]}', (got.returncode == 0) == ok, got.stderr.decode())
        used = {e['eventName'] for e in trail(d) if e.get('eventSource') == 'kms.amazonaws.com' and STORAGE in json.dumps(e.get('resources', []))}
        check('S3 sealed and opened under the storage key', used == {'GenerateDataKey', 'Decrypt'}, used)
        probe = d.dir / 'probe'
        probe.write_bytes(b'probe')
        for who in ('producer', 'consumer', 'owner'):
            p = d.run('coffer', ['encrypt', probe, '-o', d.dir / f'{who}.sealed', '--keyring', f'kms:{STORAGE}'], who=who, expect=None)
            check(f'{who} draws no key from it past S3', p.returncode != 0 and b'AccessDenied' in p.stderr, p.stderr.decode())
    finally:
        d.stop()


def lacking(tmp):
    d = demo.Demo(BUILD.resolve(), False)
    d.manifest = account(tmp, without=('coffer-producer', 'coffer-auditor'))
    try:
        d.set_up()
        d.start_producer()
        text = d.dir / 'note.txt'
        text.write_text('a note')
        p = d.run('coffer', ['submit', text] + d.gateway(), expect=None)
        check('a producer without the right to use the storage key stores nothing', p.returncode != 0, p.stderr.decode())
        refused = [e for e in trail(d) if str(e.get('errorCode', '')).startswith('AccessDenied')]
        check('and the trail says why', any('kms' in json.dumps(e).lower() for e in refused), refused[:2])
    finally:
        d.stop()


with tempfile.TemporaryDirectory(prefix='coffer-account-') as tmp:
    whole(Path(tmp))
    lacking(Path(tmp))
sys.exit(check.done())
