#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libcoffer as another program sees it: what it exports, a program compiled by pkg-config alone, and the examples at work."""
import json, os, shutil, subprocess, sys, tempfile
from pathlib import Path

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])
COFFER = BUILD / 'src/prog/coffer/coffer'
results = []


def check(name, ok, detail=''):
    results.append((name, ok, detail))


def run(*argv, stdin=b'', env=None):
    p = subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, timeout=120, env=env)
    return p.returncode, p.stdout, p.stderr.decode(errors='replace')


def exports():
    _, out, _ = run('nm', '-D', '--defined-only', '--format=posix', BUILD / 'src/lib/libcoffer.so')
    names = [line.split()[0].split('@')[0] for line in out.decode().splitlines()]
    strays = [n for n in names if not n.startswith(('coffer_', 'COFFER_'))]
    check('only coffer_* is exported', not strays and 'coffer_seal' in names, strays)
    header = (SOURCE / 'include/coffer.h').read_text()
    missing = [n for n in names if n.startswith('coffer_') and n + '(' not in header]
    check('everything exported is declared', not missing, missing)


def by_pkg_config(tmp):
    if not shutil.which('pkg-config'):
        results.append(('a program built by pkg-config # SKIP no pkg-config', True, ''))
        return
    env = dict(os.environ, PKG_CONFIG_PATH=str(BUILD / 'meson-uninstalled'))
    code, flags, err = run('pkg-config', '--cflags', '--libs', 'coffer', env=env)
    check('pkg-config knows coffer', code == 0, err)
    exe = tmp / 'hello'
    code, _, err = run('cc', '-std=c11', '-Wall', '-Werror', SOURCE / 'examples/hello.c', *flags.decode().split(), '-o', exe)
    check('a program compiles with its flags alone', code == 0, err)
    code, out, err = run(exe, env=dict(env, LD_LIBRARY_PATH=str(BUILD / 'src/lib')))
    check('and seals and opens', code == 0 and b'opened again: hello' in out, f'{code} {out} {err}')
    plus = tmp / 'hello.cc'
    plus.write_text('#include <coffer.h>\nint main() { return coffer_version() == nullptr; }\n')
    if shutil.which('c++'):
        code, _, err = run('c++', '-Wall', '-Werror', plus, *flags.decode().split(), '-o', tmp / 'plus')
        check('the header serves C++ too', code == 0, err)


def examples(tmp):
    key, plain, sealed = tmp / 'key', os.urandom(1_000_001), tmp / 'sealed'
    key.write_bytes(os.urandom(32))
    ring = ['-k', f'raw-aes:examples:key-1:{key}']
    code, _, err = run(BUILD / 'examples/file', 'seal', key, sealed, 'camera=7', stdin=plain)
    check('file: seals a stream', code == 0, err)
    code, out, err = run(COFFER, 'decrypt', sealed, *ring, '--required-context', 'camera=7')
    check('what the library sealed, the program opens', code == 0 and out == plain, err)
    opened = tmp / 'opened'
    code, _, err = run(BUILD / 'examples/file', 'open', key, opened, 'camera=7', stdin=sealed.read_bytes())
    check('file: opens it again', code == 0 and opened.read_bytes() == plain, err)
    opened.unlink()
    code, _, err = run(BUILD / 'examples/file', 'open', key, opened, 'camera=8', stdin=sealed.read_bytes())
    check('file: another context is refused (5), nothing is left', code == 5 and not opened.exists()
          and not list(tmp.glob('*.part')), f'{code} {err}')
    bad = bytearray(sealed.read_bytes())
    bad[-5] ^= 1
    code, _, err = run(BUILD / 'examples/file', 'open', key, opened, 'camera=7', stdin=bytes(bad))
    check('file: a changed signature is refused (5), nothing is left', code == 5 and not opened.exists(), f'{code} {err}')
    code, _, err = run(COFFER, 'encrypt', '-', '-o', tmp / 'unsigned', '--suite', '0478', *ring, stdin=plain)
    code, out, err = run(BUILD / 'examples/range', key, tmp / 'unsigned', 500_000, 500_009)
    n = int(err.rsplit(';', 1)[1].split()[0])
    check('range: ten bytes are read from one frame and the header', code == 0 and out == plain[500_000:500_010] and n < 9000, err)
    code, out, err = run(BUILD / 'examples/range', key, tmp / 'unsigned', 1_000_001, 1_000_009)
    check('range: behind the end is over a limit (4)', code == 4 and out == b'', f'{code} {err}')
    code, out, err = run(BUILD / 'examples/range', key, sealed, 0, 9)
    check('range: a signed message is refused (6)', code == 6 and out == b'', f'{code} {err}')


