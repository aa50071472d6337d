#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an enclave's measured configuration says of keys and results, with the whole main job: recipient keys of 4096 bits with one attestation
document for all calls, results padded to a class of sizes and held back to a multiple of time; beside an enclave with none of that. C-24"""
import hashlib, json, shutil, struct, subprocess, sys, zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / 'tools'))
from hostile_host import BUILD, SOURCE, System, demo
from local import Checks

check = Checks()
RELEASE_MS = 700


def pictures(s):
    """Two of one kind whose results differ in length: the file's size stands there in decimal."""
    small, large = s.dir / 'small.png', s.dir / 'large.png'
    subprocess.run([str(s.picture), str(small), '3'], check=True)
    data = small.read_bytes()
    words = b'tEXtComment\0' + b'x' * 10 ** len(str(len(data)))
    large.write_bytes(data[:33] + struct.pack('>I', len(words) - 4) + words + struct.pack('>I', zlib.crc32(words)) + data[33:])
    return small, large


def work(s, path):
    """-> the job, what the owner got, the proof"""
    job, out = s.submit(path), s.dir / 'out.json'
    state = s.status(job, 60)
    code, said, err = s.coffer(*s.result_args(job), '-o', out, '--input', path, '--json', who='owner')
    assert state[0] == 'done' and code == 0, f'{state} {code} {err} {s.tail("coffer-enclave")}'
    return job, out.read_bytes(), json.loads(said)


def sizes(s, job, proof):
    """Of the sealed result and of the receipt, as whoever reads the bucket's listing has them."""
    return [len(s.call('owner', 's3', 'GET', f'/{s.BUCKET}/{key}').body) for key in
            (f'results/{s.TENANT}/{job}', f'receipts/{s.TENANT}/{job}/{proof["output_sealed_sha256"]}')]


def start(s, more):
    s.more_config = more
    s.set_up()
    demo.root_certificate(s)
    host = s.start_host()
    s.start_producer()
    return host


def padded(s):
    host = start(s, {'recipient_key': {'rsa_bits': 4096, 'document_s': 240}, 'results': {'padding': 'padme-4096', 'release_ms': RELEASE_MS}})
    log = s.log('enclave.ready', 'enclave.not_started', seconds=120)
    check('an enclave with a recipient key of 4096 bits starts', '"recipient_rsa_bits":"4096"' in log, log)
    done = [work(s, p) for p in pictures(s)]
    got = [json.loads(out)['bytes'] for _, out, _ in done]
    check('two jobs through it, by one attestation document: opened, and their receipts verified against input and measurements', got == [p.stat().st_size for p in pictures(s)], got)
    lengths, seen = [len(out) for _, out, _ in done], [sizes(s, job, proof) for job, _, proof in done]
    check('C-24 two results of different length have objects of one size', lengths[0] != lengths[1] and seen[0][0] == seen[1][0] > 4096, f'{lengths} {seen}')
    check('C-24 and receipts of one size', seen[0][1] == seen[1][1] > 1000, seen)
    times = [p['finished_ms'] - p['started_ms'] for _, _, p in done]
    check('C-24 no result leaves before its time', all(t >= RELEASE_MS for t in times), times)

    job = done[0][0]
    sealed = s.dir / 'sealed'
    sealed.write_bytes(s.call('owner', 's3', 'GET', f'/{s.BUCKET}/results/{s.TENANT}/{job}').body)
    code, said, err = s.coffer('inspect', sealed, '--json')
    check('what was done is in the context, for any reader', code == 0 and json.loads(said)['context']['padding'] == 'padme-4096', said.decode() + err)
    code, raw, err = s.coffer('decrypt', sealed, '--keyring', f'kms:{s.key_arn("results")}', who='owner')
    check('who opens the message by itself finds content, mark and zeros', code == 0 and raw == done[0][1] + b'\x80' + bytes(4096 - 1 - lengths[0]), f'{err} {len(raw)}')

    s.stop_host(host)
    right = s.config
    for name, value in (('a scheme that is none', {'padding': 'pkcs7-16'}), ('a step of one byte', {'padding': 'step-1'}), ('a member more', {'padding': 'none', 'pad': 1})):
        (s.dir / 'coffer-enclave.log').unlink(missing_ok=True)
        s.config = s.dir / 'other.json'
        s.config.write_text(json.dumps({**json.loads(right.read_text()), 'results': value}))
        host = s.start_host()
        log = s.log('enclave.ready', 'enclave.not_started')
        check(f'configuration with {name}: the enclave does not start', 'enclave.not_started' in log and ('padding' in log or 'unknown member' in log), log)
        s.stop_host(host)


