#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hostile process in the parent's place, against the real enclave: it hands over other credentials, answers CONNECT with anything, ends
TLS itself, and where it is given even the enclave's own authority (the worst case) it changes, forges and replays what KMS, STS and S3
say. C-01 C-02 C-04 C-05 C-06 C-07 C-08 C-16 C-20 C-22 C-23 C-25 C-27 C-34 C-36 C-37"""
import base64, json, os, shutil, subprocess, sys, time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / 'tools'))
from hostile_host import BUILD, SOURCE, System, demo, field, forge, public_key_of
from local import Checks

check = Checks()


def channel(s):
    """What a host can do that has no certificate of the enclave's authorities."""
    for name, context, word in (('C-05 a host that ends TLS itself, under an authority of its own', s.context_for('localhost', ca=True), 'certificate'),
                                ('C-05 a host with a right certificate for another name', s.context_for('elsewhere.example'), 'certificate')):
        h = s.host(tls=context)
        h.launch()
        log = s.log('enclave.not_started', 'enclave.ready')
        check(name + ': not a byte of a request reaches it', 'not_started' in log and word in log.lower() and not h.seen, f'{log} {h.trouble}')
        h.stop()
    answers = {'garbage': b'\0' * 400, 'no TLS behind the answer': b'HTTP/1.1 200 x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'a refusal': b'HTTP/1.1 407 x\r\n\r\n',
               'an endless head': b'HTTP/1.1 200 x\r\n' + b'X: ' + b'a' * 200000, 'a length beside 200': b'HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\nhello',
               'nothing, and the end': b''}
    for name, data in answers.items():
        h = s.host(connect=lambda c, target, data=data: c.sendall(data))
        h.launch()
        log = s.log('enclave.not_started', 'enclave.ready', seconds=20)
        check(f'C-20 CONNECT answered by {name}: the enclave ends in order', 'enclave.not_started' in log, log)
        h.stop()


def credentials(s):
    other = s.credentials_json('stranger')
    cases = [('C-08 another account\'s credentials', lambda: (200, other), 'belong to another account'),
             ('C-27 credentials that have expired', lambda: (200, s.credentials_json('consumer', seconds=-60)), 'expired'),
             ('no credentials', lambda: (503, b'{}'), 'credentials'),
             ('credentials that are no JSON', lambda: (200, b'{"AccessKeyId":'), 'credentials'),
             ('a header smuggled in the token (C-38)', lambda: (200, s.credentials_json('consumer', Token='x\r\nX-Evil: 1')), ''),
             ('a megabyte of credentials', lambda: (200, s.credentials_json('consumer', Token='x' * 1000000)), 'credentials'),
             ('credentials of nobody', lambda: (200, s.credentials_json('consumer', AccessKeyId='ASIAAAAAAAAAAAAAAAAA')), 'InvalidClientTokenId')]
    for name, give, word in cases:
        h = s.host(credentials=give, tls=s.context_for('localhost'))
        h.launch()
        log = s.log('enclave.not_started', 'enclave.ready')
        evil = [r for r in h.seen if field(r.fields, 'x-evil')]
        check(f'{name}: the enclave does not start', 'not_started' in log and word in log and not evil, log)
        h.stop()
    # the swap comes later: the first credentials are right and end soon, the next are another account's
    give = iter([s.credentials_json('consumer', seconds=30)])
    h = s.host(credentials=lambda: (200, next(give, other)), tls=s.context_for('localhost'))
    h.launch()
    log = s.log('another account')
    calls = [r.target for r in h.seen if r.target]
    check('C-08 another account\'s credentials at the first refresh: used for nothing but asking whose they are',
          'belong to another account' in log and not calls, f'{log} {calls}')
    h.stop()
    h = s.host(credentials=lambda: (200, s.credentials_json('producer')), tls=s.context_for('localhost'))
    h.launch()
    denied = s.until(lambda: any(r.target == 'ReceiveMessage' and b'AccessDenied' in body for r, _, body in h.answers))
    check('C-08 credentials of another role of the account get no job', denied and not any(r.target == 'Decrypt' for r in h.seen), h.answers)
    h.stop()
    h = s.host(credentials=lambda: (200, s.credentials_json('consumer', seconds=60)))
    h.launch()
    s.log('enclave.ready')
    check('C-27 credentials that end soon are fetched anew before they do', s.status(s.submit(s.picture_file))[0] == 'done' and h.n_credentials >= 2, h.n_credentials)
    h.stop()