def attestation(tmp):
    where = Path(os.environ.get('COFFER_VECTORS', SOURCE.parent / 'shared/vectors')) / 'attestation'
    if not (where / 'cases.jsonl').exists():
        results.append(('attest: real documents # SKIP the vectors are not here', True, ''))
        return
    cases = [json.loads(line) for line in (where / 'cases.jsonl').read_text().splitlines()]
    case = next(c for c in cases if c['kind'] == 'enclave' and c['expect'] == 'valid' and not c['debug_mode'])
    doc, pcr0 = where / case['file'], case['pcrs']['0']
    code, out, err = run(BUILD / 'examples/attest', doc, pcr0)
    check('attest: a real document is proved, and its module told', code == 0 and case['module_id'].encode() in out, err)
    for name, curve in (('key', 'secp384r1'), ('other', 'prime256v1')):
        run('openssl', 'ecparam', '-name', curve, '-genkey', '-noout', '-out', tmp / name)
        run('openssl', 'pkey', '-in', tmp / name, '-pubout', '-out', tmp / (name + '.pub'))
    pcrs = [a for n in '012' for a in ('--pcr', f'{n}={case["pcrs"][n]}')]
    code, _, err = run(COFFER, 'manifest', 'sign', '-k', tmp / 'key', '-o', tmp / 'manifest', '--image', 'x', '--image-version', '1', '--serial', 1, *pcrs,
                       '--issued', case['verify_at'][:19] + 'Z', '--days', 1)
    check('attest: a manifest for it', code == 0, err)
    code, _, err = run(BUILD / 'examples/attest', doc, '--expect', tmp / 'manifest', tmp / 'key.pub')
    check('attest: a manifest proves as well as a measurement', code == 0, err)
    code, _, err = run(BUILD / 'examples/attest', doc, '--expect', tmp / 'manifest', tmp / 'other.pub')
    check('attest: a manifest that somebody else signed', code == 3 and 'algorithm' in err, err)
    code, _, err = run(BUILD / 'examples/attest', doc, 'ab' * 48)
    check('attest: another image is refused', code == 3 and 'PCR0' in err, err)
    code, _, err = run(BUILD / 'examples/attest', doc, pcr0, 'ab' * 20)
    check('attest: another nonce is refused', code == 3, err)
    bad = bytearray(doc.read_bytes())
    bad[-1] ^= 1
    (tmp / 'bad').write_bytes(bad)
    code, _, err = run(BUILD / 'examples/attest', tmp / 'bad', pcr0)
    check('attest: a changed signature is refused', code == 3, err)
    debug = next((c for c in cases if c['kind'] == 'enclave' and c['debug_mode']), None)
    if debug:
        code, _, err = run(BUILD / 'examples/attest', where / debug['file'], '00' * 48)
        check('attest: zeros are no measurement (C-13)', code == 3, err)


def main():
    with tempfile.TemporaryDirectory() as tmp:
        exports()
        by_pkg_config(Path(tmp))
        examples(Path(tmp))
        attestation(Path(tmp))
    print(f'1..{len(results)}')
    for i, (name, ok, detail) in enumerate(results, 1):
        print(f'{"ok" if ok else "not ok"} {i} - {name}')
        if not ok:
            print(f'# {detail}')


main()
