#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local's S3 judged by ceph/s3-tests, a checkout of which $COFFER_S3TESTS names; skipped where there is none.

    s3tests_test.py [--jobs N] [--group NAME]... [--match TEXT] [--all]

--all also runs what docs/s3-compatibility.md lists as left out. The suite's tests fall into groups by what they are about
(cases.jsonl of the public vectors where it is, then names and markers). A test that fails and is not listed in that document is
`not ok`, and so is a group of the nine the project promises of which less than 85 % pass; tests about what stays out (ACL grants,
website, CORS, lifecycle, logging, POST forms) do not count. Those listed `as Ceph` run against a server told to answer as Ceph does
there ("as_ceph" of the manifest), and are counted apart. --json FILE keeps the outcomes. It takes minutes."""
import argparse, collections, concurrent.futures, json, os, re, shutil, signal, subprocess, sys, tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])
VECTORS = Path(os.environ.get('COFFER_VECTORS', SOURCE.parent / 'shared/vectors'))
LOCAL = BUILD / 'src/prog/coffer-local/coffer-local'
DOC = SOURCE / 'docs/s3-compatibility.md'
PROMISED = ['put-get-delete', 'multipart', 'sse-c', 'sse-kms', 'sse-s3', 'versioning', 'object-lock', 'conditional', 'policy']
GROUPS = PROMISED + ['checksum', 'copy', 'list', 'tagging']
# Where neither cases.jsonl nor its README knows a test.
RULES = [('lifecycle', 'lifecycle|restore|transition'), ('logging', 'bucket_logging'), ('post-object', 'post_object|marks:post'),
         ('tagging', 'marks:tagging'), ('conditional', 'if_?(none?_?)?match|if(un)?modified'), ('checksum', 'checksum'),
         ('cors-website', 'cors|website'), ('acl', 'acl|access_bucket|ownership|block_public'), ('object-lock', 'object_lock'),
         ('sse-c', 'sse_c'), ('sse-kms', 'sse_kms'), ('sse-s3', 'sse_s3'), ('policy', 'policy'), ('multipart', 'multipart'),
         ('versioning', 'version'), ('copy', 'copy'), ('list', 'list'), ('auth', 'anon|raw|auth')]
MAIN, ALT, TENANT = '111122223333', '444455556666', '777788889999'
# What the project's users never call, and tests that neither Ceph nor AWS passes; they do not count. All else that fails counts, listed or not.
STAYS_OUT = ('ACL', 'website', 'CORS', 'lifecycle', 'logging', 'POST form', 'Ceph tenant', 'nobody passes')
KEYS = [f'arn:aws:kms:us-east-1:{MAIN}:key/0c0ffe00-5353-4000-8000-00000000000{n}' for n in (1, 2)]


# The suite empties all its buckets, by a dozen clients, before and after each test; here each run has a server of its own, and so
# have the tests that count all the buckets there are.
PLUGIN = '''
import s3tests.functional
s3tests.functional.setup = s3tests.functional.teardown = lambda: None
'''
ALONE = ('test_list_buckets_paginated',)


def skip_all(why):
    print(f'1..0 # SKIP {why}')
    sys.exit(0)


def python():
    """-> a command and its environment that import the suite's needs, or None"""
    for path in (None, '/usr/lib/python3/dist-packages'):
        env = dict(os.environ, PYTHONDONTWRITEBYTECODE='1', **({'PYTHONPATH': path} if path else {}))
        for exe in (sys.executable, shutil.which('python3') or 'python3'):
            if subprocess.run([exe, '-c', 'import boto3, pytest, munch, requests, isodate, pytz'], env=env, capture_output=True).returncode == 0:
                return exe, env
    return None


def known_groups():
    groups = {}
    folder = VECTORS / 's3tests'
    if (folder / 'README.md').exists():
        for line in (folder / 'README.md').read_text().splitlines():
            m = re.match(r'([a-z0-9-]+)(?: \(✗[^)]*\))?: (.*)', line)
            for name in m.group(2).split(', ') if m and m.group(1) in GROUPS else []:
                groups['test_' + name.replace('✗', '').strip()] = m.group(1)
    if (folder / 'cases.jsonl').exists():
        for line in (folder / 'cases.jsonl').read_text().splitlines():
            case = json.loads(line)
            groups[case['id'].split('/')[1]] = case['feature']
    return groups