def process(s):
    """What the machine sees of a running enclave (root, here)."""
    h = s.host()
    pid = h.launch()['pid']
    s.log('enclave.ready')
    job = s.submit(s.picture_file)
    done = s.status(job)
    check('the honest way through this host works', done[0] == 'done', f'{done} {s.tail("coffer-enclave")}')
    check('C-34 the enclave goes to the endpoints of its configuration and nowhere else', set(h.targets) == {f'localhost:{s.port}'}, h.targets)
    key, secret, token = s.credentials_of('consumer')
    proc = Path(f'/proc/{pid}')
    argv, environ = (proc / 'cmdline').read_bytes(), (proc / 'environ').read_bytes()
    check('C-27 C-16 its environment is empty, its arguments are its name', environ == b'' and b'\0' not in argv.rstrip(b'\0'), f'{argv} {environ}')
    status = dict(line.split(':\t', 1) for line in (proc / 'status').read_text().splitlines() if ':\t' in line)
    check('C-23 it has no capability, cannot gain one, and runs under a filter of system calls', {status[f'Cap{x}'].strip('0\n ') for x in ('Inh', 'Prm', 'Eff', 'Amb')} == {''} and
          status['NoNewPrivs'].strip() == '1' and status['Seccomp'].strip() == '2', {k: v for k, v in status.items() if k.startswith(('Cap', 'No', 'Sec'))})
    if 'no_network_namespace' not in s.tail('coffer-enclave'):
        devices = [line.split(':')[0].strip() for line in (proc / 'net/dev').read_text().splitlines()[2:]]
        check('C-34 it has no network device', devices == ['lo'], devices)
    check('C-25 its memory is locked where it may be, and small', (int(status['VmLck'].split()[0]) > 0 or 'memory_not_locked' in s.tail('coffer-enclave')) and
          int(status['VmRSS'].split()[0]) < 32768, f'{status["VmLck"]} {status["VmRSS"]}')
    head = s.bin['coffer-enclave'].read_bytes()
    check('C-16 it is linked statically, so nothing unmeasured is loaded into it', b'/ld-linux' not in head[:4096] and b'ld-musl' not in head[:4096])
    h.stop()
    return job


def worst(s, name, **behaviour):
    """A host that sits inside the enclave's TLS, which it cannot unless it has the authority's key: what still stands then."""
    h = s.host(tls=s.context_for('localhost'), **behaviour)
    h.launch()
    log = s.log('enclave.ready', 'enclave.not_started')
    check(f'({name}) the rig sits in the middle', 'enclave.ready' in log and h.seen, log)
    return h


