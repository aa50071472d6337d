#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Model-bound keys: the enclave measures the model it loads into PCR16 and locks it, and the data key's policy demands one model. A second
model in its place, in the very same image, is refused the data key; a model sealed as another is not even loaded. C-03 C-10"""
import hashlib, importlib.machinery, importlib.util, json, os, shutil, subprocess, time
from pathlib import Path

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])
loader = importlib.machinery.SourceFileLoader('demo', str(SOURCE / 'deploy' / 'local' / 'demo'))
demo_module = importlib.util.module_from_spec(importlib.util.spec_from_loader('demo', loader))
loader.exec_module(demo_module)
RESULTS = []
MODEL, MODELS_KEY = 'models/demo/1', 'arn:aws:kms:us-east-1:111122223333:key/0c0ffe00-30de-4000-8000-000000000003'


def check(name, ok, evidence=''):
    RESULTS.append((name, bool(ok), str(evidence)))


class System(demo_module.Demo):
    def coffer(self, *args, who=None, timeout=90):
        p = subprocess.run([str(self.bin['coffer']), *map(str, args)], env=self.environment(who), capture_output=True, timeout=timeout,
                           stdin=subprocess.DEVNULL, cwd=self.dir)
        return p.returncode, p.stdout, p.stderr.decode(errors='replace')

    def bind_to(self, pcr16):
        """The usual account, with one more Deny in the data key's policy: no other model."""
        shutil.copytree(SOURCE / 'deploy' / 'iam', self.dir / 'deploy' / 'iam')
        (self.dir / 'deploy' / 'local').mkdir()
        self.manifest = shutil.copy(SOURCE / 'deploy' / 'local' / 'manifest.json', self.dir / 'deploy' / 'local')
        policy = self.dir / 'deploy' / 'iam' / 'key-data.json'
        document = json.loads(policy.read_text())
        document['Statement'].append({'Sid': 'DenyOtherModels', 'Effect': 'Deny', 'Principal': '*', 'Action': ['kms:Decrypt', 'kms:DeriveSharedSecret'],
                                      'Resource': '*', 'Condition': {'StringNotEquals': {'kms:RecipientAttestation:PCR16': pcr16}}})
        policy.write_text(json.dumps(document))

    def push(self, path, key=MODEL, who='deployer'):
        return self.coffer('put', path, f's3://{self.BUCKET}/{MODEL}', '--seal', f'kms:{MODELS_KEY}', '-c', 'purpose=model', '-c', f'key={key}', who=who)

    def await_log(self, *words):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not any(w in self.tail('coffer-enclave') for w in words):
            time.sleep(0.05)
        return self.tail('coffer-enclave')

    def restart(self, host):
        self.stop_host(host)
        (self.dir / 'coffer-enclave.log').unlink(missing_ok=True)
        return self.start_host()


def run(s):
    one, two, picture = s.dir / 'one', s.dir / 'two', s.dir / 'picture.png'
    one.write_bytes(os.urandom(100_000)), two.write_bytes(os.urandom(100_000))
    subprocess.run([str(s.picture), str(picture), '5'], check=True)
    code, out, err = s.coffer('model', 'measure', one, '--json')
    measured = json.loads(out)
    sha384 = hashlib.sha384(one.read_bytes()).digest()
    check('model measure: PCR16 is the extended digest', measured['PCR16'] == hashlib.sha384(bytes(48) + sha384).hexdigest(), err)
    s.bind_to(measured['PCR16'])
    # An enclave that is ended holds its job for the visibility, so the shortest; and it is ended as soon as it was refused, or the five receptions run out.
    # One attestation document serves long: the one of before the model must not serve on.
    s.more_config = {'model': {'key': MODEL, 'key_arn': MODELS_KEY}, 'recipient_key': {'rsa_bits': 3072, 'document_s': 240}, 'visibility_s': 10}
    s.set_up()
    demo_module.root_certificate(s)
    code, _, err = s.push(one)
    check('a deployer with a second factor pushes the model', code == 0, err)
    code, _, err = s.push(two, who='consumer')
    check('the host may not', code == 1 and 'AccessDenied' in err, err)
    host = s.start_host()
    s.start_producer()
    job = s.submit(picture)
    code, _, err = s.coffer('status', job, '--wait', '60', *s.gateway())
    check('the model that the key policy names: the job is done, at once', code == 0 and '"job.later"' not in s.tail('coffer-enclave'), err + s.tail('coffer-enclave'))
    check('with a recipient key of 3072 bits, as the measured configuration says', '"recipient_rsa_bits":"3072"' in s.tail('coffer-enclave'), s.tail('coffer-enclave'))
    out = s.dir / 'out.json'
    code, said, err = s.coffer(*s.result_args(job), '--pcr', f'16={measured["PCR16"]}', '-o', out, '--json', who='owner')
    check('its receipt proves PCR16, and the result names the model', code == 0 and json.loads(said)['pcrs']['16'] == measured['PCR16'] and
          json.loads(out.read_text())['model_sha256'] == hashlib.sha256(one.read_bytes()).hexdigest(), err)

    code, _, err = s.push(two)
    check('the deployer puts a second model in its place', code == 0, err)
    host = s.restart(host)
    job = s.submit(picture)
    log = s.await_log('AccessDenied')
    s.stop_host(host)
    check('the same image with the second model is refused the data key', 'enclave.model_loaded' in log and 'kms: AccessDenied' in log, log)
    check('and the job waits', s.coffer('status', job, *s.gateway())[0] == 4)

    code, _, err = s.push(one, key='models/demo/0')
    host = s.restart(host)
    log = s.await_log('enclave.not_started')
    check('a model sealed as another is not loaded', 'sealed as something else' in log and 'enclave.model_loaded' not in log, log)

    s.push(one)
    host = s.restart(host)
    code, _, err = s.coffer('status', job, '--wait', '60', *s.gateway())
    check('with the first model back the job is done', code == 0, err + s.tail('coffer-enclave'))


def main():
    s = System(BUILD, False)
    try:
        run(s)
    except Exception as e:  # what broke is a failed check, with what the programs said
        check(f'the test itself: {type(e).__name__}: {e}', False, '\n'.join(s.tail(n) for n in ('coffer-local', 'coffer-host', 'coffer-enclave', 'coffer-producer')))
    finally:
        s.stop()
    print(f'1..{len(RESULTS)}')
    for i, (name, ok, evidence) in enumerate(RESULTS, 1):
        print(f'{"ok" if ok else "not ok"} {i} - {name}')
        if not ok:
            print('\n'.join('# ' + line for line in evidence.splitlines()[-20:]))


main()