def collect(suite):
    """-> {test: group}, in the suite's order"""
    known, tests = known_groups(), {}
    for marks, name in re.findall(r'((?:@pytest\.mark\.[^\n]+\n)*)def (test_\w+)\(', (suite / 's3tests/functional/test_s3.py').read_text()):
        text = name + ' ' + ' '.join('marks:' + m for m in re.findall(r'mark\.(\w+)', marks))
        tests[name] = known.get(name) or next((group for group, rule in RULES if re.search(rule, text)), 'auth')
    return tests


def left_out():
    """-> {test: (what it is about, why)}: the rows | `test_name` ... | about | why | of the document"""
    out = {}
    for line in DOC.read_text().splitlines():
        cells = [c.strip() for c in line.strip('|').split('|')]
        if line.startswith('| `test_') and len(cells) == 3:
            out.update((name, (cells[1], cells[2])) for name in re.findall('`(test_[a-z0-9A-Z_]+)`', cells[0]))
    return out


class Server:
    def __init__(self, tmp, as_ceph):
        self.data = Path(tempfile.mkdtemp(dir=tmp)) / 'data'
        everything = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': '*', 'Action': 'kms:*', 'Resource': '*'}]}
        # buckets took SSE-C before April 2026, and the suite expects it of them
        manifest = {'account': MAIN, 's3': {'open_to_sse_c': True, 'open_to_public': True, 'acls': True, 'as_ceph': as_ceph}, 'region': 'us-east-1',
                    'credentials': [{'name': 'main', 'root': True}],
                    'accounts': [{'id': account, 'credentials': [{'name': name, 'root': True}]} for name, account in (('alt', ALT), ('tenant', TENANT))],
                    'keys': [{'id': k.split('/')[1], 'policy': everything} for k in KEYS]}
        (tmp / 'manifest.json').write_text(json.dumps(manifest))
        subprocess.run([LOCAL, 'init', '-d', self.data, '-m', tmp / 'manifest.json'], check=True, stdout=subprocess.DEVNULL)
        self.p = subprocess.Popen([LOCAL, 'serve', '-d', self.data, '--listen', 'tcp:127.0.0.1:0', '--sse-c-over-http'], stdout=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL)
        line = self.p.stdout.readline().decode().split()
        assert line[:1] == ['ready'], 'coffer-local did not start'
        self.port = int(line[1])

    def keys(self, who):
        e = dict(line.split('=', 1) for line in (self.data / f'credentials/{who}.env').read_text().split())
        return e['AWS_ACCESS_KEY_ID'], e['AWS_SECRET_ACCESS_KEY']

    def config(self, prefix):
        out = [f'[DEFAULT]\nhost = 127.0.0.1\nport = {self.port}\nis_secure = False\nssl_verify = False',
               f'[fixtures]\nbucket prefix = {prefix}-{{random}}-']
        for section, who, account, more in (('s3 main', 'main', MAIN, f'api_name = us-east-1\nkms_keyid = {KEYS[0]}\nkms_keyid2 = {KEYS[1]}'),
                                            ('s3 alt', 'alt', ALT, ''), ('s3 tenant', 'tenant', TENANT, 'tenant = '), ('iam', 'main', MAIN, ''),
                                            ('iam root', 'main', MAIN, ''), ('iam alt root', 'alt', ALT, '')):
            access, secret = self.keys(who)
            out.append(f'[{section}]\ndisplay_name = {account}\nuser_id = {account}\nemail = {who}@example.com\n'
                       f'access_key = {access}\nsecret_key = {secret}\n{more}')
        return '\n'.join(out) + '\n'

    def close(self):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGTERM)
            self.p.wait(20)
        self.p.stdout.close()


def outcomes(path):
    out = {}
    if not path.exists():
        return out
    for case in ET.parse(path).iter('testcase'):
        bad = next((c for c in case if c.tag in ('failure', 'error')), None)
        skipped = next((c for c in case if c.tag == 'skipped'), None)
        name = case.get('name').split('[')[0]
        worst = out.get(name)
        out[name] = ('failed', (bad.get('message') or '').replace('\n', ' ')[:300]) if bad is not None else \
            worst or (('skipped', skipped.get('message') or '') if skipped is not None else ('passed', ''))
    return out