def answers_of_kms(s):
    wrong = f'arn:aws:kms:us-east-1:{s.ACCOUNT}:key/{s.KEYS["results"]}'
    plain = base64.b64encode(bytes(32)).decode()

    def change(target, edit):
        def on_answer(r, status, fields, body):
            if r.target != target or status != 200:
                return status, fields, body
            return status, fields, json.dumps(edit(json.loads(body))).encode()
        return on_answer
    cases = [('C-04 C-36 Decrypt answers for another key', change('Decrypt', lambda a: {**a, 'KeyId': wrong})),
             ('C-36 Decrypt names no key', change('Decrypt', lambda a: {k: v for k, v in a.items() if k != 'KeyId'})),
             ('C-07 Decrypt answers in plain', change('Decrypt', lambda a: {'KeyId': a['KeyId'], 'EncryptionAlgorithm': 'SYMMETRIC_DEFAULT', 'Plaintext': plain})),
             ('C-07 Decrypt answers in plain beside the right answer', change('Decrypt', lambda a: {**a, 'Plaintext': plain})),
             ('C-05 the envelope with one bit changed', change('Decrypt', lambda a: {**a, 'CiphertextForRecipient': flip(a['CiphertextForRecipient'], -20)})),
             ('C-05 an envelope for nobody here', change('Decrypt', lambda a: {**a, 'CiphertextForRecipient': flip(a['CiphertextForRecipient'], 60)})),
             ('C-05 an envelope cut short', change('Decrypt', lambda a: {**a, 'CiphertextForRecipient': a['CiphertextForRecipient'][:200]}))]
    reasons = set()
    h = worst(s, 'answers of KMS')
    for name, on_answer in cases:
        h.on_answer = on_answer
        job = s.submit(s.picture_file)
        state, reason = s.status(job)
        reasons.add(reason)
        check(f'{name}: the job is refused', state == 'refused' and reason == 'data-key-refused' and no_result(s, job), f'{state} {reason}')
    check('and all of it is one word outside', reasons == {'data-key-refused'}, reasons)

    def forged(r, status, fields, body):
        if r.target != 'Decrypt' or status != 200:
            return status, fields, body
        a, document = json.loads(body), base64.b64decode(r.json()['Recipient']['AttestationDocument'])
        return status, fields, json.dumps({**a, 'CiphertextForRecipient': base64.b64encode(forge(document, b'k' * 32, s.dir)).decode()}).encode()
    h.on_answer = forged
    job = s.submit(s.picture_file)
    state, reason = s.status(job)
    check('C-05 a forged envelope with a data key of the attacker\'s: what it opens is not what the header commits to', state == 'refused' and
          reason == 'message-altered' and no_result(s, job), f'{state} {reason} {h.trouble}')

    h.on_answer = lambda r, status, fields, body: (status, fields, body)
    first = s.submit(s.picture_file)
    s.status(first)
    old = next(r for r in reversed(h.seen) if r.target == 'Decrypt').json()

    def swapped(r): # the host asks KMS, with the credentials it handed over, for the key of another object: KMS answers this very enclave
        if r.target != 'Decrypt':
            return None
        body = {**r.json(), 'CiphertextBlob': old['CiphertextBlob'], 'EncryptionContext': old['EncryptionContext']}
        return s.signed_again('consumer', r, json.dumps(body).encode())
    h.on_request = swapped
    job = s.submit(s.picture_file)
    state, reason = s.status(job)
    check('C-01 C-02 another object\'s wrapped key and context, released by KMS to this enclave: the message does not open', state == 'refused' and
          reason == 'message-altered' and no_result(s, job), f'{state} {reason} {h.trouble}')
    h.on_request = lambda r: None

    # C-06: a document is good for any call while it is fresh. What it brings is sealed for the key inside.
    document = old['Recipient']['AttestationDocument']
    stolen = s.kms('consumer', 'Decrypt', KeyId=old['KeyId'], CiphertextBlob=old['CiphertextBlob'], EncryptionContext=old['EncryptionContext'], Recipient=old['Recipient'])
    answer = json.loads(stolen.body) if stolen.status == 200 else {}
    check('C-06 a captured document in a call of the host\'s own: KMS answers, and nothing in the answer is plain', stolen.status == 200 and
          set(answer) <= {'CiphertextForRecipient', 'KeyId', 'EncryptionAlgorithm', 'KeyMaterialId'}, f'{stolen} {list(answer)}')
    raw = base64.b64decode(document)
    mine = subprocess.run(['openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-outform', 'DER'], capture_output=True, check=True).stdout
    spki = subprocess.run(['openssl', 'pkey', '-inform', 'DER', '-pubout', '-outform', 'DER'], input=mine, capture_output=True, check=True).stdout
    assert len(spki) == len(public_key_of(raw))
    for name, bad in (('with the host\'s public key in it', raw.replace(public_key_of(raw), spki)), ('cut short', raw[:-1]), ('with a byte more', raw + b'\0')):
        got = s.kms('consumer', 'Decrypt', KeyId=old['KeyId'], CiphertextBlob=old['CiphertextBlob'], EncryptionContext=old['EncryptionContext'],
                    Recipient={'KeyEncryptionAlgorithm': 'RSAES_OAEP_SHA_256', 'AttestationDocument': base64.b64encode(bad).decode()})
        check(f'C-06 the document {name}: refused', got.status == 400 and got.code == 'ValidationException', got)
    got = s.kms('consumer', 'Decrypt', KeyId=old['KeyId'], CiphertextBlob=old['CiphertextBlob'], EncryptionContext=old['EncryptionContext'])
    check('C-11 and without any: denied', got.code == 'AccessDeniedException', got)

    def throttle(r):
        return (400, [('Content-Type', 'application/x-amz-json-1.1')], b'{"__type":"ThrottlingException","message":"Rate exceeded"}') if r.target == 'Decrypt' else None
    h.on_request = throttle
    job = s.submit(s.picture_file)
    s.log('ThrottlingException')
    check('C-37 KMS throttles: the job waits, and its message is not deleted', s.status(job, 0)[0] == 'pending' and
          not any(r.target == 'DeleteMessage' for r in h.seen[-3:]), s.tail('coffer-enclave')[-300:])
    h.on_request = lambda r: None
    check('C-37 and is done when KMS answers again', s.status(job, 30)[0] == 'done', s.tail('coffer-enclave')[-300:])

    h.on_answer = lambda r, status, fields, body: (status, [(n, v) for n, v in fields if n.lower() != 'date'] + [('Date', 'Fri, 01 Jan 2038 00:00:00 GMT')], body) \
        if r.target != 'Decrypt' else (400, [('Date', 'Fri, 01 Jan 2038 00:00:00 GMT'), ('Content-Type', 'application/x-amz-json-1.1')],
                                       b'{"__type":"InvalidSignatureException","message":"Signature expired"}')
    job = s.submit(s.picture_file)
    s.log('InvalidSignatureException')
    h.on_answer = lambda r, status, fields, body: (status, fields, body)
    before = time.time() * 1000
    state = s.status(job, 30)
    times = json.loads(s.receipt(job)[1] or b'{}')
    check('C-22 services that say it is 2038: the enclave keeps the hypervisor\'s time, as its receipt shows', state[0] == 'done' and
          abs(times.get('finished_ms', 0) - before) < 60000, f'{state} {times}')
    h.stop()


