#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer policy rollover against coffer-local, with real enclaves on both sides: the old image works, both work once the new one is staged,
the new one's receipt proves it, and after finishing only the new one gets keys. What must be refused is refused, a step killed at any
moment is gone on with, and what somebody else changes meanwhile is noticed. C-10 C-11 C-13 C-15"""
import importlib.machinery, importlib.util, json, os, shutil, signal, ssl, subprocess, sys, time
from pathlib import Path

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from local import Checks
from rawaws import Signer, talk

loader = importlib.machinery.SourceFileLoader('demo', str(SOURCE / 'deploy' / 'local' / 'demo'))
demo_module = importlib.util.module_from_spec(importlib.util.spec_from_loader('demo', loader))
loader.exec_module(demo_module)
ZEROS = '0' * 96


class System(demo_module.Demo):
    KEYS = {**demo_module.Demo.KEYS, 'models': '0c0ffe00-30de-4000-8000-000000000003'}

    def begin(self):
        self.set_up()
        demo_module.root_certificate(self)
        self.tls = ssl.create_default_context(cafile=str(self.data / 'tls/ca.pem'))
        self.history = self.dir / 'rollover.jsonl'
        self.images = {'old': (self.config, self.pcrs)}
        (self.dir / 'old.json').write_text(json.dumps(self.pcrs))

    def other_image(self, name, visibility_s):
        """The same program with another configuration: PCR0 and PCR2 differ, PCR1 is shared."""
        config = json.loads(self.images['old'][0].read_text())
        config['visibility_s'] = visibility_s
        self.config = self.dir / f'enclave-{name}.json'
        self.config.write_text(json.dumps(config, indent=1) + '\n')
        self.pcrs = self.measure()
        self.images[name] = (self.config, self.pcrs)
        (self.dir / f'{name}.json').write_text(json.dumps(self.pcrs))

    def use(self, name):
        """Restarts the host with that image."""
        for which, p in list(self.running):
            if which == 'coffer-host':
                self.stop_host(p)
        (self.dir / 'coffer-enclave.log').unlink(missing_ok=True)
        self.config, self.pcrs = self.images[name]
        return self.start_host()

    def coffer(self, *args, who=None, timeout=60):
        p = subprocess.run([str(self.bin['coffer']), *map(str, args)], env=self.environment(who), capture_output=True, timeout=timeout,
                           stdin=subprocess.DEVNULL, cwd=self.dir, text=True)
        return p.returncode, p.stdout, p.stderr

    def keys(self, *names):
        return [x for n in names for x in ('--key', self.key_arn(n))]

    def rollover(self, step, *args, who='admin', history=None):
        return self.coffer('policy', 'rollover', step, '--history', history or self.history, *args, who=who)

    def stage(self, image, names=('data', 'results'), **more):
        return self.rollover('stage', *self.keys(*names), '--image', self.dir / f'{image}.json', **more)

    def kms(self, operation, who='admin', **body):
        e = self.environment(who)
        signer = Signer(e['AWS_ACCESS_KEY_ID'], e['AWS_SECRET_ACCESS_KEY'], f'localhost:{self.port}', e.get('AWS_SESSION_TOKEN'), service='kms')
        reply = talk(self.port, signer.request('POST', '/', json.dumps(body).encode(), content_type='application/x-amz-json-1.1', x_amz_target=f'TrentService.{operation}'), tls=self.tls)
        assert reply.status == 200, reply
        return json.loads(reply.body) if reply.body else {}

    def policy(self, name):
        return self.kms('GetKeyPolicy', KeyId=self.key_arn(name), PolicyName='default')['Policy']

    def put(self, name, text):
        self.kms('PutKeyPolicy', KeyId=self.key_arn(name), PolicyName='default', Policy=text)

    def lists(self, name):
        """-> the set of PCR0 values in all conditions, which must agree."""
        found = [tuple(v if isinstance(v, list) else [v]) for s in json.loads(self.policy(name))['Statement'] for op, keys in s.get('Condition', {}).items()
                 for k, v in keys.items() if op != 'Null' and k.endswith((':PCR0', ':ImageSha384'))]
        assert len(set(found)) == 1, found
        return set(found[0])

    def opens_to(self, *images):
        return all(self.lists(k) == {self.images[i][1]['PCR0'] for i in images} for k in ('data', 'results'))

    def fault(self, *args):
        self.run('coffer-local', ['fault', 'add', '-d', self.data, *args])

    def clear_faults(self):
        self.run('coffer-local', ['fault', 'clear', '-d', self.data])

    def await_log(self, *words, timeout=60):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and not any(w in self.tail('coffer-enclave') for w in words):
            time.sleep(0.02)
        return self.tail('coffer-enclave')

    def job_done(self, job=None):
        job = job or self.submit(self.picture_file)
        return job, self.coffer('status', job, '--wait', '60', *self.gateway(), timeout=90)[0] == 0

    def receipt_of(self, job, name):
        path = self.dir / name
        p = self.run('coffer', self.result_args(job) + ['-o', self.dir / 'out.json', '--receipt', path, '--json'], who='owner')
        assert p.returncode == 0
        return path


def refusals_before(s, check):
    before = s.policy('data'), s.policy('results')
    zero = {**json.loads((s.dir / 'new.json').read_text()), 'PCR0': ZEROS}
    (s.dir / 'zero.json').write_text(json.dumps(zero))
    code, _, err = s.stage('zero')
    check('an image of zeros (a debug enclave) is refused', code != 0 and 'debug enclave' in err, err)
    (s.dir / 'damaged.json').write_text(json.dumps({'Measurements': s.images['new'][1], 'CheckCRC': False}))
    code, _, err = s.stage('damaged')
    check('a damaged image is refused', code == 3 and 'CRC' in err, err)
    (s.dir / 'forged.json').write_text(json.dumps({'Measurements': s.images['new'][1], 'CheckCRC': True, 'IsSigned': True, 'SignatureCheck': False}))
    code, _, err = s.stage('forged')
    check('a signature that does not hold is refused', code == 3 and 'signature' in err, err)
    (s.dir / 'mixed.json').write_text(json.dumps({**s.images['old'][1], 'PCR2': s.images['new'][1]['PCR2']}))
    code, _, err = s.stage('mixed')
    check('the old PCR0 with another PCR2 is refused', code == 3 and 'PCR0' in err, err)
    code, _, err = s.stage('old')
    check('the image in force is no new one', code == 2 and 'already' in err, err)
    code, _, err = s.stage('new', who='auditor')
    check('the auditor may look, and not stage', code == 1 and 'AccessDenied' in err and 'admin role' in err, err)
    s.history.unlink()
    code, _, err = s.stage('new', who='consumer')
    check('the enclave\'s role may not even look', code == 1 and 'AccessDenied' in err, err)
    code, _, err = s.rollover('stage', '--key', 'alias/coffer-data', '--image', s.dir / 'new.json')
    check('an alias is refused', code == 2 and 'full ARN' in err, err)
    code, _, err = s.rollover('stage', *s.keys('data', 'results'), '--key', f'arn:aws:kms:us-east-1:{s.ACCOUNT}:key/0c0ffe00-5702-4000-8000-000000000004', '--image', s.dir / 'new.json')
    check('a key whose policy demands no image is refused, and no other is touched', code == 2 and 'demands no measurement' in err, err)
    for step, args in (('prove', ['--receipt', s.dir / 'new.json']), ('finish', []), ('abort', [])):
        code, _, err = s.rollover(step, *args)
        check(f'{step} with nothing staged is refused', code == 2 and 'no rollover is under way' in err, err)
    check('none of it changed a policy', (s.policy('data'), s.policy('results')) == before)


def signed_manifest(s, check):
    for name in ('release', 'stranger'):
        subprocess.run(['openssl', 'ecparam', '-name', 'secp384r1', '-genkey', '-noout', '-out', s.dir / f'{name}.pem'], check=True, capture_output=True)
        subprocess.run(['openssl', 'pkey', '-in', s.dir / f'{name}.pem', '-pubout', '-out', s.dir / f'{name}.pub'], check=True, capture_output=True)

    def sign(out, image, *more):
        code, _, err = s.coffer('manifest', 'sign', '-o', s.dir / out, '-k', s.dir / 'release.pem', '--image', 'facts', '--image-version', '2', '--serial', 7,
                                '--pcrs', s.dir / f'{image}.json', *more)
        assert code == 0, err
    sign('good', 'new', '--kms-key-id', s.key_arn('data'), '--kms-key-id', s.key_arn('results'))
    sign('other', 'old')
    sign('narrow', 'new', '--kms-key-id', s.key_arn('data'))
    sign('past', 'new', '--issued', '2024-01-01T00:00:00Z', '--days', 1)
    plan = lambda manifest, trust, *more: s.rollover('plan', *s.keys('data', 'results'), '--expect', s.dir / manifest, '--trust', s.dir / trust, *more)
    for title, got, says in (('another signer\'s manifest', plan('good', 'stranger.pub'), ''), ('a manifest of another image', plan('other', 'release.pub', '--image', s.dir / 'new.json'), 'not the image'),
                             ('a manifest that does not name the key', plan('narrow', 'release.pub'), 'does not name the key'), ('a manifest that is over', plan('past', 'release.pub'), ''),
                             ('an older release than was seen', plan('good', 'release.pub', '--min-serial', 8), 'serial')):
        check(f'{title} is refused', got[0] == 3 and says in got[2], got)
    code, out, err = plan('good', 'release.pub', '--json')
    check('the new image out of a signed manifest', code == 0 and json.loads(out)['new']['PCR0'] == s.images['new'][1]['PCR0'], err)


def image_files(s, check):
    """The new image as the file itself."""
    (s.dir / 'kernel').write_bytes(os.urandom(5000))
    (s.dir / 'ramdisk').write_bytes(os.urandom(9000))
    code, out, err = s.coffer('eif', 'build', '-o', s.dir / 'new.eif', '-k', s.dir / 'kernel', '-c', 'x', '-r', s.dir / 'ramdisk', '-r', s.dir / 'ramdisk')
    pcrs = json.loads(s.coffer('eif', 'describe', s.dir / 'new.eif', '--json')[1])['Measurements']
    look = lambda name, *more: s.coffer('policy', 'rollover', 'plan', *s.keys('data', 'results'), '--image', s.dir / name, '--json', *more, who='admin')
    code, out, err = look('new.eif')
    check('the image file itself is measured', code == 0 and json.loads(out)['new'] == {k: pcrs[k] for k in ('PCR0', 'PCR1', 'PCR2')}, err)
    code, _, err = look('new.eif', '--signed')
    check('--signed refuses one that is not', code == 3 and 'not signed' in err, err)
    code, _, err = look('new.json', '--signed')
    check('... and a description in its place', code == 2 and 'image itself' in err, err)
    whole = (s.dir / 'new.eif').read_bytes()
    for title, data in (('cut short', whole[:-7]), ('with a bit flipped', whole[:3000] + bytes([whole[3000] ^ 1]) + whole[3001:])):
        (s.dir / 'bad.eif').write_bytes(data)
        code, _, err = look('bad.eif')
        check(f'an image {title} is refused', code == 3, err)


def plan(s, check):
    before = s.policy('data')
    code, out, err = s.coffer('policy', 'rollover', 'plan', *s.keys('data', 'results'), '--image', s.dir / 'new.json', who='admin')
    old, new = s.images['old'][1], s.images['new'][1]
    check('plan shows what comes and what goes at the end', code == 0 and f'+ PCR0 {new["PCR0"]}' in out and f'- PCR0 {old["PCR0"]}' in out and f'  PCR1 {old["PCR1"]}' in out, out + err)
    check('... and changes nothing', s.policy('data') == before and not s.history.exists())


def race_inside(s, check):
    """Between the look and the second look somebody else changes the policy."""
    original = s.policy('results')
    s.fault('--service', 'kms', '--operation', 'GetKeyPolicy', '--latency', '2s', '--skip', '1', '--count', '1')
    p = subprocess.Popen([str(s.bin['coffer']), 'policy', 'rollover', 'stage', '--history', str(s.dir / 'race.jsonl'), *s.keys('results'), '--image', str(s.dir / 'new.json')],
                         env=s.environment('admin'), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=s.dir)
    deadline = time.monotonic() + 20
    while 'StageBegun' not in (s.dir / 'race.jsonl').read_text() if (s.dir / 'race.jsonl').exists() else True:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    code, _, err = s.stage('new', names=('results',), history=s.dir / 'race.jsonl')
    check('two at a time with one history: the second is sent away', code == 4 and 'another rollover' in err, err)
    document = json.loads(original)
    document['Id'] = 'changed-meanwhile'
    s.put('results', json.dumps(document))
    err = p.stderr.read().decode()
    p.stderr.close()
    check('a change by somebody else under its hands is noticed, and nothing written', p.wait(20) == 4 and 'meanwhile' in err and s.lists('results') == {s.images['old'][1]['PCR0']}, err)
    s.clear_faults()
    code, out, err = s.stage('new', names=('results',), history=s.dir / 'race.jsonl')
    check('run again it goes on with the policy as it is now', code == 0 and 'changed-meanwhile' in s.policy('results') and len(s.lists('results')) == 2, err)
    code, _, err = s.rollover('abort', history=s.dir / 'race.jsonl')
    check('and can be aborted', code == 0 and s.lists('results') == {s.images['old'][1]['PCR0']}, err)
    s.put('results', original)


def other_form(text):
    """As KMS gives policies back: members and lists in another order, blanks around colons, a single value without its list."""
    def turn(v):
        if isinstance(v, dict):
            return {k: turn(v[k]) for k in reversed(v)}
        if isinstance(v, list):
            return turn(v[0]) if len(v) == 1 else [turn(x) for x in reversed(v)]
        return v
    return json.dumps(turn(json.loads(text)), indent=2, separators=(',', ' : '))


def slow_kms(s, check):
    """KMS takes the new policy and goes on telling the old one for a while."""
    original, history = s.policy('results'), s.dir / 'slow.jsonl'
    s.fault('--service', 'kms', '--operation', 'PutKeyPolicy', '--latency', '1500ms', '--count', '1')
    p = subprocess.Popen([str(s.bin['coffer']), 'policy', 'rollover', 'stage', '--history', str(history), *s.keys('results'), '--image', str(s.dir / 'new.json'), '--wait', '20'],
                         env=s.environment('admin'), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=s.dir)
    deadline = time.monotonic() + 20
    while len(s.lists('results')) != 2:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    new = s.policy('results')
    s.put('results', other_form(original)) # what it tells while it lags behind
    time.sleep(2) # until after it was answered
    lagging = p.poll() is None
    s.put('results', other_form(new))
    err = p.stderr.read().decode()
    p.stderr.close()
    check('KMS lags behind: it is waited for', p.wait(30) == 0 and lagging, err)
    code, _, err = s.rollover('abort', '--wait', '0', history=history)
    check('its other form is the same policy', code == 0 and s.lists('results') == {s.images['old'][1]['PCR0']}, err)
    s.clear_faults()
    s.put('results', original)


def killed(s, check, step, *args, ready, states):
    """kill -9 after ever more milliseconds: each time the step, run again, brings it to the end."""
    survived, cut = [], 0
    for ms in (2, 10, 20, 30, 40, 60, 80):
        ready()
        p = subprocess.Popen([str(s.bin['coffer']), 'policy', 'rollover', step, '--history', str(s.history), *map(str, args)], env=s.environment('admin'),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=s.dir)
        time.sleep(ms / 1000)
        p.kill()
        cut += p.wait(20) == -signal.SIGKILL
        code, out, err = s.rollover('status', '--json')
        if code == 0:
            at = json.loads(out)['step']
        else:
            at = 'none' if 'No such file' in err else err
        code, _, err = s.rollover(step, *args) if at != states[-1] else (0, '', '')
        code2, out, err2 = s.rollover('status', '--json')
        survived.append(at in states and code == 0 and json.loads(out)['step'] == states[-1] or (ms, at, err + err2))
    check(f'{step} killed at {len(survived)} moments ({cut} in time): run again, it ends as it should', all(x is True for x in survived) and cut > 0, survived)


def run(s, check):
    s.picture_file = s.dir / 'picture.png'
    subprocess.run([str(s.picture), str(s.picture_file), '5'], check=True)
    s.begin()
    s.start_producer()
    s.other_image('new', 61)
    s.other_image('third', 62)
    s.use('old')
    job, ok = s.job_done()
    check('the old image works', ok, s.tail('coffer-enclave'))
    old_receipt = s.receipt_of(job, 'old.receipt')
    refusals_before(s, check)
    s.history.unlink(missing_ok=True)
    plan(s, check)
    signed_manifest(s, check)
    image_files(s, check)
    race_inside(s, check)
    slow_kms(s, check)

    ready = lambda: (s.history.unlink(missing_ok=True), [s.put(k, p) for k, p in saved.items()])
    saved = {k: s.policy(k) for k in ('data', 'results')}
    killed(s, check, 'stage', *s.keys('data', 'results'), '--image', s.dir / 'new.json', ready=ready, states=('none', 'staging', 'staged'))
    check('staged: both images are listed', s.opens_to('old', 'new'))
    check('everything else in the policies is as it was', [st['Sid'] for st in json.loads(s.policy('data'))['Statement']] == [st['Sid'] for st in json.loads(saved['data'])['Statement']])
    code, _, err = s.stage('new')
    check('staged twice is refused', code == 2 and 'staged' in err, err)
    job, ok = s.job_done()
    check('the old image goes on working', ok, s.tail('coffer-enclave'))

    stale = s.receipt_of(job, 'stale.receipt')
    (s.dir / 'rubbish').write_bytes(os.urandom(900))
    root = ['--root', s.dir / 'hypervisor-root.pem']
    for title, receipt, more in (('the old image\'s receipt', old_receipt, root), ('a newer receipt of the old image', stale, root), ('rubbish', s.dir / 'rubbish', root)):
        code, _, err = s.rollover('prove', '--receipt', receipt, *more)
        check(f'wrong canary: {title}', code == 3, err)
    code, _, err = s.rollover('finish')
    check('finish before the proof is refused', code == 2 and 'not yet proved' in err and s.opens_to('old', 'new'), err)

    s.use('new')
    job, ok = s.job_done()
    check('the new image gets keys', ok, s.tail('coffer-enclave'))
    receipt = s.receipt_of(job, 'new.receipt')
    code, _, err = s.rollover('prove', '--receipt', receipt)
    check('wrong canary: a receipt under another root than AWS\'s', code == 3, err)
    bent = bytearray(receipt.read_bytes())
    bent[len(bent) // 2] ^= 1
    (s.dir / 'bent.receipt').write_bytes(bent)
    code, _, err = s.rollover('prove', '--receipt', s.dir / 'bent.receipt', *root)
    check('wrong canary: one bit flipped', code == 3, err)
    code, out, err = s.rollover('prove', '--receipt', receipt, *root, '--json')
    check('the new image\'s receipt proves both keys', code == 0 and [k['proven'] for k in json.loads(out)['keys']] == [True, True], err)

    staged = s.policy('data')
    document = json.loads(staged)
    document['Statement'].append({'Sid': 'Surprise', 'Effect': 'Deny', 'Principal': '*', 'Action': 'kms:Sign', 'Resource': '*'})
    s.put('data', json.dumps(document))
    code, _, err = s.rollover('finish')
    check('a policy that somebody changed since: finish stops before anything', code == 1 and 'changed since it was staged' in err and s.opens_to('old', 'new'), err)
    s.put('data', other_form(staged)) # which is no change
    shutil.copy(s.history, s.dir / 'proved.jsonl')
    both = {k: s.policy(k) for k in ('data', 'results')}
    back = lambda: (shutil.copy(s.dir / 'proved.jsonl', s.history), [s.put(k, p) for k, p in both.items()])
    killed(s, check, 'finish', ready=back, states=('proved', 'finishing', 'finished'))
    check('finished: the new image alone is listed', s.opens_to('new'))
    job, ok = s.job_done()
    check('the new image goes on', ok, s.tail('coffer-enclave'))

    s.use('old')
    job = s.submit(s.picture_file)
    log = s.await_log('AccessDenied')
    check('the old image is refused its keys', 'kms: AccessDenied' in log and s.coffer('status', job, *s.gateway())[0] == 4, log)
    s.use('new')
    job, ok = s.job_done(job)
    check('and its job is done by the new one', ok, s.tail('coffer-enclave'))

    after = {k: json.loads(s.policy(k)) for k in ('data', 'results')}
    code, _, err = s.stage('third', names=('data', 'results', 'models'))
    check('keys that do not stand at one image are refused together', code == 2 and 'another image' in err, err)
    code, _, err = s.stage('third')
    check('the next rollover begins', code == 0 and s.opens_to('new', 'third'), err)
    code, out, err = s.rollover('status')
    check('status tells where it stands, and what each key opens to', code == 0 and out.startswith('staged: ') and out.count('opens to old new') == 2, out + err)
    look = ['policy', 'rollover', 'plan', *s.keys('data', 'results'), '--image', s.dir / 'old.json']
    code, _, err = s.coffer(*look, who='admin')
    check('where several images are listed it must be told which one goes', code == 2 and 'several images' in err and '--old' in err, err)
    code, out, err = s.coffer(*look, '--old', s.dir / 'third.json', '--json', who='admin')
    check('... with --old', code == 0 and json.loads(out)['old']['PCR0'] == s.images['third'][1]['PCR0'], err)
    code, _, err = s.rollover('abort')
    check('aborted: as before', code == 0 and {k: json.loads(s.policy(k)) for k in after} == after, err)
    job, ok = s.job_done()
    check('and working', ok, s.tail('coffer-enclave'))
    models(s, check)
    histories(s, check)


def models(s, check):
    """A key that no receipt tells of."""
    history = s.dir / 'models.jsonl'
    code, _, err = s.stage('third', names=('models', 'data'), history=history)
    check('keys of different images are not mixed', code == 2, err)
    code, _, err = s.stage('new', names=('models',), history=history)
    check('the models\' key follows by itself', code == 0, err)
    code, _, err = s.rollover('prove', '--receipt', s.dir / 'new.receipt', '--root', s.dir / 'hypervisor-root.pem', history=history)
    check('wrong canary: a receipt from before the staging', code == 3, err)
    job, ok = s.job_done()
    receipt = s.receipt_of(job, 'later.receipt')
    code, _, err = s.rollover('prove', '--receipt', receipt, '--root', s.dir / 'hypervisor-root.pem', history=history)
    check('wrong canary: a receipt that tells nothing of the key', code == 3 and 'none of the keys' in err, err)
    code, _, err = s.rollover('abort', history=history)
    check('what cannot be proved is aborted', code == 0, err)


def histories(s, check):
    code, out, err = s.rollover('history')
    words = [line.split()[1] for line in out.splitlines()[:-1]]
    who = f'arn:aws:sts::{s.ACCOUNT}:assumed-role/coffer-admin/'
    check('the history tells who did what', code == 0 and words == ['StageBegun', 'Staged', 'Proved', 'FinishBegun', 'Finished', 'StageBegun', 'Staged', 'AbortBegun', 'Aborted']
          and all(who in line for line in out.splitlines()[:-1]), out + err)
    lines = s.history.read_text().splitlines()
    begun, proved = json.loads(lines[0]), json.loads(lines[2])
    check('... with both images, the policies before, and the evidence', begun['old']['PCR0'] == s.images['old'][1]['PCR0'] and begun['new']['PCR0'] == s.images['new'][1]['PCR0'] and
          all(json.loads(k['policy'])['Statement'] for k in begun['keys']) and proved['evidence']['dataKey'] == s.key_arn('data') and len(proved['evidence']['receiptSha256']) == 64)
    code, out, err = s.coffer('audit', 'verify', s.history, '--from-start')
    check('coffer audit verify reads it', code == 0, out + err)
    for title, text in (('a record changed', '\n'.join([lines[0], lines[1].replace('coffer-admin', 'coffer-other'), *lines[2:]]) + '\n'),
                        ('a record left out', '\n'.join(lines[:2] + lines[3:]) + '\n'), ('the beginning left out', '\n'.join(lines[1:]) + '\n')):
        (s.dir / 'bad.jsonl').write_text(text)
        code, _, err = s.rollover('history', history=s.dir / 'bad.jsonl')
        check(f'tampered with ({title}): refused', code == 3, err)
    (s.dir / 'torn.jsonl').write_text('\n'.join(lines) + '\n' + lines[-1][:77])
    code, out, err = s.rollover('stage', *s.keys('data', 'results'), '--image', s.dir / 'third.json', history=s.dir / 'torn.jsonl')
    check('a record that a kill left half written is taken away', code == 0 and len((s.dir / 'torn.jsonl').read_text().splitlines()) == len(lines) + 2, err)
    s.rollover('abort', history=s.dir / 'torn.jsonl')


def main():
    check, s = Checks(), System(BUILD, False)
    try:
        run(s, check)
    except Exception as e:  # what broke is a failed check, with what the programs said
        import traceback
        check(f'the test itself: {type(e).__name__}: {e}', False, traceback.format_exc() + '\n'.join(s.tail(n)[-600:] for n in ('coffer-local', 'coffer-host', 'coffer-enclave', 'coffer-producer')))
    finally:
        s.stop()
    sys.exit(check.done())


main()