def run(suite, server, tmp, number, tests):
    exe, env = python()
    conf, report = tmp / f'{number}.conf', tmp / f'{number}.xml'
    conf.write_text(server.config(f'c{number}'))
    (tmp / 'no_cleanup.py').write_text(PLUGIN)
    env.pop('PYTHONDONTWRITEBYTECODE', None)  # compiling the suite takes longer than many of its tests, so that is kept
    env = dict(env, S3TEST_CONF=str(conf), AWS_EC2_METADATA_DISABLED='true', PYTHONPYCACHEPREFIX=str(BUILD / 's3tests-cache'),
               PYTHONPATH=os.pathsep.join(filter(None, (str(tmp), str(suite), env.get('PYTHONPATH')))))
    p = subprocess.run([exe, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-p', 'no_cleanup', f'--junitxml={report}', '-o',
                        f'cache_dir={tmp}/cache', *(f's3tests/functional/test_s3.py::{t}' for t in tests)], cwd=suite, env=env,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=3600)
    got = outcomes(report)
    if not got:
        print('\n'.join('# ' + line for line in p.stdout.decode(errors='replace').splitlines()[-20:]))
    return got


def run_all(suite, tmp, tests, n_jobs, as_ceph):
    if not tests:
        return {}
    server, got = Server(tmp, as_ceph), {}
    try:
        with concurrent.futures.ThreadPoolExecutor(n_jobs) as pool:
            for job in [pool.submit(run, suite, server, tmp, i, tests[i::n_jobs]) for i in range(n_jobs) if tests[i::n_jobs]]:
                got.update(job.result())
    finally:
        server.close()
    return got


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--jobs', type=int, default=2)
    ap.add_argument('--group', action='append', default=[])
    ap.add_argument('--match', default='')
    ap.add_argument('--all', action='store_true')
    ap.add_argument('--json')
    a = ap.parse_args()
    suite = Path(os.environ.get('COFFER_S3TESTS', ''))
    if not os.environ.get('COFFER_S3TESTS') or not (suite / 's3tests/functional/test_s3.py').exists():
        skip_all('COFFER_S3TESTS names no checkout of ceph/s3-tests')
    if not LOCAL.exists():
        skip_all(f'{LOCAL} is not built')
    if python() is None:
        skip_all('no python3 with boto3, pytest, munch, requests, isodate and pytz')
    groups, out = collect(suite), left_out()
    wanted = [t for t, g in groups.items() if g in (a.group or GROUPS) and re.search(a.match, t)]
    running = [t for t in wanted if a.all or out.get(t, ('as Ceph',))[0] == 'as Ceph']
    whole = not a.match
    tmp = Path(tempfile.mkdtemp(prefix='coffer-s3tests-'))
    print(f'1..{len(wanted) + (len(set(PROMISED) & set(a.group or GROUPS)) if whole else 0)}', flush=True)
    got = {}
    try:
        ceph_tests = [t for t in running if out.get(t, ('',))[0] == 'as Ceph']
        got.update(run_all(suite, tmp, [t for t in running if t not in ceph_tests and t not in ALONE], a.jobs, False))
        got.update(run_all(suite, tmp, ceph_tests, a.jobs, True))
        for t in ALONE:
            got.update(run_all(suite, tmp, [t] if t in running else [], 1, False))
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    total, passed, ceph, listed, n = *(collections.Counter() for _ in range(4)), 0
    for t in wanted:
        n += 1
        how, why = got.get(t, ('failed', 'it did not run') if t in running else ('skipped', ''))
        total[groups[t]] += 1
        passed[groups[t]] += how == 'passed'
        ceph[groups[t]] += how == 'passed' and out.get(t, ('',))[0] == 'as Ceph'
        listed[groups[t]] += how != 'passed' and t in out and out[t][0] in STAYS_OUT
        if how == 'passed':
            print(f'ok {n} - {groups[t]}: {t}' + (f' ({out[t][0]})' if t in out else ''))
        elif t in out and out[t][0] != 'as Ceph':
            print(f'ok {n} - {groups[t]}: {t} # SKIP {out[t][0]}: {out[t][1]}')
        elif how == 'skipped':
            print(f'ok {n} - {groups[t]}: {t} # SKIP {why}')
        else:
            print(f'not ok {n} - {groups[t]}: {t}\n#   {why}')
    for g in GROUPS:
        if not total[g]:
            continue
        print(f'# {g}: {passed[g]} of {total[g]} passed ({ceph[g]} of them as Ceph), {listed[g]} stay out: {100 * passed[g] / (total[g] - listed[g] or 1):.1f} %')
        if g in PROMISED and whole:
            n += 1
            print(f'{"ok" if passed[g] >= 0.85 * (total[g] - listed[g]) else "not ok"} {n} - group {g}')
    if a.json:
        Path(a.json).write_text(json.dumps({t: [groups[t], *got.get(t, ('left out', ' '.join(out.get(t, ()))))] for t in wanted}, indent=1))


main()