def flip(text, at):
    raw = bytearray(base64.b64decode(text))
    raw[at] ^= 1
    return base64.b64encode(raw).decode()


def no_result(s, job):
    return s.call('owner', 's3', 'GET', f'/{s.BUCKET}/results/{s.TENANT}/{job}').status in (403, 404)


def forged_data_key(s):
    """Not a defence but its limit: whoever is inside TLS chooses the key that a result is sealed under. This is why TLS must end in the
    enclave, with authorities of its image, and why no certificate of the host's gets it there (above)."""
    chosen, taken = b'r' * 32, []

    def forged(r, status, fields, body):
        if r.target == 'GenerateDataKey' and status == 200:
            a, document = json.loads(body), base64.b64decode(r.json()['Recipient']['AttestationDocument'])
            body = json.dumps({**a, 'CiphertextForRecipient': base64.b64encode(forge(document, chosen, s.dir)).decode()}).encode()
        return status, fields, body

    def look(r):
        if r.method == 'PUT' and r.path.startswith(f'/{s.BUCKET}/results/'):
            taken.append(r.body)
        return None
    h = worst(s, 'a forged data key', on_answer=forged, on_request=look)
    job = s.submit(s.picture_file)
    state = s.status(job)
    out = s.dir / 'owner.out'
    code, _, err = s.coffer(*s.result_args(job), '-o', out, who='owner')
    check('C-05 the limit: inside TLS a data key can be forged, so TLS ends in the enclave; the owner, at least, is not deceived', state[0] == 'done' and taken and
          code != 0 and not out.exists(), f'{state} {code} {err} {h.trouble}')
    h.stop()


def unmeasured(s):
    """Keys and their size are the configuration's, and the configuration is measured."""
    usual, keys = s.config, []
    s.config = s.dir / 'other.json'
    s.config.write_text(json.dumps({**json.loads(usual.read_text()), 'recipient_key': {'rsa_bits': 3072, 'epoch_s': 0}}))

    def look(r):
        if r.target in ('Decrypt', 'GenerateDataKey'):
            keys.append(public_key_of(base64.b64decode(r.json()['Recipient']['AttestationDocument'])))
        return None
    h = worst(s, 'another configuration', on_request=look)
    s.submit(s.picture_file)
    log = s.log('AccessDenied')
    check('C-16 a configuration that is not the measured one is denied the data key; its recipient key has the 3072 bits it asks for',
          'kms: AccessDenied' in log and keys and len(keys[0]) == 422, f'{log} {[len(k) for k in keys]}')
    h.stop()
    s.config = usual


class Twofold(System):
    """The usual account, and a stranger's beside it."""

    def set_up(self):
        shutil.copytree(SOURCE / 'deploy' / 'iam', self.dir / 'deploy' / 'iam')
        (self.dir / 'deploy' / 'local').mkdir()
        manifest = json.loads((SOURCE / 'deploy' / 'local' / 'manifest.json').read_text())
        manifest['accounts'] = [{'id': '444455556666', 'credentials': [{'name': 'stranger', 'root': True}]}]
        self.manifest = self.dir / 'deploy' / 'local' / 'manifest.json'
        self.manifest.write_text(json.dumps(manifest))
        super().set_up()
        self.picture_file = self.dir / 'picture.png'
        subprocess.run([str(self.picture), str(self.picture_file), '3'], check=True)
        demo.root_certificate(self)
        self.start_producer()

    def receipt(self, job):
        out = self.dir / f'{job}.out'
        return self.coffer(*self.result_args(job), '-o', out, '--json', who='owner')


def main():
    s = Twofold(BUILD, False)
    try:
        s.set_up()
        channel(s)
        credentials(s)
        process(s)
        answers_of_kms(s)
        forged_data_key(s)
        unmeasured(s)
    except Exception as e:  # a broken set-up must show as a failed test
        import traceback
        check(f'the test itself: {type(e).__name__}: {e}', False, traceback.format_exc() + '\n'.join(s.tail(n) for n in ('coffer-local', 'coffer-enclave', 'coffer-producer')))
    finally:
        s.stop()
    return check.done()


sys.exit(main())
