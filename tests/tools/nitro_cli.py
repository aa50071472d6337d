#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A nitro-cli for tests: prints what the real one's guide shows, keeps its enclaves in a file beside itself, and misbehaves as the file
`mode` there says. Copied into a folder as `nitro-cli`."""
import argparse, fcntl, json, os, sys, time
from pathlib import Path

HERE = Path(sys.argv[0]).resolve().parent


def write(file, enclaves):
    (HERE / 'new').write_text(json.dumps(enclaves))
    (HERE / 'new').rename(file)


def main():
    mode = (HERE / 'mode').read_text().split() if (HERE / 'mode').exists() else []
    with open(HERE / 'calls', 'a') as f:
        f.write(json.dumps({'argv': sys.argv[1:], 'env': sorted(os.environ)}) + '\n')
    lock = open(HERE / 'lock', 'w')
    fcntl.flock(lock, fcntl.LOCK_EX)
    file = HERE / 'enclaves.json'
    enclaves = json.loads(file.read_text()) if file.exists() else []
    verb = sys.argv[1]
    for m in mode:
        if m == f'fail-{verb}':
            print('[ E26 ] Insufficient memory requested. User provided `memory` is 64 MB\x1b[2J', file=sys.stderr)
            sys.exit(26)
        if m == f'junk-{verb}':
            print('thread \'main\' panicked at src/main.rs')
            sys.exit(0)
        if m == f'killed-{verb}':
            os.kill(os.getpid(), 9)
        if m == f'flood-{verb}':
            print('x' * 10_000_000)
            sys.exit(0)
    p = argparse.ArgumentParser()
    for option in ('--enclave-name', '--eif-path', '--enclave-id'):
        p.add_argument(option)
    for option in ('--cpu-count', '--memory', '--enclave-cid'):
        p.add_argument(option, type=int)
    p.add_argument('--debug-mode', action='store_true')
    a = p.parse_args(sys.argv[2:])
    if verb == 'run-enclave':
        if any(e['EnclaveCID'] == a.enclave_cid for e in enclaves):
            print('[ E49 ] the context id is in use', file=sys.stderr)
            sys.exit(49)
        (HERE / 'n').write_text(str(n := int((HERE / 'n').read_text()) + 1 if (HERE / 'n').exists() else 1))
        pcrs = json.loads((HERE / 'pcrs.json').read_text())
        run = {'EnclaveName': a.enclave_name, 'EnclaveID': f'i-abc12345def67890a-enc{n:016x}', 'ProcessID': 12345, 'EnclaveCID': a.enclave_cid,
               'NumberOfCPUs': a.cpu_count, 'CPUIDs': list(range(1, 2 * a.cpu_count, 2)), 'MemoryMiB': a.memory}
        described = dict(run, State='RUNNING', Flags='DEBUG_MODE' if a.debug_mode or 'debug' in mode else 'NONE',
                         Measurements={'HashAlgorithm': 'Sha384 { ... }', **pcrs})
        if 'other-pcr' in mode:
            described['Measurements']['PCR2'] = 'ab' * 48
        if 'no-pcrs' in mode:
            del described['Measurements']
        write(file, [*enclaves, described])
        print('Start allocating memory...', file=sys.stderr)
        print(f'Started enclave with enclave-cid: {a.enclave_cid}, memory: {a.memory} MiB, cpu-ids: {run["CPUIDs"]}', file=sys.stderr)
        print(json.dumps(run, indent=4))
    elif verb == 'describe-enclaves':
        print(json.dumps(enclaves, indent=4))
    elif verb == 'terminate-enclave':
        if not any(e['EnclaveID'] == a.enclave_id for e in enclaves):
            print('[ E25 ] Enclave process connection failure', file=sys.stderr)
            sys.exit(25)
        write(file, [e for e in enclaves if e['EnclaveID'] != a.enclave_id])
        print(f'Successfully terminated enclave {a.enclave_id}.', file=sys.stderr)
        print(json.dumps({'EnclaveName': 'coffer', 'EnclaveID': a.enclave_id, 'Terminated': True}, indent=4))


main()