def open_results_key(s):
    """Another account, in which anybody of it may seal under the results' key: what no padding but the enclave's can show."""
    shutil.copytree(SOURCE / 'deploy/iam', s.dir / 'deploy/iam')
    (s.dir / 'deploy/local').mkdir()
    s.manifest = shutil.copy(SOURCE / 'deploy/local/manifest.json', s.dir / 'deploy/local')
    policy = s.dir / 'deploy/iam/key-results.json'
    document = json.loads(policy.read_text())
    document['Statement'] = [{'Effect': 'Allow', 'Principal': {'AWS': f'arn:aws:iam::{s.ACCOUNT}:root'}, 'Action': 'kms:*', 'Resource': '*'}] + [t for t in document['Statement'] if t['Effect'] == 'Allow']
    policy.write_text(json.dumps(document))


def wrong_paddings(s):
    """Results that say how they are padded, and are not: `coffer result` takes none. The last is right, and fails for its receipt alone."""
    for i, (name, padding, plain, told) in enumerate((
            ('no mark', 'step-64', bytes(64), 'not padded as it says'), ('a class too large', 'step-64', b'x\x80' + bytes(126), 'not padded as it says'),
            ('too short for its class', 'padme-4096', b'x\x80', 'not padded as it says'), ('a byte that is neither', 'step-64', b'x' * 63 + b'\x01', 'not padded as it says'),
            ('a scheme that nobody knows', 'step-63x', b'x\x80' + bytes(62), "not this job's result"), ('the right padding', 'step-64', b'x\x80' + bytes(62), 'receipt'))):
        job, content, sealed = f'{i:032x}', s.dir / 'content', s.dir / 'sealed'
        content.write_bytes(plain)
        context = {'tenant': s.TENANT, 'job': job, 'bucket': s.BUCKET, 'purpose': 'result', 'key': f'results/{s.TENANT}/{job}', 'padding': padding}
        code, _, err = s.coffer('encrypt', content, '-o', sealed, '--keyring', f'kms:{s.key_arn("results")}', *[x for k, v in context.items() for x in ('-c', f'{k}={v}')], who='root')
        assert code == 0, err
        data = sealed.read_bytes()
        for key, body in ((f'results/{s.TENANT}/{job}', data), (f'receipts/{s.TENANT}/{job}/{hashlib.sha256(data).hexdigest()}', b'no receipt')):
            put = s.call('consumer', 's3', 'PUT', f'/{s.BUCKET}/{key}', body, if_none_match='*')
            assert put.status == 200, put
        out = s.dir / 'wrong'
        code, _, err = s.coffer(*s.result_args(job), '-o', out, who='owner')
        check(f'C-24 a result with {name}: refused', code == 3 and told in err and not out.exists(), err)


def plain(s):
    open_results_key(s)
    start(s, {})
    done = [work(s, p) for p in pictures(s)]
    lengths, seen = [len(out) for _, out, _ in done], [sizes(s, job, proof)[0] for job, _, proof in done]
    check('without padding the sizes of the objects tell the lengths', lengths[0] != lengths[1] and seen[1] - seen[0] == lengths[1] - lengths[0], f'{lengths} {seen}')
    wrong_paddings(s)


def main():
    for run in (padded, plain):
        s = System(BUILD, False)
        try:
            run(s)
        except Exception as e:  # a broken set-up must show as a failed test
            import traceback
            check(f'the test itself: {type(e).__name__}: {e}', False, traceback.format_exc() + '\n'.join(s.tail(n) for n in ('coffer-local', 'coffer-enclave', 'coffer-producer')))
        finally:
            s.stop()
    return check.done()


sys.exit(main())
